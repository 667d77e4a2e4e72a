/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/tree_copy.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/scope.h"
#include "base/strv.h"
#include "builder/entry.h"

#define DEPTH_MAX 1000 /* ours: deeper directories are a loop of mounts */

/* The first copy of an inode that has more names. */
struct copied {
    dev_t dev;
    ino_t ino;
    char *path;
};

struct copier {
    const struct tree_copy *options;
    int to_fd; /* the root of the copy */
    struct buf path;
    struct copied *links;
    size_t count, capacity;
};

static void copier_release(struct copier *c)
{
    for (size_t i = 0; i < c->count; i++)
        free(c->links[i].path);
    free(c->links);
    buf_release(&c->path);
}

static int dress(int fd, const struct stat *st, struct err *err)
{
    const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, st->st_mtim};

    if (fchown(fd, st->st_uid, st->st_gid) < 0 || fchmod(fd, st->st_mode & 07777) < 0)
        return err_errno(err, "set owner and mode");
    return futimens(fd, times) < 0 ? err_errno(err, "set the time") : 0;
}

static int copy_xattrs(int from_fd, int to_fd, struct err *err)
{
    SCOPED(xattr_set_release) struct xattr_set set = {0};

    if (xattr_read_fd(&set, from_fd, err) < 0)
        return -1;
    if (set.recorded && record_set_fd(to_fd, &set.record) < 0)
        return err_errno(err, "record the owner");
    for (size_t i = 0; i < set.count; i++)
        if (fsetxattr(to_fd, set.items[i].name, set.items[i].value.ptr, set.items[i].value.size,
                      0) < 0)
            return err_errno(err, "set extended attribute %s", set.items[i].name);
    return 0;
}

static int copy_file(int from_fd, int to_fd, const char *name, const struct stat *st,
                     struct err *err)
{
    AUTO_FD int fd = openat(to_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd < 0)
        return err_errno(err, "make a copy");
    if (ioctl(fd, FICLONE, from_fd) < 0 && fs_copy(from_fd, fd, UINT64_MAX, err) < 0)
        return -1;
    /* Owner before attributes: chown takes security.capability away. */
    if (dress(fd, st, err) < 0 || copy_xattrs(from_fd, fd, err) < 0)
        return -1;
    return dress(fd, st, err);
}

static int look(const struct tree_copy *o, const char *path, struct stat *st, struct err *err)
{
    return o->look ? o->look(o->ctx, path, st, err) : 0;
}

int tree_copy_file(int from_fd, int to_fd, const char *name, const struct tree_copy *options,
                   struct err *err)
{
    struct stat st;

    if (fstat(from_fd, &st) < 0)
        return err_errno(err, "look at a file");
    if (look(options, ".", &st, err) < 0)
        return -1;
    return copy_file(from_fd, to_fd, name, &st, err);
}

static int copy_link(int from_dir, int to_dir, const char *name, const struct stat *st,
                     struct err *err)
{
    const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, st->st_mtim};
    char target[PATH_MAX];
    ssize_t n = readlinkat(from_dir, name, target, sizeof(target) - 1);

    if (n < 0)
        return err_errno(err, "read the link");
    target[n] = 0;
    if (symlinkat(target, to_dir, name) < 0 ||
        fchownat(to_dir, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0 ||
        utimensat(to_dir, name, times, AT_SYMLINK_NOFOLLOW) < 0)
        return err_errno(err, "make the link");
    return 0;
}

/* Pipes and devices. */
static int copy_node(struct copier *c, int to_dir, const char *name, const struct stat *st,
                     struct err *err)
{
    if (mknodat(to_dir, name, st->st_mode, st->st_rdev) < 0) {
        if (S_ISFIFO(st->st_mode) || (errno != EPERM && errno != ENOSYS))
            return err_errno(err, "make the node");
        log_debug("copy: %s: a device, left out", buf_cstr(&c->path));
        return 0;
    }
    if (fchownat(to_dir, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0 ||
        fchmodat(to_dir, name, st->st_mode & 07777, 0) < 0)
        return err_errno(err, "set owner and mode");
    return 0;
}

/* 1: it is another name of what was copied already. */
static int link_again(struct copier *c, int to_dir, const char *name, const struct stat *st,
                      struct err *err)
{
    if (st->st_nlink < 2 || S_ISDIR(st->st_mode))
        return 0;
    for (size_t i = 0; i < c->count; i++) {
        if (c->links[i].ino != st->st_ino || c->links[i].dev != st->st_dev)
            continue;
        if (linkat(c->to_fd, c->links[i].path, to_dir, name, 0) < 0)
            return err_errno(err, "link");
        return 1;
    }
    VEC_GROW(c->links, c->count, c->capacity);
    c->links[c->count++] = (struct copied){st->st_dev, st->st_ino, xstrdup(buf_cstr(&c->path))};
    return 0;
}

static int copy_dir(struct copier *c, int from_fd, int to_fd, const struct stat *st, unsigned depth,
                    struct err *err);

static int copy_one(struct copier *c, int from_dir, int to_dir, const char *name, unsigned depth,
                    struct err *err)
{
    AUTO_FD int from = -1, to = -1;
    struct stat st;
    int rc;

    if (fstatat(from_dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return err_errno(err, "look at it");
    rc = S_ISSOCK(st.st_mode) ? 1 : look(c->options, buf_cstr(&c->path), &st, err);
    if (rc)
        return rc < 0 ? -1 : 0;
    rc = link_again(c, to_dir, name, &st, err);
    if (rc)
        return rc < 0 ? -1 : 0;
    if (S_ISLNK(st.st_mode))
        return copy_link(from_dir, to_dir, name, &st, err);
    if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode))
        return copy_node(c, to_dir, name, &st, err);
    from = openat(from_dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (from < 0)
        return err_errno(err, "open");
    if (S_ISREG(st.st_mode))
        return copy_file(from, to_dir, name, &st, err);
    if (mkdirat(to_dir, name, 0700) < 0)
        return err_errno(err, "make the directory");
    to = fs_open_dir(to_dir, name, err);
    return to < 0 ? -1 : copy_dir(c, from, to, &st, depth + 1, err);
}

static int copy_dir(struct copier *c, int from_fd, int to_fd, const struct stat *st, unsigned depth,
                    struct err *err)
{
    SCOPED(strv_release) struct strv names = {0};
    size_t size = c->path.size;

    if (depth > DEPTH_MAX)
        return err_set(err, ERR_INPUT, ELOOP, "%s: nested deeper than %d directories",
                       buf_cstr(&c->path), DEPTH_MAX);
    if (fs_list(from_fd, &names, err) < 0)
        return -1;
    for (size_t i = 0; i < names.count; i++) {
        buf_addf(&c->path, "%s%s", size ? "/" : "", names.ptr[i]);
        if (copy_one(c, from_fd, to_fd, names.ptr[i], depth, err) < 0)
            return err_wrap(err, "copy %s", names.ptr[i]);
        c->path.size = size;
        c->path.ptr[size] = 0;
    }
    if (copy_xattrs(from_fd, to_fd, err) < 0)
        return -1;
    return dress(to_fd, st, err);
}

int tree_copy(int from_fd, int to_fd, const struct tree_copy *options, struct err *err)
{
    SCOPED(copier_release) struct copier c = {.options = options, .to_fd = to_fd};
    struct stat st;

    if (fstat(from_fd, &st) < 0)
        return err_errno(err, "look at a directory");
    if (look(options, ".", &st, err) < 0)
        return -1;
    return copy_dir(&c, from_fd, to_fd, &st, 0, err);
}
