/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/scope.h"
#include "builder/export.h"
#include "builder/index.h"
#include "builder/view.h"

#define PIECE ((size_t)1 << 20)

void export_links_release(struct export_links *links)
{
    for (size_t i = 0; i < links->count; i++)
        free(links->items[i].path);
    free(links->items);
    *links = (struct export_links){0};
}

/*
 * Names of one inode know the one the layer had first. Usually that one comes first here too, and
 * nothing need be kept; it does not when it is hidden by a layer above, or sorts later.
 */
const char *export_links_find(struct export_links *links, const struct view *view,
                              const struct view_entry *at)
{
    const char *first = at->entry.link;
    struct view_entry other;
    size_t record = at->record;
    struct export_link *item;

    if (at->entry.type != ENTRY_FILE)
        return NULL;
    if (first)
        record = index_find(view->layers[at->layer], first);
    for (size_t i = 0; i < links->count; i++)
        if (links->items[i].layer == at->layer && links->items[i].record == record)
            return links->items[i].path;
    if (!first)
        return NULL;
    if (entry_path_cmp(first, at->entry.path) < 0 && view_lookup(view, first, &other) &&
        other.layer == at->layer && other.record == record)
        return first;
    VEC_GROW(links->items, links->count, links->capacity);
    item = &links->items[links->count++];
    *item = (struct export_link){at->layer, record, xstrdup(at->entry.path)};
    return NULL;
}

struct writing {
    struct stack *stack;
    struct layout *layout;
    struct tar_writer *tar;
    const struct export_options *options;
    struct export_links links;
    char *bytes; /* PIECE */
};

static void writing_release(struct writing *w)
{
    export_links_release(&w->links);
    free(w->bytes);
}

static char *with_prefix(const struct writing *w, const char *path)
{
    const char *prefix = w->options->prefix;

    if (!prefix)
        return xstrdup(path);
    return strcmp(path, ".") == 0 ? xstrdup(prefix) : xasprintf("%s/%s", prefix, path);
}

static int write_content(struct writing *w, const struct view_entry *at, struct err *err)
{
    AUTO_FD int fd = stack_open_file(w->stack, w->layout, at, err);
    struct source from = source_of_fd(&fd);

    if (fd < 0)
        return -1;
    for (uint64_t left = at->entry.size; left;) {
        ssize_t n = from.read(from.ctx, w->bytes, left < PIECE ? (size_t)left : PIECE, err);

        if (n == 0)
            return err_set(err, ERR_INPUT, 0, "%s is shorter in the store than its layer says",
                           at->entry.path);
        if (n < 0 || tar_write_data(w->tar, w->bytes, (size_t)n, err) < 0)
            return -1;
        left -= (uint64_t)n;
    }
    return 0;
}

static int write_one(void *ctx, const struct view_entry *at, bool *skip, struct err *err)
{
    struct writing *w = ctx;
    struct entry e = at->entry;
    const char *same = export_links_find(&w->links, &w->stack->view, at);
    AUTO_FREE char *path = with_prefix(w, e.path), *link = NULL;

    (void)skip;
    if (strcmp(path, ".") == 0)
        return 0;
    e.path = path;
    e.opaque = e.implied = false;
    if (w->options->clamp && e.mtime > w->options->epoch)
        e.mtime = w->options->epoch;
    if (same) {
        link = with_prefix(w, same);
        e.type = ENTRY_HARDLINK;
        e.size = 0;
        e.link = link;
    } else if (e.type == ENTRY_FILE) {
        e.link = NULL;
    }
    if (tar_write_entry(w->tar, &e, err) < 0)
        return -1;
    return e.type == ENTRY_FILE ? write_content(w, at, err) : 0;
}

int export_tar(struct stack *stack, struct layout *layout, struct tar_writer *tar,
               const struct export_options *options, struct err *err)
{
    SCOPED(writing_release)
    struct writing w = {
        .stack = stack, .layout = layout, .tar = tar, .options = options, .bytes = xmalloc(PIECE)};
    const struct view *view = stack_view(stack, layout, err);

    return view ? view_walk(view, ".", write_one, &w, err) : -1;
}
