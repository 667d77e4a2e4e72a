/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/stack.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/scope.h"
#include "base/strv.h"
#include "builder/layer.h"
#include "builder/looks.h"
#include "registry/config.h"
#include "registry/layout.h"

void stack_release(struct stack *stack)
{
    view_release(&stack->view);
    for (size_t i = 0; i < stack->count; i++) {
        descriptor_release(&stack->layers[i].blob);
        index_close(stack->layers[i].index);
    }
    free(stack->layers);
    *stack = (struct stack){0};
}

void stack_push(struct stack *stack, const char *diff_id, const struct descriptor *blob)
{
    struct stack_layer *layer;

    VEC_GROW(stack->layers, stack->count, stack->capacity);
    layer = &stack->layers[stack->count++];
    *layer = (struct stack_layer){0};
    memcpy(layer->diff_id, diff_id, DIGEST_SIZE);
    descriptor_copy(&layer->blob, blob);
}

int stack_push_image(struct stack *stack, const struct image *image, struct err *err)
{
    SCOPED(strv_release) struct strv diff_ids = {0};

    config_diff_ids(image->config, &diff_ids);
    if (diff_ids.count != image->manifest.layers_count)
        return err_set(err, ERR_INPUT, 0,
                       "image %s: its config has %zu diff ids and its manifest %zu layers",
                       image->manifest.digest, diff_ids.count, image->manifest.layers_count);
    for (size_t i = 0; i < diff_ids.count; i++) {
        stack_push(stack, diff_ids.ptr[i], &image->manifest.layers[i]);
        stack->layers[stack->count - 1].base = true;
    }
    return 0;
}

void stack_push_all(struct stack *stack, const struct stack *from)
{
    for (size_t i = 0; i < from->count; i++) {
        stack_push(stack, from->layers[i].diff_id, &from->layers[i].blob);
        stack->layers[stack->count - 1].base = from->layers[i].base;
    }
}

static int by_size_down(const void *a, const void *b)
{
    const struct stack_layer *const *x = a, *const *y = b;

    if ((*x)->blob.size != (*y)->blob.size)
        return (*x)->blob.size < (*y)->blob.size ? 1 : -1;
    return 0;
}

typedef bool done_without_fn(struct layout *layout, const char *diff_id);

static void prefetch(const struct stack *stack, size_t from, struct layout *layout,
                     done_without_fn *done_without)
{
    AUTO_FREE const struct stack_layer **away = NULL;
    size_t count = 0;

    if (!layout->fetch)
        return;
    away = xcalloc(stack->count + 1, sizeof(const struct stack_layer *));
    for (size_t i = from; i < stack->count; i++)
        if (!layout_has(layout, stack->layers[i].blob.digest) &&
            !(done_without && done_without(layout, stack->layers[i].diff_id)))
            away[count++] = &stack->layers[i];
    qsort(away, count, sizeof(const struct stack_layer *), by_size_down);
    for (size_t i = 0; i < count; i++)
        layout_prefetch(layout, away[i]->blob.digest);
}

void stack_prefetch(const struct stack *stack, struct layout *layout, bool trees)
{
    prefetch(stack, 0, layout, trees ? layer_has_tree : NULL);
}

static int complete_view(struct stack *stack, struct layout *layout, struct err *err)
{
    prefetch(stack, stack->view.count, layout, layer_has_index);
    while (stack->view.count < stack->count) {
        struct stack_layer *layer = &stack->layers[stack->view.count];

        if (!layer->index &&
            layer_index(layout, &layer->blob, layer->diff_id, &layer->index, err) < 0)
            return -1;
        view_push(&stack->view, layer->index);
    }
    return 0;
}

const struct view *stack_view(struct stack *stack, struct layout *layout, struct err *err)
{
    int rc;

    pthread_mutex_lock(&stack->lock);
    rc = complete_view(stack, layout, err);
    pthread_mutex_unlock(&stack->lock);
    return rc < 0 ? NULL : &stack->view;
}

static int open_tree(struct stack_layer *layer, struct layout *layout, struct err *err)
{
    char path[LAYER_TREE_PATH_MAX];

    if (layer_tree(layout, &layer->blob, layer->diff_id, err) < 0)
        return err_wrap(err, "unpack layer %s", layer->blob.digest);
    return fs_open_dir(layout->dir_fd, layer_tree_path(layer->diff_id, path), err);
}

static bool stands_above(const struct stack *stack, size_t i)
{
    for (size_t above = i + 1; above < stack->count; above++)
        if (strcmp(stack->layers[above].diff_id, stack->layers[i].diff_id) == 0)
            return true;
    return false;
}

static int open_trees(struct stack *stack, struct layout *layout, int *fds, struct err *err)
{
    int count = 0;

    prefetch(stack, 0, layout, layer_has_tree);
    for (size_t i = stack->count; i-- > 0;) {
        if (stands_above(stack, i))
            continue;
        fds[count] = open_tree(&stack->layers[i], layout, err);
        if (fds[count] < 0) {
            while (count--)
                close(fds[count]);
            return -1;
        }
        count++;
    }
    return count;
}

int stack_open_lowers(struct stack *stack, struct layout *layout, int tmp_fd, int *fds,
                      struct err *err)
{
    const struct view *view = stack_view(stack, layout, err);
    int looks, count;

    if (!view)
        return -1;
    looks = looks_make(view, tmp_fd, &fds[0], err);
    if (looks < 0)
        return -1;
    count = open_trees(stack, layout, fds + looks, err);
    if (count < 0 && looks)
        close(fds[0]);
    return count < 0 ? -1 : count + looks;
}

int stack_open_file(struct stack *stack, struct layout *layout, const struct view_entry *at,
                    struct err *err)
{
    struct stack_layer *layer = &stack->layers[at->layer];

    if (layer_tree(layout, &layer->blob, layer->diff_id, err) < 0)
        return err_wrap(err, "unpack layer %s", layer->blob.digest);
    return layer_open_file(layout, layer->diff_id, at->entry.path, err);
}

struct opener {
    struct stack *stack;
    struct layout *layout;
};

static int open_for_view(void *ctx, const struct view_entry *at, struct err *err)
{
    struct opener *opener = ctx;

    return stack_open_file(opener->stack, opener->layout, at, err);
}

int stack_read(struct stack *stack, struct layout *layout, const char *path, size_t max,
               struct buf *out, struct err *err)
{
    const struct view *view = stack_view(stack, layout, err);

    if (!view)
        return -1;
    return view_read(view, path, max, open_for_view, &(struct opener){stack, layout}, out, err);
}
