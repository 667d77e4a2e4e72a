/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/copy.h"

#include <sys/stat.h>

#include "base/scope.h"
#include "builder/copy_archive.h"

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

int copy_plan_hash(const struct copy_request *request, const struct copy_plan *plan,
                   struct sha256 *h, struct err *err)
{
    sha256_add_u64(h, plan->count);
    for (size_t i = 0; i < plan->count; i++) {
        const struct copy_item *item = &plan->items[i];

        hash_entry(h, &item->entry);
        sha256_add_u64(h, (uint64_t)item->made | (uint64_t)item->archive << 1 |
                              (uint64_t) !!item->text << 2);
        if (item->text)
            sha256_add_framed(h, (struct str){item->text->text, item->text->size});
        else if (!item->made && origin_hash(item->origin, item->file, h, err) < 0)
            return -1;
    }
    /* Owners of what an archive holds are its own unless --chown says otherwise. */
    sha256_add_u64(h, request->has_owner);
    sha256_add_u64(h, (uint64_t)request->uid << 32 | request->gid);
    sha256_add_framed(h, str_of(request->spec->dest));
    return 0;
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
    if (layer_add_fd(w, &e, fd, err) < 0)
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

    mine.below = stack_view(request->target, request->layout, err);
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
