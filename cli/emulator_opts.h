/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_EMULATOR_OPTS_H
#define CLI_EMULATOR_OPTS_H

/* --emulator ARCH=PATH or ARCH=image:NAME, of build and run. */
#include "base/err.h"
#include "base/strv.h"
#include "cli/opts.h"
#include "cli/registry_opts.h"

struct layout;
struct session;

/* clang-format off */
#define EMULATOR_OPT(owner, field)                                                                                     \
    {.type = OPT_LIST, .name = "emulator", .value = "ARCH=PATH",                                                        \
     .help = "the emulator for ARCH: a file, or image:NAME", .offset = offsetof(owner, field)}
/* clang-format on */

/* Hands them to the session. An image that the store lacks is fetched. */
int emulator_opts_give(const struct strv *list, const struct registry_opts *registry,
                       struct layout *layout, struct session *session, struct err *err);

#endif
