/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_STACK_H
#define BUILDER_STACK_H

/*
 * The layers of an image or of a stage that grows, bottom first. Indexes are opened and trees
 * unpacked only when something asks: a build in which every step is remembered touches neither.
 */
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/hash.h"
#include "builder/view.h"
#include "registry/descriptor.h"

struct layout;
struct image;
struct index;

struct stack_layer {
    char diff_id[DIGEST_SIZE];
    struct descriptor blob;
    struct index *index; /* NULL until it is needed */
    bool base;           /* of an image that others made: stack_push_image() */
};

struct stack {
    struct stack_layer *layers;
    size_t count;
    size_t capacity;
    struct view view;     /* of the first view.count layers; see stack_view() */
    pthread_mutex_t lock; /* of indexes and view: a finished stack may be read by many threads */
};

void stack_release(struct stack *stack);
void stack_push(struct stack *stack, const char *diff_id,
                const struct descriptor *blob); /* copies */
/* All layers of an image in the store. ERR_INPUT when config and manifest disagree on their number.
 */
int stack_push_image(struct stack *stack, const struct image *image, struct err *err);
void stack_push_all(struct stack *stack,
                    const struct stack *from); /* appends the layers of another */

/* The layers' bytes will be needed: those that are not here come meanwhile, the largest first.
 * trees: for a RUN, which needs no bytes of a layer that is unpacked; else for whoever reads the
 * blobs. */
void stack_prefetch(const struct stack *stack, struct layout *layout, bool trees);
/* The file system the layers make; borrowed, valid until the next push. NULL on failure. From any
 * thread, as long as none pushes. */
const struct view *stack_view(struct stack *stack, struct layout *layout, struct err *err);
/*
 * Unpacks what is not unpacked and opens what an overlay of the stack needs, topmost first: fds
 * must hold stack->count + 1. Returns how many, or -1 and none is open.
 *   - The same layer may stand in a stack many times (RUN true); overlay wants every directory
 * once, and the topmost one hides all that the others could show.
 *   - A layer may have a/b without a (jib, bazel): its tree must have some directory a, which would
 * hide how the layers below say a looks. A first directory, made in tmp_fd/looks when there is such
 * a case, puts that right.
 */
int stack_open_lowers(struct stack *stack, struct layout *layout, int tmp_fd, int *fds,
                      struct err *err);
/* A descriptor of the content of a file that stack_view() showed; its layer is unpacked when need
 * be. */
int stack_open_file(struct stack *stack, struct layout *layout, const struct view_entry *at,
                    struct err *err);
/* Content of a small file, links followed: 1, 0 not there, -1. */
int stack_read(struct stack *stack, struct layout *layout, const char *path, size_t max,
               struct buf *out, struct err *err);

#endif
