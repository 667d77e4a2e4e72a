/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_BUILD_RESULTS_H
#define CLI_BUILD_RESULTS_H

/* What a build tells of itself when it is done: standard output, --iidfile, --metadata-file. */
#include <stdbool.h>

#include "base/err.h"
#include "builder/build.h"
#include "cli/build_opts.h"
#include "cli/build_request.h"

int build_results_write(const struct build_opts *o, const struct build_request *r,
                        const struct build_result *built, bool quiet, struct err *err);

#endif
