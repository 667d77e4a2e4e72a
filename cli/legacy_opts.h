/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_LEGACY_OPTS_H
#define CLI_LEGACY_OPTS_H

/*
 * Options of docker's builders that scripts still give and that slipway has no use for. Some have
 * no meaning here and are taken (slipway-build(1) says why); the others ask for something that is
 * not done, and are refused with what to do instead.
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/strv.h"
#include "cli/opts.h"

struct legacy_opts {
    bool compress, force_rm, rm, no_trust, squash;
    const char *builder, *provenance, *sbom;
    struct strv attest;
};

/* clang-format off */
#define LEGACY_OPTS(owner, field)                                                                                      \
    {.type = OPT_FLAG, .name = "compress", .help = "no meaning: no context is sent to a daemon", .hidden = true,        \
     .offset = offsetof(owner, field.compress)},                                                                        \
    {.type = OPT_FLAG, .name = "force-rm", .help = "no meaning: no container is left", .hidden = true,                  \
     .offset = offsetof(owner, field.force_rm)},                                                                        \
    {.type = OPT_FLAG, .name = "rm", .help = "no meaning: no container is left", .hidden = true,                        \
     .offset = offsetof(owner, field.rm)},                                                                              \
    {.type = OPT_FLAG, .name = "disable-content-trust", .help = "no meaning: Notary is not asked", .hidden = true,      \
     .offset = offsetof(owner, field.no_trust)},                                                                        \
    {.type = OPT_STR, .name = "builder", .value = "NAME", .help = "no meaning: slipway is the builder", .hidden = true, \
     .offset = offsetof(owner, field.builder)},                                                                         \
    {.type = OPT_STR, .name = "provenance", .value = "false", .help = "no attestation is made", .hidden = true,         \
     .offset = offsetof(owner, field.provenance)},                                                                      \
    {.type = OPT_STR, .name = "sbom", .value = "false", .help = "no attestation is made", .hidden = true,               \
     .offset = offsetof(owner, field.sbom)},                                                                            \
    {.type = OPT_LIST, .name = "attest", .value = "type=TYPE,disabled=true", .help = "no attestation is made",          \
     .hidden = true, .offset = offsetof(owner, field.attest)},                                                          \
    {.type = OPT_FLAG, .name = "squash", .help = "refused", .hidden = true, .offset = offsetof(owner, field.squash)}
/* clang-format on */

/* ERR_USAGE for what is asked for and not done. */
int legacy_opts_check(const struct legacy_opts *opts, struct err *err);

#endif
