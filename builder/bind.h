/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_BIND_H
#define BUILDER_BIND_H

/*
 * What an origin (the build context, a stage, an image) has at a path, as a mount for a sandbox.
 * Nothing is copied where the kernel can show it as it lies:
 *
 *   stage, image     its trees under a read-only overlay, of which the part at the path is mounted
 *   context          its own files, when all belong to 0:0 (as they do for an ordinary user's
 *                    session) or, where the host's root runs, to one owner that an idmapped mount
 *                    shows as 0:0; under an overlay of whiteouts where the ignore file leaves
 *                    something out
 *   otherwise        (files of several owners, several file systems, no overlay on them) a copy in
 * the store's tmp/, reflinked where the disk can
 *   no mounts        (session_is_plain()) always a copy, which can be written to
 *
 * Whichever it is, the sandbox sees the same: files of the context belong to 0:0, what is left out
 * is not there, and what is written to a writable one is thrown away with it.
 */
#include <stdbool.h>

#include "base/err.h"
#include "base/hash.h"
#include "builder/origin.h"
#include "registry/layout.h"

struct session;
struct worktree;

struct bind {
    struct layout *layout;
    int mount_fd; /* detached, restricted as asked; plain: what is at dir_fd/name */
    int dir_fd;   /* plain sessions alone: where it lies, to be moved (plan_add_move()) */
    char *name;
    struct worktree *whole; /* plain: the stage it is a part of */
    bool is_dir;
    struct layout_tmp tmp; /* whiteouts, copies, what is written */
};
#define BIND_CLOSED                                                                                \
    {                                                                                              \
        .mount_fd = -1, .dir_fd = -1, .tmp = LAYOUT_TMP_CLOSED                                     \
    }

/*
 * Adds all that decides about what is seen at the path (names, types, modes, owners, contents,
 * links, attributes; no times) to a cache key. ERR_INPUT when nothing is there.
 */
int bind_hash(struct origin *origin, const char *path, struct sha256 *h, struct err *err);
/* bind starts as BIND_CLOSED and is to be released after the sandbox's end, on failure too. */
int bind_open(struct bind *bind, struct session *session, struct origin *origin, const char *path,
              bool writable, struct err *err);
/* A path of the context that changed after it was looked at, or NULL: then the step saw something
 * else than its key says. Borrowed from origin. */
const char *bind_changed(struct origin *origin, const char *path);
void bind_release(struct bind *bind);

#endif
