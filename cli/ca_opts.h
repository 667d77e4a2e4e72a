/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_CA_OPTS_H
#define CLI_CA_OPTS_H

/* --ca-bundle of build and run: what commands in sandboxes trust, and we while they are made. */
#include "base/err.h"
#include "cli/opts.h"
#include "cli/registry_opts.h"
#include "registry/layout.h"

struct ca_bundle;

/* clang-format off */
#define CA_BUNDLE_OPT(owner, field, whom)                                                                              \
    {.type = OPT_STR, .name = "ca-bundle", .value = "FILE|host",                                                        \
     .help = "certificates that " whom " trusts, and no image has", .offset = offsetof(owner, field)}
/* clang-format on */

/* The file of it in the store, for as long as requests are made. */
struct ca_trust {
    const struct layout *layout;
    struct layout_tmp tmp;
    char *path;
};
#define CA_TRUST_CLOSED                                                                            \
    {                                                                                              \
        .tmp = LAYOUT_TMP_CLOSED                                                                   \
    }
void ca_trust_close(struct ca_trust *trust);
/* Our own requests trust it too, beside what --ca-file and its like say: registry.ca_file becomes
 * a file with both. Nothing happens without a bundle, or with this host's own. */
int ca_trust_open(const struct ca_bundle *ca, const struct layout *layout,
                  struct registry_opts *registry, struct ca_trust *trust, struct err *err);

#endif
