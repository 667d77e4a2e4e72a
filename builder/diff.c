/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/diff.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/scope.h"
#include "base/strv.h"

/* Inodes with several names, by device and number: an open-addressing table. */
struct inode {
    dev_t dev;
    ino_t ino;
    char *path; /* the first name; NULL: empty place */
};

struct diff {
    diff_fn *fn;
    void *ctx;
    struct buf path; /* of the current directory or file; empty is the root */
    struct inode *inodes;
    size_t inodes_count, inodes_capacity; /* a power of two */
    struct xattr_set xattrs;
    struct buf link;
    const struct record_items *links;
};

static void diff_release(struct diff *d)
{
    for (size_t i = 0; i < d->inodes_capacity; i++)
        free(d->inodes[i].path);
    free(d->inodes);
    buf_release(&d->path);
    buf_release(&d->link);
    xattr_set_release(&d->xattrs);
}

static struct inode *place_of(struct inode *table, size_t capacity, dev_t dev, ino_t ino)
{
    uint64_t hash = ((uint64_t)ino ^ (uint64_t)dev << 32) * 0x9e3779b97f4a7c15u;
    size_t at = (size_t)(hash >> 20) & (capacity - 1);

    while (table[at].path && (table[at].dev != dev || table[at].ino != ino))
        at = (at + 1) & (capacity - 1);
    return &table[at];
}

static void grow(struct diff *d)
{
    size_t capacity = d->inodes_capacity ? d->inodes_capacity * 2 : 64;
    struct inode *table = xcalloc(capacity, sizeof(*table));

    for (size_t i = 0; i < d->inodes_capacity; i++) {
        if (d->inodes[i].path)
            *place_of(table, capacity, d->inodes[i].dev, d->inodes[i].ino) = d->inodes[i];
    }
    free(d->inodes);
    d->inodes = table;
    d->inodes_capacity = capacity;
}

/* The first path with this inode, or NULL when this one is it. */
static const char *first_name(struct diff *d, const struct stat *st, const char *path)
{
    struct inode *place;

    if (d->inodes_count * 2 >= d->inodes_capacity)
        grow(d);
    place = place_of(d->inodes, d->inodes_capacity, st->st_dev, st->st_ino);
    if (place->path)
        return place->path;
    *place = (struct inode){st->st_dev, st->st_ino, xstrdup(path)};
    d->inodes_count++;
    return NULL;
}

static int read_link(struct diff *d, int dir_fd, const char *name, struct err *err)
{
    char text[4096];
    ssize_t n = readlinkat(dir_fd, name, text, sizeof(text));

    if (n < 0)
        return err_errno(err, "read link %s", buf_cstr(&d->path));
    buf_clear(&d->link);
    buf_add(&d->link, text, (size_t)n);
    return 0;
}

/* Attributes, and what overlay means by them. */
static int read_marks(struct diff *d, int dir_fd, const char *name, struct entry *e,
                      struct err *err)
{
    SCOPED(buf_release) struct buf path = {0};
    char fd_path[FS_FD_PATH_MAX];
    unsigned marks;

    xattr_set_clear(&d->xattrs);
    buf_addf(&path, "%s/%s", fs_fd_path(dir_fd, fd_path), name);
    if (xattr_read_marked(&d->xattrs, buf_cstr(&path), &marks, err) < 0)
        return err_wrap(err, "%s", e->path);
    e->xattrs = d->xattrs.items;
    e->xattrs_count = d->xattrs.count;
    if (!marks)
        return 0;
    if (marks & (OVERLAY_REDIRECT | OVERLAY_METACOPY))
        return err_set(err, ERR_SYSTEM, EINVAL,
                       "%s: the overlay kept only a reference to a lower file (redirect or "
                       "metacopy), not the change",
                       e->path);
    if (marks & OVERLAY_WHITEOUT && e->type == ENTRY_FILE && e->size == 0)
        *e = (struct entry){.path = e->path, .type = ENTRY_WHITEOUT};
    else if (marks & OVERLAY_OPAQUE && e->type == ENTRY_DIR)
        e->opaque = true;
    return 0;
}

/* What the kernel could not hold. */
static void overlay_record(struct diff *d, const struct stat *st, struct entry *e)
{
    const struct record_item *link;

    if (d->xattrs.recorded) {
        const struct record *r = &d->xattrs.record;

        e->uid = r->uid;
        e->gid = r->gid;
        if (r->kind && e->type == ENTRY_FILE) {
            e->type = r->kind == 'c' ? ENTRY_CHAR : ENTRY_BLOCK;
            e->size = 0;
            e->dev_major = r->dev_major;
            e->dev_minor = r->dev_minor;
        }
    } else if (d->links && !S_ISREG(st->st_mode) && !S_ISDIR(st->st_mode) &&
               (link = record_items_find(d->links, st->st_ino))) {
        e->uid = link->uid;
        e->gid = link->gid;
    }
}

/* 1: *e is filled; 0: not for a layer (a socket, something just removed). */
static int fill(struct diff *d, int dir_fd, const char *name, struct entry *e, struct err *err)
{
    struct stat st;
    const char *first = NULL;

    *e = (struct entry){.path = d->path.size ? buf_cstr(&d->path) : "."};
    if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return err_errno(err, "%s", e->path);
    entry_of_stat(e, &st);
    if (e->type == ENTRY_NONE) {
        log_debug("%s: a socket, left out of the layer", e->path);
        return 0;
    }
    /* Whiteouts share one inode: they are no hard links, and have nothing else to tell. */
    if (S_ISCHR(st.st_mode) && st.st_rdev == 0) {
        *e = (struct entry){.path = e->path, .type = ENTRY_WHITEOUT};
        return 1;
    }
    if (read_marks(d, dir_fd, name, e, err) < 0)
        return -1;
    if (e->type == ENTRY_WHITEOUT)
        return 1;
    if (st.st_uid == 0 && st.st_gid == 0)
        overlay_record(d, &st, e);
    if (!S_ISDIR(st.st_mode) && st.st_nlink > 1)
        first = first_name(d, &st, e->path);
    if (first) {
        e->type = ENTRY_HARDLINK;
        e->size = 0;
        e->link = first;
        e->xattrs_count = 0;
    } else if (e->type == ENTRY_SYMLINK) {
        e->mode = 0777;
        if (read_link(d, dir_fd, name, err) < 0)
            return -1;
        e->link = buf_cstr(&d->link);
    }
    return 1;
}

static int walk(struct diff *d, int dir_fd, struct err *err)
{
    SCOPED(strv_release) struct strv names = {0};
    size_t length = d->path.size;

    if (fs_list(dir_fd, &names, err) < 0)
        return err_wrap(err, "%s", length ? buf_cstr(&d->path) : "/");
    for (size_t i = 0; i < names.count; i++) {
        const char *name = names.ptr[i];
        struct entry e;
        int got;

        if (length)
            buf_addc(&d->path, '/');
        buf_adds(&d->path, name);
        got = fill(d, dir_fd, name, &e, err);
        if (got < 0 || (got > 0 && d->fn(d->ctx, &e, dir_fd, name, err) < 0))
            return -1;
        if (got > 0 && e.type == ENTRY_DIR) {
            AUTO_FD int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

            if (fd < 0)
                return err_errno(err, "open %s", buf_cstr(&d->path));
            if (walk(d, fd, err) < 0)
                return -1;
        }
        d->path.size = length;
        if (d->path.ptr)
            d->path.ptr[length] = '\0';
    }
    return 0;
}

int diff_upper(int upper_fd, bool root, diff_fn *fn, void *ctx, struct err *err)
{
    return diff_recorded(upper_fd, root, NULL, fn, ctx, err);
}

int diff_recorded(int upper_fd, bool root, const struct record_items *links, diff_fn *fn, void *ctx,
                  struct err *err)
{
    SCOPED(diff_release) struct diff d = {.fn = fn, .ctx = ctx, .links = links};
    struct entry e;

    if (root && (fill(&d, upper_fd, ".", &e, err) < 0 || fn(ctx, &e, upper_fd, ".", err) < 0))
        return -1;
    return walk(&d, upper_fd, err);
}

struct diff *diff_open(diff_fn *fn, void *ctx)
{
    struct diff *d = xcalloc(1, sizeof(*d));

    d->fn = fn;
    d->ctx = ctx;
    return d;
}

void diff_use_links(struct diff *d, const struct record_items *links)
{
    d->links = links;
}

void diff_close(struct diff *d)
{
    if (d)
        diff_release(d);
    free(d);
}

int diff_tell(struct diff *d, const char *path, int dir_fd, const char *name, bool opaque,
              struct err *err)
{
    struct entry e;
    int got;

    buf_clear(&d->path);
    buf_adds(&d->path, path);
    got = fill(d, dir_fd, name, &e, err);
    if (got <= 0)
        return got;
    if (e.type == ENTRY_WHITEOUT)
        return err_set(
            err, ERR_INPUT, EINVAL,
            "/%s is a device 0:0 or marked as overlay's whiteout, which no layer can hold", path);
    e.opaque = opaque && e.type == ENTRY_DIR;
    return d->fn(d->ctx, &e, dir_fd, name, err);
}
