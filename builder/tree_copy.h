/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_TREE_COPY_H
#define BUILDER_TREE_COPY_H

/*
 * A directory copied into another on this disk: contents shared where the file system can
 * (reflink), owners, modes, times, hard links, pipes and the extended attributes that travel with
 * an image. Sockets stay out; device nodes, which few may make, too, with a debug line.
 */
#include <sys/stat.h>

#include "base/err.h"

struct tree_copy {
    /* How this path (relative, clean; "." is the root) shall look: may change owner, mode and
     * mtime. 1: it is left out, with all below it; 0; -1. NULL: all stays as it is. */
    int (*look)(void *ctx, const char *path, struct stat *st, struct err *err);
    void *ctx;
};

/* to_fd: an existing directory; what it is itself (owner, mode, times) is copied last. */
int tree_copy(int from_fd, int to_fd, const struct tree_copy *options, struct err *err);
/* One file, "." to look(), to to_fd/name, which must not exist. */
int tree_copy_file(int from_fd, int to_fd, const char *name, const struct tree_copy *options,
                   struct err *err);

#endif
