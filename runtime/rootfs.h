/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RUNTIME_ROOTFS_H
#define RUNTIME_ROOTFS_H

/*
 * The file system a sandbox sees: the root it was given, /proc, /dev, /sys, generated /etc files,
 * mounts, masked paths.
 *
 * Mount points must exist. Most come from a stub lower: a directory tree of empty files and
 * directories that is the lowest overlay layer, so that nothing is made in the upper directory.
 * What the layers hide from it is made in the root and removed after the run, with the parents'
 * times as they were.
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/strv.h"
#include "runtime/plan.h"

/*
 * The stub lower for this plan's mount points, as a directory under parent_fd named by its content:
 * made once, shared by steps and processes, so it lies where nobody clears away (the store's
 * cache/). Returns its descriptor, to be the last (lowest) lower.
 */
int rootfs_stubs(int parent_fd, const struct plan *plan, struct err *err);

/*
 * Makes target in the root, with missing parents, where it is not there; links are followed inside
 * the root, dangling ones too. A thing of the wrong kind is an error. made: NULL when nothing is to
 * be taken away later.
 */
struct rootfs_made;
int rootfs_make_point(int root_fd, const char *target, bool is_dir, struct rootfs_made *made,
                      struct err *err);

/* Mount points made in a root, to be taken away again. */
struct rootfs_made {
    struct rootfs_mark *marks;
    size_t count, capacity;
};
int rootfs_prepare(int root_fd, const struct plan *plan, struct rootfs_made *made, struct err *err);
/* Removes what is still empty, newest first, and puts back the parents' times. Also releases. */
void rootfs_unmake(struct rootfs_made *made);

/* In the sandbox's init: mounts everything and makes it the root. */
int rootfs_enter(struct plan *plan, struct err *err);

#endif
