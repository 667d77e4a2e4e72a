/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_ROOT_H
#define BUILDER_ROOT_H

/*
 * A writable root directory over a stack of layers, for one sandbox: trees, stubs of the plan's
 * mount points, a fresh upper directory, mounted as an overlay. What is written is in upper_fd,
 * tmp/<name>/upper, until the release.
 */
#include <stdbool.h>
#include <sys/stat.h>

#include "base/err.h"
#include "builder/stack.h"
#include "registry/layout.h"

struct plan;
struct session;

struct root {
    struct layout *layout;
    struct layout_tmp tmp;
    int upper_fd, work_fd;
    struct root_parent {
        char *path;
        struct stat st;
    } * parents; /* of mount points, before the sandbox */
    size_t parents_count, parents_capacity;
};
#define ROOT_CLOSED                                                                                \
    {                                                                                              \
        .tmp = LAYOUT_TMP_CLOSED, .upper_fd = -1, .work_fd = -1                                    \
    }

/*
 * Can an overlay be written to where the store lies? Tried once a session; not on another overlay
 * (a container's root), for one. Where it cannot, a stage is a plain directory (worktree.h).
 * Isolation single keeps its records in overlays alone, so there it is not asked: root_open()
 * fails.
 */
bool root_has_overlay(struct layout *layout, struct session *session);
/* Fills root, and plan->root_fd with the detached mount. The plan's mounts must be there. */
int root_open(struct root *root, struct layout *layout, struct session *session,
              struct stack *stack, struct plan *plan, struct err *err);
/* The same root once more, with what the first sandbox left in it; that one must have ended. Once.
 */
int root_open_again(struct root *root, struct session *session, struct stack *stack,
                    struct plan *plan, struct err *err);
/*
 * After the sandbox: a directory in which a mount point had to be made (a layer hides the stub) was
 * copied up for that alone. Where it is empty and looks as it did before, it goes from the upper
 * directory, and those above it, so that the layer is the one that it would be without the mount.
 */
int root_tidy(struct root *root, struct err *err);
/*
 * The trees of a store are of one kind: owners in the file system, or recorded for want of ids
 * (session single). ERR_SYSTEM when the store has the other kind. Before anything is unpacked.
 */
int root_check_store(const struct layout *layout, const struct session *session, struct err *err);
void root_release(struct root *root); /* the mount must be gone */

#endif
