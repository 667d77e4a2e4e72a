/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of a directory, as far as --parents and --exclude mean it. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/path.h"
#include "base/scope.h"
#include "builder/copy_planner.h"

struct tree {
    struct planner *p;
    const struct ignore *only;    /* NULL: everything */
    const struct ignore *exclude; /* NULL: nothing */
};

/* A directory on the way. One that is not meant itself is copied as soon as something in it is. */
struct level {
    struct level *up;
    const struct origin_file *dir;
    const char *path;   /* below the source */
    const char *target; /* in the image */
    bool placed;
};

static int place(const struct tree *t, struct level *level, struct err *err)
{
    if (level->placed)
        return 0;
    level->placed = true;
    return place(t, level->up, err) < 0
               ? -1
               : planner_add_file(t->p, xstrdup(level->target), level->dir, err);
}

static int walk(const struct tree *t, struct level *level, struct err *err);

static int walk_child(const struct tree *t, struct level *level, const struct origin_file *child,
                      struct err *err)
{
    AUTO_FREE char *name = str_dup(path_base(str_of(child->entry.path)));
    AUTO_FREE char *path = t->only || t->exclude ? planner_below(level->path, name) : NULL;
    AUTO_FREE char *target = planner_below(level->target, name);
    struct str at = str_of(path);
    bool meant = !t->only || ignore_match(t->only, at);
    bool left_out = t->exclude && ignore_match(t->exclude, at);
    struct level next = {.up = level, .dir = child, .path = path, .target = target};

    if (meant && !left_out) {
        if (place(t, level, err) < 0 || planner_add_file(t->p, xstrdup(target), child, err) < 0)
            return -1;
        next.placed = true;
    }
    if (child->entry.type != ENTRY_DIR || (left_out && !ignore_may_descend(t->exclude, at)) ||
        (!meant && !ignore_reaches_below(t->only, at)))
        return 0;
    return walk(t, &next, err);
}

static int walk(const struct tree *t, struct level *level, struct err *err)
{
    SCOPED(origin_list_release) struct origin_list list = {0};

    if (origin_list_dir(t->p->origin, level->dir->ref, &list, err) < 0)
        return -1;
    for (size_t i = 0; i < list.count; i++)
        if (walk_child(t, level, &list.items[i], err) < 0)
            return -1;
    return 0;
}

int planner_add_tree(struct planner *p, const char *target, const struct origin_file *dir,
                     const struct ignore *only, struct err *err)
{
    const struct ignore *exclude = &p->request->spec->exclude;
    struct tree t = {.p = p,
                     .only = only && only->count ? only : NULL,
                     .exclude = exclude->count ? exclude : NULL};

    return walk(&t, &(struct level){.dir = dir, .path = ".", .target = target, .placed = true},
                err);
}
