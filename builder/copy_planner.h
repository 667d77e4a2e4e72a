/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_COPY_PLANNER_H
#define BUILDER_COPY_PLANNER_H

/* A plan of COPY or ADD in the making: shared by copy_plan.c, copy_sources.c and copy_order.c
 * alone. */
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "builder/copy.h"
#include "builder/ignore.h"
#include "builder/origin.h"

struct view;

/* One source after wildcards: where it is, and the name it keeps when it is copied into a
 * directory. */
struct match {
    char *name;
    struct origin *origin;
    struct origin_file file;
    struct ignore only; /* --parents: what is copied of the directory; no rules: all */
};

struct planner {
    const struct copy_request *request;
    struct copy_plan *plan;
    const struct view *view;
    struct origin *origin; /* of the source at hand */
    struct match *matches;
    size_t matches_count, matches_capacity;
    char *dest;       /* where it is, links followed; entry form */
    bool dest_exists; /* … as a directory */
    bool dest_is_dir; /* it takes names below it */
};

void planner_release(struct planner *p);
/* Fills matches: what the sources name, wildcards taken, in the order they were named. */
int planner_find_sources(struct planner *p, struct err *err);
/* One item for `file`, owner and mode as the flags have them; takes target. */
int planner_add_file(struct planner *p, char *target, const struct origin_file *file,
                     struct err *err);
/* What is below a directory of the origin, to below the directory `target` of the image: all, or
 * what `only` (when it has rules) and --exclude leave. */
int planner_add_tree(struct planner *p, const char *target, const struct origin_file *dir,
                     const struct ignore *only, struct err *err);
/* "dir/name", or "name" in the root. For free(). */
char *planner_below(const char *dir, const char *name);
/* Brings the items into the order of a layer, each target once; names of one inode become links. */
int copy_plan_order(struct copy_plan *plan, struct err *err);

#endif
