/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_CONTEXT_PARTS_H
#define BUILDER_CONTEXT_PARTS_H

/* Of context*.c alone. */
#include <pthread.h>

#include "builder/context.h"
#include "builder/ignore.h"
#include "builder/statcache.h"

struct context {
    int root_fd;
    char *path, *label;
    bool git_modes, has_mtime;
    int64_t mtime;
    struct ignore ignore;
    pthread_mutex_t lock;      /* for all below, until a directory is loaded */
    struct statcache *digests; /* NULL: none are remembered */
    struct context_node root;
};

/* What the context shows instead of a file's own mode and time. */
void context_adjust(const struct context *context, struct stat *st);
void context_forget(struct context_node *node); /* all below it */

#endif
