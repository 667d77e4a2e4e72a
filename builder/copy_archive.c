/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/copy_archive.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/path.h"
#include "base/scope.h"
#include "base/strv.h"
#include "builder/archive.h"
#include "builder/copy.h"

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

int copy_write_archive(const struct copy_request *request, struct layer_writer *w,
                       const struct copy_item *item, struct err *err)
{
    SCOPED(unpack_release) struct unpack u = {.request = request, .w = w, .dest = item->target};
    AUTO_FD int fd = origin_open(item->origin, item->file, err);
    struct archive_reader *r;
    struct entry e;
    int rc;

    u.view = copy_view(request, err);
    if (fd < 0 || !u.view)
        return -1;
    r = archive_reader_open(fd, err);
    if (!r)
        return err_wrap(err, "%s", origin_path(item->origin, item->file));
    while ((rc = archive_next(r, &e, err)) > 0)
        if (unpack_entry(&u, r, &e, err) < 0) {
            rc = -1;
            break;
        }
    archive_reader_close(r);
    return rc < 0 ? err_wrap(err, "%s", origin_path(item->origin, item->file)) : 0;
}
