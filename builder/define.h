/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_DEFINE_H
#define BUILDER_DEFINE_H

/*
 * Definitions: what a step is by its Dockerfile, its arguments and its context alone, chained from
 * FROM downwards. A definition is remembered together with the layers it stood on (define_key()):
 * it then stands for its layer, and no layer below needs to be here, nor a stage that it reads
 * from. Of a stage that this build makes the files count, not the definition
 * (define_reads_wanted()).
 *
 * Before a build makes anything, define_product() goes through what the target needs and defines as
 * much as it can: it resolves base images, fires their triggers, hashes what COPY reads. A step
 * whose context files have a shape that was never read has no definition yet: it cannot be
 * remembered, and its files are better read once, when the layer is written. So have the steps
 * after it, and those that read from its stage. They are defined when their turn comes.
 */
#include <stdbool.h>

#include "base/err.h"
#include "base/hash.h"
#include "base/strv.h"
#include "builder/cache.h"
#include "builder/exec.h"

struct origin;

/* Defines the stages that the target needs, in order, and marks as `wanted` those that must be
 * made: the target, what it is FROM, and what is read by a step that is not remembered. */
int define_product(struct build *build, struct product *product, struct err *err);
/*
 * One instruction, when `parent` is what is below: 1 and out->hex; 0: not yet (out->shape is set
 * when it is for want of reading); -1. read: files are read if need be. Only for instructions that
 * count as steps.
 */
int define_step(struct build *build, struct making *making, const struct instruction *in,
                const char *parent, bool read, struct definition *out, struct err *err);
/* The key under which a step of this definition is remembered, when it stands on these layers. A
 * definition alone is not enough: what is below may have been made again, and be another. */
void define_key(const struct definition *d, const struct stack *below,
                char out[static SHA256_HEX_SIZE]);
/* Does step i read from a stage that this build makes? Then its definition does not tell. */
bool define_reads_wanted(const struct making *m, size_t i);
/* Is step i of the stage's body, which is next, remembered by its definition? */
bool define_remembers(const struct build *build, const struct making *m, size_t i);
/* The definition of a stack of layers as it is, however it came to be. */
void define_stack(const struct stack *stack, char out[static SHA256_HEX_SIZE]);
/* Adds what a step reads: the definition of a stage, else the layers of an image. 1; 0: the stage
 * has none yet. */
int define_source(const struct making *making, const struct stage_source *from,
                  const struct origin *origin, struct cache_key *key);

#endif
