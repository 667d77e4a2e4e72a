/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_BOX_OPTS_H
#define CLI_BOX_OPTS_H

/* The options of build and run that are about the sandbox: rows for their tables, and what they
 * come to. */
#include <stddef.h>

#include "base/err.h"
#include "base/strv.h"
#include "cli/opts.h"
#include "runtime/box.h"

struct box_opts {
    struct strv cap_add, cap_drop, security, dns, dns_search, dns_options;
};

/* clang-format off */
#define BOX_OPTS(owner, field)                                                                                         \
    {.type = OPT_LIST, .name = "cap-add", .value = "NAME", .help = "give a capability, or ALL",                         \
     .offset = offsetof(owner, field.cap_add)},                                                                         \
    {.type = OPT_LIST, .name = "cap-drop", .value = "NAME", .help = "take a capability, or ALL",                        \
     .offset = offsetof(owner, field.cap_drop)},                                                                        \
    {.type = OPT_LIST, .name = "security-opt", .value = "OPTION",                                                       \
     .help = "no-new-privileges, or seccomp=unconfined", .offset = offsetof(owner, field.security)},                    \
    {.type = OPT_LIST, .name = "dns", .value = "ADDRESS", .help = "a name server, in place of this host's",             \
     .offset = offsetof(owner, field.dns)},                                                                             \
    {.type = OPT_LIST, .name = "dns-search", .value = "DOMAIN", .help = "a domain to search in, in place of this host's", \
     .offset = offsetof(owner, field.dns_search)},                                                                      \
    {.type = OPT_LIST, .name = "dns-option", .value = "OPTION", .help = "an option of resolv.conf, in place of this host's", \
     .offset = offsetof(owner, field.dns_options)}
/* clang-format on */

/* ERR_USAGE, with the option's name. */
int box_opts_make(const struct box_opts *opts, struct box *box, struct err *err);

#endif
