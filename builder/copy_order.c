/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/scope.h"
#include "builder/copy_planner.h"

static int by_target(const void *a, const void *b)
{
    const struct copy_item *x = a, *y = b;
    int order;

    if (x->archive != y->archive)
        return x->archive - y->archive;
    if (x->archive)
        return x->order < y->order ? -1 : 1;
    order = entry_path_cmp(x->target, y->target);
    return order ? order : (x->order > y->order) - (x->order < y->order);
}

/* Of two for one place the later stays; a directory made for others gives way to a real one. */
static int keep_last(struct copy_plan *plan, struct err *err)
{
    size_t kept = 0;

    for (size_t i = 0; i < plan->count; i++) {
        struct copy_item *item = &plan->items[i], *last = kept ? &plan->items[kept - 1] : NULL;

        if (last && !item->archive && strcmp(last->target, item->target) == 0) {
            if ((last->entry.type == ENTRY_DIR) != (item->entry.type == ENTRY_DIR))
                return err_set(err, ERR_INPUT, EEXIST, "two sources want /%s: a %s and a %s",
                               item->target, entry_type_name(last->entry.type),
                               entry_type_name(item->entry.type));
            if (item->made) {
                free(item->target);
                item->target = NULL;
                continue;
            }
            free(last->target);
            *last = *item;
            if (item != last)
                item->target = NULL;
            continue;
        }
        if (kept != i) {
            plan->items[kept] = *item;
            item->target = NULL;
        }
        kept++;
    }
    plan->count = kept;
    return 0;
}

static int by_inode(const void *a, const void *b)
{
    const struct copy_item *const *x = a, *const *y = b;

    if ((*x)->origin != (*y)->origin)
        return (*x)->origin < (*y)->origin ? -1 : 1;
    if ((*x)->device != (*y)->device)
        return (*x)->device < (*y)->device ? -1 : 1;
    if ((*x)->inode != (*y)->inode)
        return (*x)->inode < (*y)->inode ? -1 : 1;
    return *x < *y ? -1 : *x > *y; /* items are in path order */
}

/* Names of one inode stay one: the first in path order is the file, the others link to it. */
static void link_names(struct copy_plan *plan)
{
    AUTO_FREE struct copy_item **shared = xcalloc(plan->count, sizeof(*shared));
    size_t count = 0;

    for (size_t i = 0; i < plan->count; i++)
        if (plan->items[i].shared && plan->items[i].entry.type == ENTRY_FILE)
            shared[count++] = &plan->items[i];
    qsort(shared, count, sizeof(*shared), by_inode);
    for (size_t i = 1, first = 0; i < count; i++) {
        if (shared[i]->origin != shared[first]->origin ||
            shared[i]->device != shared[first]->device ||
            shared[i]->inode != shared[first]->inode) {
            first = i;
            continue;
        }
        shared[i]->entry.type = ENTRY_HARDLINK;
        shared[i]->entry.link = shared[first]->target;
        shared[i]->entry.size = 0;
    }
}

/* One directory is walked in the order of a layer already. */
static bool is_sorted(const struct copy_plan *plan)
{
    for (size_t i = 1; i < plan->count; i++)
        if (by_target(&plan->items[i - 1], &plan->items[i]) > 0)
            return false;
    return true;
}

int copy_plan_order(struct copy_plan *plan, struct err *err)
{
    if (!plan->count)
        return 0;
    if (!is_sorted(plan))
        qsort(plan->items, plan->count, sizeof(*plan->items), by_target);
    if (keep_last(plan, err) < 0)
        return -1;
    for (size_t i = 0; i < plan->count; i++)
        plan->items[i].entry.path = plan->items[i].target;
    link_names(plan);
    return 0;
}
