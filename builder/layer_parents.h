/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_LAYER_PARENTS_H
#define BUILDER_LAYER_PARENTS_H

/* Which directories a layer under way has: for making up the parents that were not added. */
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

struct parents {
    bool unsorted;
    struct buf last; /* sorted: the latest path says which of the next one's parents are there */
    bool any;
    char **dirs; /* unsorted: an open-addressing set */
    size_t count, capacity;
};

void parents_release(struct parents *p);
/* Does path come after the latest one? */
bool parents_in_order(const struct parents *p, const char *path);
/* Calls fn for each parent of path that the layer does not have, topmost first (never for the
 * root), and notes it. */
typedef int parents_fn(void *ctx, const char *path, struct err *err);
int parents_add(struct parents *p, const char *path, parents_fn *fn, void *ctx, struct err *err);
void parents_note(struct parents *p, const char *path, bool dir); /* path was added */

#endif
