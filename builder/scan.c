/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/scan.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/scope.h"
#include "builder/entry.h"
#include "builder/spared.h"
#include "builder/tree_copy.h"

#define FLUSH_SIZE (256 << 10)
#define DEPTH_MAX UINT16_MAX
#define SETTLE_MAX_MS 2100 /* two seconds are the coarsest clock a file system has (FAT) */

struct item {
    uint64_t dev, ino, size;
    int64_t change_s, birth_s, modified_s;
    uint32_t change_ns, birth_ns, modified_ns;
    uint32_t mode, uid, gid;
    uint16_t depth, name_size;
    uint32_t nlink;
};

/* The record of before, read from its start. */
struct past {
    const char *at, *end;
};

struct walk {
    const struct scan_options *options;
    struct scan *now;
    struct past past;
    struct buf path, out;
    size_t held; /* the next of options->held that may come */
};

void scan_release(struct scan *scan)
{
    scope_close(&scan->fd);
    for (size_t i = 0; i < scan->shared_count; i++)
        free(scan->shared[i].path);
    free(scan->shared);
    *scan = (struct scan)SCAN_CLOSED;
}

/* ---- the record ---- */

static size_t padded(size_t size)
{
    return (size + 7) & ~(size_t)7;
}

static const struct item *peek(const struct past *p)
{
    return p->at < p->end ? (const struct item *)(const void *)p->at : NULL;
}

static void skip_one(struct past *p)
{
    const struct item *item = peek(p);

    p->at += sizeof(*item) + padded(item->name_size);
}

/* The item and all that is below it. */
static void skip_all(struct past *p)
{
    unsigned depth = peek(p)->depth;

    do
        skip_one(p);
    while (peek(p) && peek(p)->depth > depth);
}

static int flush(struct walk *w, struct err *err)
{
    if (fs_write(w->now->fd, w->out.ptr, w->out.size, err) < 0)
        return err_wrap(err, "write the record of a scan");
    buf_clear(&w->out);
    return 0;
}

static int put(struct walk *w, const struct item *item, const char *name, struct err *err)
{
    static const char zeros[8];
    struct scan *now = w->now;

    buf_add(&w->out, item, sizeof(*item));
    buf_add(&w->out, name, item->name_size);
    buf_add(&w->out, zeros, padded(item->name_size) - item->name_size);
    now->size += sizeof(*item) + padded(item->name_size);
    now->count++;
    if (item->change_s > now->latest.tv_sec ||
        (item->change_s == now->latest.tv_sec && item->change_ns > (uint32_t)now->latest.tv_nsec))
        now->latest = (struct timespec){.tv_sec = item->change_s, .tv_nsec = item->change_ns};
    return w->out.size >= FLUSH_SIZE ? flush(w, err) : 0;
}

/* ---- one entry ---- */

static int look(int dir_fd, const char *name, struct item *item)
{
    struct statx st;

    if (statx(dir_fd, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC,
              STATX_BASIC_STATS | STATX_BTIME, &st) < 0)
        return -1;
    *item = (struct item){.dev = makedev(st.stx_dev_major, st.stx_dev_minor),
                          .ino = st.stx_ino,
                          .size = S_ISDIR(st.stx_mode) ? 0 : st.stx_size,
                          .change_s = st.stx_ctime.tv_sec,
                          .change_ns = st.stx_ctime.tv_nsec,
                          .modified_s = st.stx_mtime.tv_sec,
                          .modified_ns = st.stx_mtime.tv_nsec,
                          .mode = st.stx_mode,
                          .uid = st.stx_uid,
                          .gid = st.stx_gid,
                          .nlink = st.stx_nlink,
                          .name_size = (uint16_t)strlen(name)};
    if (st.stx_mask & STATX_BTIME) {
        item->birth_s = st.stx_btime.tv_sec;
        item->birth_ns = st.stx_btime.tv_nsec;
    }
    return 0;
}

static bool same_inode(const struct item *a, const struct item *b)
{
    return a->dev == b->dev && a->ino == b->ino && (a->mode & S_IFMT) == (b->mode & S_IFMT) &&
           a->birth_s == b->birth_s && a->birth_ns == b->birth_ns;
}

static bool same_file(const struct walk *w, const struct item *a, const struct item *b)
{
    return w->options->by_name ? (a->mode & S_IFMT) == (b->mode & S_IFMT) : same_inode(a, b);
}

static bool is_replaced(const struct item *a, const struct item *b)
{
    return !S_ISDIR(a->mode) && !same_inode(a, b) &&
           (a->size != b->size || a->modified_s != b->modified_s ||
            a->modified_ns != b->modified_ns);
}

static bool is_held(struct walk *w)
{
    const struct strv *held = w->options->held;
    int order = -1;

    while (held && w->held < held->count &&
           (order = entry_path_cmp(held->ptr[w->held], buf_cstr(&w->path))) < 0)
        w->held++;
    return held && w->held < held->count && order == 0;
}

static bool is_changed(struct walk *w, const struct item *a, const struct item *b)
{
    if (w->options->by_name)
        return is_replaced(a, b);
    if (a->mode != b->mode || a->uid != b->uid || a->gid != b->gid || a->size != b->size ||
        a->modified_s != b->modified_s || a->modified_ns != b->modified_ns)
        return true;
    return (a->change_s != b->change_s || a->change_ns != b->change_ns) && !is_held(w);
}

static int tell(struct walk *w, enum scan_change change, int dir_fd, const char *name,
                struct err *err)
{
    const struct scan_options *o = w->options;

    return o->before ? o->fn(o->ctx, change, buf_cstr(&w->path), dir_fd, name, err) : 0;
}

static void note_shared(struct walk *w)
{
    struct scan *now = w->now;

    VEC_GROW(now->shared, now->shared_count, now->shared_capacity);
    now->shared[now->shared_count++] =
        (struct scan_shared){.path = xstrdup(buf_cstr(&w->path)), .at = now->size};
}

/* ---- the walk ---- */

static int walk(struct walk *w, int dir_fd, unsigned depth, bool was, struct err *err);

static int enter(struct walk *w, int dir_fd, const char *name, unsigned depth, bool was,
                 struct err *err)
{
    AUTO_FD int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0)
        return err_errno(err, "open /%s", buf_cstr(&w->path));
    return walk(w, fd, depth + 1, was, err);
}

/* An entry of now. old: its item of before, at which the past stands; or NULL. */
static int take(struct walk *w, int dir_fd, const char *name, unsigned depth,
                const struct item *old, struct err *err)
{
    struct item item;
    bool goes_on = false;
    int rc = 0;

    if (look(dir_fd, name, &item) < 0)
        return err_errno(err, "look at /%s", buf_cstr(&w->path));
    item.depth = (uint16_t)depth;
    if (!old)
        rc = tell(w, SCAN_NEW, dir_fd, name, err);
    else if (!same_file(w, old, &item))
        rc = tell(w, S_ISDIR(item.mode) ? SCAN_REMADE : SCAN_NEW, dir_fd, name, err);
    else if (is_changed(w, old, &item))
        rc = tell(w, SCAN_CHANGED, dir_fd, name, err);
    if (old) {
        goes_on = S_ISDIR(item.mode) && same_file(w, old, &item);
        goes_on ? skip_one(&w->past) : skip_all(&w->past);
    }
    if (!S_ISDIR(item.mode) && item.nlink > 1)
        note_shared(w);
    if (rc < 0 || put(w, &item, name, err) < 0)
        return -1;
    return S_ISDIR(item.mode) ? enter(w, dir_fd, name, depth, goes_on, err) : 0;
}

static void set_name(struct walk *w, size_t length, const char *name, size_t size)
{
    w->path.size = length;
    if (length)
        buf_addc(&w->path, '/');
    buf_add(&w->path, name, size);
}

/* What stood in the past before `name` (all that is left of this directory: NULL) is gone. Returns
 * the item of that name, or NULL. */
static int pass_gone(struct walk *w, const char *name, unsigned depth, size_t length,
                     const struct item **found, struct err *err)
{
    const struct item *item;

    *found = NULL;
    while ((item = peek(&w->past)) && item->depth == depth) {
        const char *old = (const char *)(item + 1);
        size_t size = name ? strlen(name) : 0;
        int order = name ? memcmp(old, name, size < item->name_size ? size : item->name_size) : -1;

        if (order == 0)
            order = item->name_size < size ? -1 : item->name_size > size;
        if (order == 0)
            *found = item;
        if (order >= 0)
            return 0;
        set_name(w, length, old, item->name_size);
        skip_all(&w->past);
        if (tell(w, SCAN_GONE, -1, NULL, err) < 0)
            return -1;
    }
    return 0;
}

static int walk(struct walk *w, int dir_fd, unsigned depth, bool was, struct err *err)
{
    SCOPED(strv_release) struct strv names = {0};
    size_t length = w->path.size;
    const struct item *old = NULL;

    if (depth >= DEPTH_MAX)
        return err_set(err, ERR_INPUT, ELOOP, "directories are nested more than %d deep",
                       DEPTH_MAX);
    if (fs_list(dir_fd, &names, err) < 0)
        return err_wrap(err, "/%s", buf_cstr(&w->path));
    for (size_t i = 0; i < names.count; i++) {
        const char *name = names.ptr[i];

        if (was && pass_gone(w, name, depth, length, &old, err) < 0)
            return -1;
        set_name(w, length, name, strlen(name));
        if (w->options->spared && spared_has(w->options->spared, buf_cstr(&w->path)))
            continue;
        if (take(w, dir_fd, name, depth, was ? old : NULL, err) < 0)
            return -1;
    }
    if (was && pass_gone(w, NULL, depth, length, &old, err) < 0)
        return -1;
    w->path.size = length;
    if (w->path.ptr)
        w->path.ptr[length] = 0;
    return 0;
}

static void walk_release(struct walk *w)
{
    buf_release(&w->path);
    buf_release(&w->out);
}

static int scan_all(struct walk *w, int root_fd, struct err *err)
{
    AUTO_FD int fd = openat(root_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return err_errno(err, "open the root of a stage");
    w->now->fd = fs_tmpfile(w->options->dir_fd, 0600, err);
    if (w->now->fd < 0 || walk(w, fd, 0, w->options->before != NULL, err) < 0)
        return -1;
    return flush(w, err);
}

int scan_tree(int root_fd, const struct scan_options *options, struct scan *now, struct err *err)
{
    SCOPED(walk_release) struct walk w = {.options = options, .now = now};
    const struct scan *before = options->before;
    void *map = MAP_FAILED;
    int rc;

    if (before && before->size) {
        map = mmap(NULL, before->size, PROT_READ, MAP_SHARED, before->fd, 0);
        if (map == MAP_FAILED)
            return err_errno(err, "read the record of a scan");
        w.past = (struct past){map, (const char *)map + before->size};
    }
    rc = scan_all(&w, root_fd, err);
    if (map != MAP_FAILED)
        munmap(map, before->size);
    return rc;
}

/* ---- between two steps ---- */

static int copy_over(int dir_fd, const char *name, struct err *err)
{
    static const char temporary[] = ".slipway-unshared";
    const struct tree_copy options = {0};
    AUTO_FD int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

    if (fd < 0 || (unlinkat(dir_fd, temporary, 0) < 0 && errno != ENOENT))
        return err_errno(err, "copy");
    if (tree_copy_file(fd, dir_fd, temporary, &options, err) < 0)
        return -1;
    return renameat(dir_fd, temporary, dir_fd, name) < 0 ? err_errno(err, "copy") : 0;
}

static int unshare_one(int root_fd, struct scan *scan, const struct scan_shared *s, struct err *err)
{
    const char *slash = strrchr(s->path, '/'), *name = slash ? slash + 1 : s->path;
    AUTO_FREE char *dir =
        xasprintf("%.*s", slash ? (int)(slash - s->path) : 1, slash ? s->path : ".");
    AUTO_FD int fd =
        fs_open_beneath(root_fd, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0, FS_NO_LINKS, err);
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}};
    struct item was, item;
    struct stat st;

    if (fd < 0)
        return -1;
    if (fstat(fd, &st) < 0 || look(fd, name, &item) < 0 ||
        pread(scan->fd, &was, sizeof(was), (off_t)s->at) != sizeof(was))
        return err_errno(err, "look");
    times[1] = st.st_mtim;
    if (S_ISREG(item.mode) && item.nlink > 1) {
        if (copy_over(fd, name, err) < 0)
            return -1;
        if (futimens(fd, times) < 0)
            return err_errno(err, "set the time of its directory");
    }
    if (look(fd, name, &item) < 0) /* losing a name changes the ctime */
        return err_errno(err, "look");
    item.depth = was.depth;
    return fs_pwrite(scan->fd, &item, sizeof(item), (off_t)s->at, err);
}

int scan_unshare(int root_fd, struct scan *scan, struct err *err)
{
    for (size_t i = 0; i < scan->shared_count; i++)
        if (unshare_one(root_fd, scan, &scan->shared[i], err) < 0)
            return err_wrap(err, "/%s", scan->shared[i].path);
    /* The last name of a file lost its others after it was looked at. */
    for (size_t i = 0; i < scan->shared_count; i++)
        if (unshare_one(root_fd, scan, &scan->shared[i], err) < 0)
            return err_wrap(err, "/%s", scan->shared[i].path);
    if (scan->shared_count)
        clock_gettime(CLOCK_REALTIME, &scan->latest);
    return 0;
}

static bool is_after(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec > b->tv_sec || (a->tv_sec == b->tv_sec && a->tv_nsec > b->tv_nsec);
}

void scan_settle(const struct scan *scan)
{
    bool seconds = scan->latest.tv_nsec == 0; /* or one chance in a thousand million */

    for (unsigned waited = 0; waited < SETTLE_MAX_MS; waited++) {
        struct timespec now;

        /* What the kernel stamps files with. */
        clock_gettime(CLOCK_REALTIME_COARSE, &now);
        if (seconds)
            now.tv_nsec = 0;
        if (is_after(&now, &scan->latest))
            return;
        clock_sleep_ms(1);
    }
}
