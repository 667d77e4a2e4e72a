/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_SIEVE_H
#define BUILDER_SIEVE_H

/*
 * The changes of a step on their way into its layer. What says exactly what the layers below say
 * already is left out: an overlay holds files that were only opened for writing (lock files) and
 * directories that something was made and removed in, a scan does not see the first; a layer is to
 * be the same on every rung, and nothing is lost.
 *
 *   left out     the same type, owner, mode, time (as the layer would tell it), attributes, link
 *                and content, one name only; a whiteout where nothing is below
 *   changed      an opaque mark on a directory that hides no directory goes
 *   put in       the directories above whatever remains, as they are below (options.below)
 */
#include "base/err.h"
#include "builder/entry.h"
#include "builder/layer.h"

struct stack;

struct sieve {
    struct layer_writer *writer;
    struct layout *layout;
    struct stack *stack;
    const struct view *view;
    bool clamp;
    int64_t epoch;
    struct sieve_rest *rest; /* what was left out, to be removed; NULL: that does not matter */
};

/* Opens the writer; stack is borrowed, and so is what options name. options->below is set here. */
int sieve_open(struct sieve *sieve, struct layout *layout, struct pool *pool, struct stack *stack,
               const struct layer_options *options, struct err *err);
/* A diff_fn (builder/diff.h), ctx: the sieve. */
int sieve_add(void *ctx, const struct entry *e, int dir_fd, const char *name, struct err *err);
int sieve_end(struct sieve *sieve, struct layer *layer, struct err *err);
void sieve_close(struct sieve *sieve);

/* All of an overlay's upper directory. What is left out is removed there, too: the directory
 * becomes the layer's tree, which serves every stage with such a layer, whatever is below it. */
int sieve_upper(struct layout *layout, struct pool *pool, struct stack *stack, int upper_fd,
                const struct layer_options *options, struct layer *layer, struct err *err);

#endif
