/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_CROSSING_H
#define BUILDER_CROSSING_H

/*
 * What a build for other platforms is told at its end: how long its steps ran under an emulator,
 * which stages need not have, and which steps brought programs of another architecture into the
 * image. Notes come from all threads.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "builder/cache.h"

struct build;
struct instruction;
struct making;

struct crossing_note {
    const struct making *making; /* these two borrowed */
    const struct instruction *in;
    uint64_t emulated_ms; /* 0: it was not emulated in this build */
    struct survey survey; /* with strangers, or empty */
};

struct crossing {
    struct crossing_note *notes;
    size_t count, capacity;
};
void crossing_release(struct crossing *crossing);

/* A step ran for so long under an emulator. */
void crossing_emulated(struct build *build, const struct making *making,
                       const struct instruction *in, uint64_t ms);
/* A step's layer, made or remembered. */
void crossing_layer(struct build *build, const struct making *making, const struct instruction *in,
                    const struct cache_record *record);
/*
 * Once all stages are made: warnings and the summary. Programs count in the stages that the image
 * consists of: what a stage of tools holds is its own business. When the stage's architecture is
 * this machine's, only a step whose programs are all strangers is worth a warning. strict: any of
 * them is ERR_INPUT with the line, and the excerpt is in the result.
 */
int crossing_report(struct build *build, bool strict, struct err *err);

#endif
