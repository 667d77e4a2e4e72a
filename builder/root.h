/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_ROOT_H
#define BUILDER_ROOT_H

/*
 * A writable root directory over a stack of layers, for one sandbox: trees, stubs of the plan's
 * mount points, a fresh upper directory, mounted as an overlay. What is written is in upper_fd,
 * tmp/<name>/upper, until the release.
 */
#include "base/err.h"
#include "builder/stack.h"
#include "registry/layout.h"

struct plan;
struct session;

struct root {
    struct layout *layout;
    struct layout_tmp tmp;
    int upper_fd, work_fd;
};
#define ROOT_CLOSED                                                                                \
    {                                                                                              \
        .tmp = LAYOUT_TMP_CLOSED, .upper_fd = -1, .work_fd = -1                                    \
    }

/* Fills root, and plan->root_fd with the detached mount. The plan's mounts must be there. */
int root_open(struct root *root, struct layout *layout, struct session *session,
              struct stack *stack, struct plan *plan, struct err *err);
void root_release(struct root *root); /* the mount must be gone */

#endif
