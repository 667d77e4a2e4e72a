/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_BUILD_OPTS_H
#define CLI_BUILD_OPTS_H

/* The options of `slipway build`. */
#include <stdbool.h>

#include "base/strv.h"
#include "cli/cache_opts.h"
#include "cli/emulator_opts.h"
#include "cli/legacy_opts.h"
#include "cli/opts.h"
#include "cli/output_opts.h"
#include "cli/registry_opts.h"
#include "cli/run_opts.h"

struct build_opts {
    struct strv tags, targets, platforms, build_args, labels, build_contexts, emulators;
    const char *file, *isolation, *call;
    uint64_t jobs;
    bool no_cache, explain, strict_platform, pull, check, print_ast;
    struct cache_opts cache;
    struct output_opts output;
    struct legacy_opts legacy;
    struct run_opts run;
    struct registry_opts registry;
};

extern const struct opt build_opts[];

#endif
