/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RUNTIME_OVERLAY_H
#define RUNTIME_OVERLAY_H

/*
 * Overlay mounts, detached: a descriptor on which openat() and friends work, attached nowhere, gone
 * when closed. Always with userxattr, so that one on-disk form serves root and ordinary users;
 * volatile; nothing that would make the upper directory an incomplete diff (index, metacopy,
 * redirect_dir are off). nodev always: devices are bound.
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "runtime/session.h"

#define OVERLAY_LOWERS_MAX 500 /* fs/overlayfs/params.h, OVL_MAX_STACK */

struct overlay {
    const int *lower_fds; /* directories, topmost first; borrowed, may be closed after the mount */
    size_t lower_count;
    int upper_fd; /* -1 with work_fd -1: a read-only mount */
    int work_fd;  /* empty directory on upper's file system. Afterwards it holds a directory of mode
                     000 */
};

/*
 * A detached mount. Read-only: two lowers or more are an overlay, one is a bind.
 * The kernel's own words are in the error. Fails in rung none (ERR_SYSTEM).
 */
int overlay_mount(struct session *session, const struct overlay *overlay, struct err *err);

#endif
