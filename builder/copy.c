/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/copy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/path.h"
#include "base/scope.h"
#include "base/strv.h"
#include "builder/archive.h"

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
        else if (!item->made && origin_hash(request->origin, item->file, h, err) < 0)
            return -1;
    }
    /* Owners of what an archive holds are its own unless --chown says otherwise. */
    sha256_add_u64(h, request->has_owner);
    sha256_add_u64(h, (uint64_t)request->uid << 32 | request->gid);
    sha256_add_framed(h, str_of(request->spec->dest));
    return 0;
}

const char *copy_plan_changed(const struct copy_request *request, const struct copy_plan *plan)
{
    for (size_t i = 0; request->origin->context && i < plan->count; i++) {
        const struct copy_item *item = &plan->items[i];

        if (item->file.node && S_ISREG(item->file.node->st.st_mode) &&
            context_changed(request->origin->context, item->file.node))
            return item->file.node->path;
    }
    return NULL;
}

static int write_file(const struct copy_request *request, struct layer_writer *w,
                      const struct copy_item *item, struct err *err)
{
    SCOPED(xattr_set_release) struct xattr_set set = {0};
    struct entry e = item->entry;
    AUTO_FD int fd = origin_open(request->origin, item->file, err);

    if (fd < 0)
        return -1;
    if (request->origin->context ? xattr_read_fd(&set, fd, err) < 0
                                 : origin_xattrs(request->origin, item->file, &set, err) < 0)
        return err_wrap(err, "%s", origin_path(request->origin, item->file));
    e.xattrs = set.items;
    e.xattrs_count = set.count;
    if (layer_add_fd(w, &e, fd, err) < 0)
        return err_wrap(err, "%s", origin_path(request->origin, item->file));
    return 0;
}

static int write_item(const struct copy_request *request, struct layer_writer *w,
                      const struct copy_item *item, struct err *err)
{
    SCOPED(xattr_set_release) struct xattr_set set = {0};
    struct entry e = item->entry;

    if (item->text)
        return layer_add_bytes(w, &e, item->text->text, err);
    if (e.type == ENTRY_FILE)
        return write_file(request, w, item, err);
    if (e.type == ENTRY_DIR && !item->made) {
        if (origin_xattrs(request->origin, item->file, &set, err) < 0)
            return err_wrap(err, "%s", origin_path(request->origin, item->file));
        e.xattrs = set.items;
        e.xattrs_count = set.count;
    }
    return layer_add(w, &e, err);
}

/* Unpacking an archive at `dest`. */
struct unpack {
    const struct copy_request *request;
    struct layer_writer *w;
    const struct view *view;
    const char *dest;
    struct strv replaced; /* links of the image whose place the archive took with a directory */
};

static void unpack_release(struct unpack *u)
{
    strv_release(&u->replaced);
}

static bool below_replaced(const struct unpack *u, const char *path)
{
    for (size_t i = 0; i < u->replaced.count; i++)
        if (path_is_under(str_of(path), str_of(u->replaced.ptr[i])))
            return true;
    return false;
}

/* Where an archive's path lands: links of the image on the way are followed, as unpacking in place
 * would do. */
static char *place(const struct unpack *u, const char *path, struct err *err)
{
    AUTO_FREE char *whole = path_join(u->dest, path), *parent = str_dup(path_dir(str_of(whole)));
    AUTO_FREE char *name = str_dup(path_base(str_of(whole)));
    SCOPED(buf_release) struct buf resolved = {0};

    if (strcmp(whole, ".") == 0 || strcmp(parent, ".") == 0 || below_replaced(u, parent))
        return steal_ptr(&whole);
    if (view_resolve(u->view, parent, VIEW_FOLLOW, &resolved, NULL, err) < 0)
        return NULL;
    buf_addc(&resolved, '/');
    buf_adds(&resolved, name);
    return path_beneath(buf_str(&resolved));
}

static int unpack_file(struct unpack *u, struct archive_reader *r, const struct entry *e,
                       struct err *err)
{
    AUTO_FREE char *bytes = xmalloc(1 << 18);
    uint64_t left = e->size;

    if (layer_add_begin(u->w, e, err) < 0)
        return -1;
    while (left) {
        ssize_t n = archive_read(r, bytes, left < (1 << 18) ? (size_t)left : 1 << 18, err);

        if (n < 0)
            return -1;
        if (n == 0)
            return err_set(err, ERR_INPUT, 0, "%s ends %llu bytes early", e->path,
                           (unsigned long long)left);
        if (layer_add_piece(u->w, bytes, (size_t)n, err) < 0)
            return -1;
        left -= (uint64_t)n;
    }
    return 0;
}

static int unpack_entry(struct unpack *u, struct archive_reader *r, const struct entry *from,
                        struct err *err)
{
    AUTO_FREE char *path = place(u, from->path, err), *link = NULL;
    struct entry e = *from;
    struct view_entry at;

    if (!path)
        return -1;
    /* The archive's "." must not change the destination. */
    if (strcmp(path, ".") == 0 || strcmp(from->path, ".") == 0)
        return 0;
    e.path = path;
    if (e.type == ENTRY_HARDLINK) {
        link = place(u, from->link, err);
        if (!link)
            return -1;
        e.link = link;
    }
    if (e.type == ENTRY_DIR && view_lookup(u->view, path, &at) && at.entry.type != ENTRY_DIR)
        strv_add(&u->replaced, path);
    if (u->request->has_owner) {
        e.uid = u->request->uid;
        e.gid = u->request->gid;
    }
    if (u->request->spec->has_chmod && e.type != ENTRY_SYMLINK)
        e.mode = chmod_apply(&u->request->spec->chmod, e.mode, e.type == ENTRY_DIR);
    return e.type == ENTRY_FILE ? unpack_file(u, r, &e, err) : layer_add(u->w, &e, err);
}

static int write_archive(const struct copy_request *request, struct layer_writer *w,
                         const struct copy_item *item, struct err *err)
{
    SCOPED(unpack_release) struct unpack u = {.request = request, .w = w, .dest = item->target};
    AUTO_FD int fd = origin_open(request->origin, item->file, err);
    struct archive_reader *r;
    struct entry e;
    int rc;

    u.view = stack_view(request->target, request->layout, err);
    if (fd < 0 || !u.view)
        return -1;
    r = archive_reader_open(fd, err);
    if (!r)
        return err_wrap(err, "%s", origin_path(request->origin, item->file));
    while ((rc = archive_next(r, &e, err)) > 0)
        if (unpack_entry(&u, r, &e, err) < 0) {
            rc = -1;
            break;
        }
    archive_reader_close(r);
    return rc < 0 ? err_wrap(err, "%s", origin_path(request->origin, item->file)) : 0;
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
        rc = plan->items[i].archive ? write_archive(request, w, &plan->items[i], err)
                                    : write_item(request, w, &plan->items[i], err);
    if (rc == 0)
        rc = layer_writer_end(w, layer, err);
    layer_writer_close(w);
    return rc;
}
