/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_OUTPUTS_WORK_H
#define BUILDER_OUTPUTS_WORK_H

/* What outputs and outputs_check share: every output of every target, on its way. */
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/strv.h"
#include "builder/output_file.h"
#include "builder/outputs.h"

/* One output on its way. */
struct work {
    const struct output_spec *spec;
    const struct outputs_target *target;
    struct outputs_result *result; /* of the target; NULL while nothing is written */
    struct reference *refs;        /* its names */
    size_t refs_count;
    struct strv names; /* the same, in full */
    struct commit made;
    struct output_file file;
};

struct works {
    struct work *items;
    size_t count;
};

void works_release(struct works *works);
/* All that outputs and targets say, names parsed. results NULL: nothing will be written. */
int works_begin(struct works *works, const struct outputs *o, const struct outputs_target *targets,
                size_t count, struct outputs_result *results, struct err *err);
/* Is it one file or stream, for one target? */
bool work_is_archive(const struct output_spec *spec);

#endif
