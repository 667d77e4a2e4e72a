/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/copy.h"

#include <sys/stat.h>

#include "base/scope.h"
#include "builder/copy_archive.h"
#include "builder/layer_parents.h"

static void hash_entry(struct sha256 *h, const struct entry *e)
{
    sha256_add_framed(h, str_of(e->path));
    sha256_add_u64(h, (uint64_t)e->type);
    sha256_add_u64(h, e->mode);
    sha256_add_u64(h, (uint64_t)e->uid << 32 | e->gid);
    sha256_add_framed(
        h, str_of(e->type == ENTRY_SYMLINK || e->type == ENTRY_HARDLINK ? e->link : NULL));
    sha256_add_u64(h, (uint64_t)e->dev_major << 32 | e->dev_minor);
}

static void hash_xattrs(struct sha256 *h, const struct entry *e)
{
    sha256_add_u64(h, e->xattrs_count);
    for (size_t i = 0; i < e->xattrs_count; i++) {
        sha256_add_framed(h, str_of(e->xattrs[i].name));
        sha256_add_framed(h, e->xattrs[i].value);
    }
}

struct parent_hash {
    struct sha256 *h;
    const struct view *view;
};

/* A directory of the image that the layer repeats, as layer.c does. */
static int hash_parent(void *ctx, const char *path, struct err *err)
{
    const struct parent_hash *p = ctx;
    struct view_entry at = {0};

    (void)err;
    sha256_add_framed(p->h, str_of(path));
    if (!view_lookup(p->view, path, &at) || at.entry.implied)
        return 0;
    at.entry.path = path;
    hash_entry(p->h, &at.entry);
    hash_xattrs(p->h, &at.entry);
    return 0;
}

static int hash_parents(const struct copy_request *request, const struct copy_plan *plan,
                        struct sha256 *h, struct err *err)
{
    SCOPED(parents_release) struct parents parents = {0};
    struct parent_hash ctx = {.h = h, .view = copy_view(request, err)};

    if (!ctx.view)
        return -1;
    for (size_t i = 0; i < plan->count; i++) {
        if (parents_add(&parents, plan->items[i].target, hash_parent, &ctx, err) < 0)
            return -1;
        parents_note(&parents, plan->items[i].target, plan->items[i].entry.type == ENTRY_DIR);
    }
    return 0;
}

static int hash_item(struct sha256 *h, const struct copy_item *item, struct err *err)
{
    hash_entry(h, &item->entry);
    sha256_add_u64(h, (uint64_t)item->made | (uint64_t)item->archive << 1 |
                          (uint64_t) !!item->text << 2);
    if (item->text)
        sha256_add_framed(h, (struct str){item->text->text, item->text->size});
    else if (!item->made)
        return origin_hash(item->origin, item->file, h, err);
    return 0;
}

/* What is done to each entry of an archive; of others the items tell the result. */
static void hash_flags(const struct copy_request *request, struct sha256 *h)
{
    const struct chmod *c = &request->spec->chmod;

    sha256_add_u64(h, request->has_owner);
    sha256_add_u64(h, (uint64_t)request->uid << 32 | request->gid);
    sha256_add_u64(h, (uint64_t)request->spec->has_chmod | (uint64_t)c->is_octal << 1);
    sha256_add_u64(h, c->octal);
    sha256_add_u64(h, c->count);
    for (size_t i = 0; i < c->count; i++) {
        const struct chmod_change *one = &c->changes[i];
        const char bytes[] = {(char)one->who, one->op,     one->copy,  (char)one->rwx,
                              one->cond_x,    one->set_id, one->sticky};

        sha256_add(h, bytes, sizeof(bytes));
    }
}

const struct stack *copy_key_below(const struct copy_request *request, const struct copy_plan *plan)
{
    static const struct stack nothing;

    return request->spec->link || (plan && !plan->archives) ? &nothing : request->target;
}

int copy_plan_hash(const struct copy_request *request, const struct copy_plan *plan,
                   struct sha256 *h, struct err *err)
{
    sha256_add_u64(h, plan->count);
    for (size_t i = 0; i < plan->count; i++)
        if (hash_item(h, &plan->items[i], err) < 0)
            return -1;
    if (plan->archives)
        hash_flags(request, h);
    return hash_parents(request, plan, h, err);
}

const char *copy_plan_changed(const struct copy_plan *plan)
{
    for (size_t i = 0; i < plan->count; i++) {
        const struct copy_item *item = &plan->items[i];

        if (item->file.node && S_ISREG(item->file.node->st.st_mode) &&
            context_changed(item->origin->context, item->file.node))
            return item->file.node->path;
    }
    return NULL;
}

/* A file of the context that nobody has read yet is digested on the way. */
static int write_content(struct layer_writer *w, const struct copy_item *item,
                         const struct entry *e, int fd, const struct xattr_set *set,
                         struct err *err)
{
    struct context *context = item->origin->context;
    struct context_node *node = item->file.node;
    struct context_reading reading;
    uint8_t digest[SHA256_SIZE];

    if (!context || context_knows(context, node, digest))
        return layer_add_fd(w, e, fd, err);
    if (context_reading_begin(context, node, fd, &reading, err) < 0 ||
        layer_add_fd_hashed(w, e, fd, &reading.hash, err) < 0)
        return -1;
    return context_reading_end(context, node, fd, set, &reading, digest, err);
}

static int write_file(struct layer_writer *w, const struct copy_item *item, struct err *err)
{
    SCOPED(xattr_set_release) struct xattr_set set = {0};
    struct entry e = item->entry;
    AUTO_FD int fd = origin_open(item->origin, item->file, err);

    if (fd < 0)
        return -1;
    if (item->origin->context ? xattr_read_fd(&set, fd, err) < 0
                              : origin_xattrs(item->origin, item->file, &set, err) < 0)
        return err_wrap(err, "%s", origin_path(item->origin, item->file));
    e.xattrs = set.items;
    e.xattrs_count = set.count;
    if (write_content(w, item, &e, fd, &set, err) < 0)
        return err_wrap(err, "%s", origin_path(item->origin, item->file));
    return 0;
}

static int write_item(struct layer_writer *w, const struct copy_item *item, struct err *err)
{
    SCOPED(xattr_set_release) struct xattr_set set = {0};
    struct entry e = item->entry;

    if (item->text)
        return layer_add_bytes(w, &e, item->text->text, err);
    if (e.type == ENTRY_FILE)
        return write_file(w, item, err);
    if (e.type == ENTRY_DIR && !item->made) {
        if (origin_xattrs(item->origin, item->file, &set, err) < 0)
            return err_wrap(err, "%s", origin_path(item->origin, item->file));
        e.xattrs = set.items;
        e.xattrs_count = set.count;
    }
    return layer_add(w, &e, err);
}

int copy_write(const struct copy_request *request, const struct copy_plan *plan, struct pool *pool,
               const struct layer_options *options, struct layer *layer, struct err *err)
{
    struct layer_options mine = *options;
    struct layer_writer *w;
    int rc = 0;

    mine.below = copy_view(request, err);
    mine.unsorted = plan->archives > 0;
    if (!mine.below)
        return -1;
    w = layer_writer_open(request->layout, pool, &mine, err);
    if (!w)
        return -1;
    for (size_t i = 0; rc == 0 && i < plan->count; i++)
        rc = plan->items[i].archive ? copy_write_archive(request, w, &plan->items[i], err)
                                    : write_item(w, &plan->items[i], err);
    if (rc == 0)
        rc = layer_writer_end(w, layer, err);
    layer_writer_close(w);
    return rc;
}
