/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_RUN_OPTS_H
#define CLI_RUN_OPTS_H

/* The options of build that are about RUN steps: rows for its table, and what they come to. */
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/strv.h"
#include "builder/run_options.h"
#include "cli/box_opts.h"
#include "cli/ca_opts.h"
#include "cli/opts.h"

struct layout;

struct run_opts {
    struct strv allow, cdi_dirs, hosts, secrets, ssh;
    const char *network, *ca_bundle, *on_error;
    struct box_opts box;
};

/* clang-format off */
#define RUN_OPTS(owner, field)                                                                                         \
    {.type = OPT_LIST, .name = "secret", .value = "id=ID[,src=FILE|,env=NAME]",                                         \
     .help = "a secret for RUN --mount=type=secret", .offset = offsetof(owner, field.secrets)},                         \
    {.type = OPT_LIST, .name = "ssh", .value = "ID[=SOCKET|=KEY[,KEY]]",                                                \
     .help = "an ssh agent for RUN --mount=type=ssh", .offset = offsetof(owner, field.ssh)},                            \
    {.type = OPT_LIST, .name = "allow", .value = "ENTITLEMENT",                                                         \
     .help = "what RUN may ask for: network.host, security.insecure, device[=NAME]",                                    \
     .offset = offsetof(owner, field.allow)},                                                                           \
    {.type = OPT_LIST, .name = "cdi-spec-dir", .value = "DIR",                                                          \
     .help = "where devices for RUN --device are described", .offset = offsetof(owner, field.cdi_dirs)},                \
    {.type = OPT_STR, .name = "network", .value = "MODE",                                                               \
     .help = "network of RUN steps: default, none, host, private", .offset = offsetof(owner, field.network)},                    \
    {.type = OPT_LIST, .name = "add-host", .value = "NAME:ADDRESS",                                                     \
     .help = "a line for /etc/hosts of RUN steps", .offset = offsetof(owner, field.hosts)},                             \
    CA_BUNDLE_OPT(owner, field.ca_bundle, "steps"),                                                                          \
    {.type = OPT_STR, .name = "on-error", .value = "HOW",                                                               \
     .help = "shell: open one in what a failed step leaves", .offset = offsetof(owner, field.on_error)}
/* clang-format on */

/* All but ssh; reads the secrets. ERR_USAGE for what is not understood or not carried out. */
int run_opts_make(const struct run_opts *opts, struct run_options *out, struct err *err);
/* In the session: the ssh agents. They are to be released before the store is closed. */
int run_opts_open_ssh(const struct run_opts *opts, const struct layout *layout,
                      struct run_options *out, struct err *err);

#endif
