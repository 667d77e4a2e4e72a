/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RUNTIME_PLACES_H
#define RUNTIME_PLACES_H

/*
 * What a sandbox without mounts sees in place of mounts (struct plan, plain): put into the root's
 * own directory tree before the command, taken out after its end, when none of its processes lives.
 *
 *   /dev /proc /sys   directories (still.h)
 *   /etc/…      the plan's hosts, resolv.conf, hostname
 *   mounts      FILE: a file, a read-only one overwritten before it is removed; TMPFS: a directory,
 * its size is not bounded; MOVE: what lies elsewhere on the same file system, moved in and back
 *
 * What was there before lies in plan->aside_fd meanwhile. Directories in which something was put
 * have their time of before, unless the command changed them. Links are followed inside the root.
 */
#include <stddef.h>

#include "base/err.h"
#include "runtime/plan.h"

struct places {
    struct place *items;
    size_t count, capacity;
};

/* On failure, too, places_take() is to be called. */
int places_put(const struct plan *plan, struct places *places, struct err *err);
/* Goes on after a failure; the first is told. Also releases. */
int places_take(const struct plan *plan, struct places *places, struct err *err);

#endif
