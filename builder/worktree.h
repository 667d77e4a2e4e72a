/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_WORKTREE_H
#define BUILDER_WORKTREE_H

/*
 * The file system of a stage as one plain directory, where no overlay can be mounted: commands
 * change it, and their layer is what a scan finds (builder/scan.h). It stays from step to step;
 * layers that a stage gets in between (COPY) are unpacked onto it.
 *
 *   tmp/<name>/root    the tree
 *   tmp/<name>/aside   what mounts cover while a command runs (runtime/places.h)
 *
 * A layer has the same entries as an overlay's upper directory would have given: every name of a
 * file is a file of its own between steps, a directory made anew is opaque, and builder/sieve.h
 * leaves out what says nothing. One thread at a time.
 *
 * With isolation in-place the tree is "/" itself (builder/ground.h); tmp/ holds the rest.
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/hash.h"
#include "base/strv.h"
#include "builder/layer.h"
#include "builder/scan.h"
#include "registry/layout.h"

struct ground;
struct plan;
struct session;
struct stack;

struct worktree {
    struct layout *layout; /* borrowed; NULL: not open */
    struct layout_tmp tmp;
    int root_fd, aside_fd;
    char (*diff_ids)[DIGEST_SIZE]; /* of the layers it holds */
    size_t count, capacity;
    char
        changed[DIGEST_SIZE]; /* the layer of the latest command, which it holds too; "": nothing */
    struct scan scan;         /* how it looks; dropped when layers come */
    struct ground *ground;    /* borrowed, set by the caller; NULL: not in place */
    struct strv held;         /* files that are moved aside and back, sorted */
};
#define WORKTREE_CLOSED                                                                            \
    {                                                                                              \
        .tmp = LAYOUT_TMP_CLOSED, .root_fd = -1, .aside_fd = -1, .scan = SCAN_CLOSED               \
    }

/* Makes the tree hold the stack's layers and nothing else; unpacks what is missing, all of it when
 * it held something else. After a failure it holds nothing. */
int worktree_hold(struct worktree *w, struct layout *layout, struct stack *stack, struct err *err);
/* … and be the root of a plan, whose mounts must be there: in a plain session itself, in others a
 * detached mount of it. plan->aside_fd is borrowed, plan->root_fd is not. */
int worktree_open_root(struct worktree *w, struct layout *layout, struct session *session,
                       struct stack *stack, struct plan *plan, struct err *err);
/* … for another command on what the last one left, of which no layer will be made. */
int worktree_open_again(const struct worktree *w, const struct session *session, struct plan *plan,
                        struct err *err);
/* What the command changed, as a layer; plan: that it ran by. The stack must still be the one that
 * it was opened with. */
int worktree_layer(struct worktree *w, struct pool *pool, struct stack *stack,
                   const struct plan *plan, const struct layer_options *options,
                   struct layer *layer, struct err *err);
void worktree_close(struct worktree *w);

#endif
