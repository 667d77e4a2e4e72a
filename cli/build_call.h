/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_BUILD_CALL_H
#define CLI_BUILD_CALL_H

/* `slipway build` with --check, --call or --print-ast: a question about the Dockerfile, no build.
 */
#include <stdbool.h>

#include "base/err.h"
#include "builder/call.h"
#include "cli/build_opts.h"
#include "cli/build_request.h"
#include "cli/opts.h"

struct build_call {
    bool wanted; /* false: build */
    enum call call;
    bool json;
    bool ignore_status; /* warnings leave the exit status alone */
};

/* ERR_USAGE for a method that is not known, or two that contradict each other. */
int build_call_parse(const struct build_opts *o, struct build_call *call, struct err *err);
/* Prints the answer. The exit status, or -1. */
int build_call_run(const struct cmd_context *context, const struct build_opts *o,
                   const struct build_request *request, const struct build_call *call,
                   struct err *err);

#endif
