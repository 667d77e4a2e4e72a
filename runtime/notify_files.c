/* SPDX-License-Identifier: Apache-2.0 */
/* Owners and devices as the recorder keeps and tells them (declared in notify_parts.h). */
#include "runtime/notify_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/scope.h"

#define KEEP UINT32_MAX /* chown(2): -1 */

/* ---- records ---- */

void notify_files_begin(struct notify *n)
{
    struct err err = {0};

    if (n->links_fd >= 0 && record_items_read(&n->below, n->links_fd, &err) < 0)
        _exit(1);
}

static bool is_plain(mode_t mode)
{
    return S_ISREG(mode) || S_ISDIR(mode);
}

static struct notify_link *find_link(struct notify *n, const struct stat *st)
{
    for (size_t i = 0; i < n->links_count; i++)
        if (n->links[i].ino == st->st_ino && n->links[i].dev == st->st_dev)
            return &n->links[i];
    return NULL;
}

static void put_link(struct notify *n, const struct stat *st, uint32_t uid, uint32_t gid)
{
    const struct record_item item = {st->st_ino, uid, gid};
    struct notify_link *l = find_link(n, st);

    if (!l) {
        VEC_GROW(n->links, n->links_count, n->links_capacity);
        l = &n->links[n->links_count++];
    }
    *l = (struct notify_link){st->st_dev, st->st_ino, uid, gid};
    if (n->links_fd >= 0 && st->st_dev == n->root_dev &&
        write(n->links_fd, &item, sizeof(item)) != sizeof(item))
        _exit(1);
}

bool notify_has_link(struct notify *n, const struct stat *st)
{
    return find_link(n, st) != NULL;
}

bool notify_get_record(struct notify *n, int fd, const struct stat *st, struct record *record)
{
    char path[FS_FD_PATH_MAX];
    const struct notify_link *l;

    if (is_plain(st->st_mode) && record_get_path(notify_fd_path(fd, path), record))
        return true;
    l = n->links_count ? find_link(n, st) : NULL;
    if (!l && n->below.count && st->st_dev == n->root_dev && !is_plain(st->st_mode)) {
        const struct record_item *item = record_items_find(&n->below, st->st_ino);

        if (item)
            *record = (struct record){.uid = item->uid, .gid = item->gid};
        return item != NULL;
    }
    if (!l)
        return false;
    *record = (struct record){.uid = l->uid, .gid = l->gid};
    return true;
}

void notify_put_record(struct notify *n, int fd, const struct stat *st, const struct record *record)
{
    char path[FS_FD_PATH_MAX];

    if (!is_plain(st->st_mode) || record_set_path(notify_fd_path(fd, path), record) < 0)
        put_link(n, st, record->uid, record->gid);
}

/* Owners as all may see them; ids outside of the map are nobody's. */
static bool look(struct notify *n, int fd, struct stat *st, struct record *record)
{
    if (fstat(fd, st) < 0)
        return false;
    if (!notify_get_record(n, fd, st, record))
        *record = (struct record){.uid = st->st_uid, .gid = st->st_gid};
    return true;
}

/* ---- chown ---- */

static bool in_group(const struct notify_ids *ids, uint32_t gid)
{
    for (uint32_t i = 0; i < ids->groups_count; i++)
        if (ids->groups[i] == gid)
            return true;
    return gid == ids->gid[1];
}

/*
 * A link or pipe of a lower layer keeps the number that it had there, while the layer is made from
 * the number in the upper directory. Made anew it has one number for both.
 */
static void renew(const struct notify_request *r, int dirfd, const char *path)
{
    char target[PATH_MAX], fresh[PATH_MAX + 32];
    struct stat st;
    bool made;

    if (!notify_enter(r, dirfd, path))
        return;
    if (lstat(path, &st) == 0 && st.st_nlink == 1 &&
        (size_t)snprintf(fresh, sizeof(fresh), "%s.slipway-%d", path, (int)r->tid) < PATH_MAX) {
        ssize_t n = readlink(path, target, sizeof(target) - 1);
        struct timespec times[2] = {st.st_atim, st.st_mtim};

        if (n >= 0)
            target[n] = 0;
        made = n > 0                  ? symlink(target, fresh) == 0
               : S_ISFIFO(st.st_mode) ? mkfifo(fresh, 0600) == 0 && chmod(fresh, st.st_mode) == 0
                                      : false;
        if (made &&
            (utimensat(AT_FDCWD, fresh, times, AT_SYMLINK_NOFOLLOW) < 0 || rename(fresh, path) < 0))
            unlink(fresh);
    }
    notify_leave(r);
}

static int change_owner(struct notify_request *r, int fd, uint32_t uid, uint32_t gid)
{
    const struct notify_ids *ids = notify_ids_of(r->n, r->tid);
    bool nothing = uid == KEEP && gid == KEEP;
    struct record record;
    struct stat st;

    if (!look(r->n, fd, &st, &record))
        return errno;
    if (!nothing && !(ids->caps & 1u << CAP_CHOWN) &&
        (record.uid != ids->uid[1] || (uid != KEEP && uid != record.uid) ||
         (gid != KEEP && !in_group(ids, gid))))
        return EPERM;
    /* For its effects: copy-up, set-id bits and capabilities cleared, the time of change. */
    if (fchownat(fd, "", nothing ? KEEP : 0, nothing ? KEEP : 0, AT_EMPTY_PATH) < 0 &&
        errno != EINVAL && errno != EPERM)
        return errno;
    if (nothing)
        return 0;
    if (uid != KEEP)
        record.uid = uid;
    if (gid != KEEP)
        record.gid = gid;
    notify_put_record(r->n, fd, &st, &record);
    return 0;
}

static void chown_path(struct notify_request *r, int dirfd, uint64_t at, uint32_t uid, uint32_t gid,
                       bool follow)
{
    char path[PATH_MAX];
    AUTO_FD int fd = -1;
    struct stat st;

    if (!notify_path(r, at, path)) {
        r->go_on = true; /* the kernel says EFAULT or ENAMETOOLONG */
        return;
    }
    fd = notify_find(r, dirfd, path, follow);
    if (fd >= 0 && fstat(fd, &st) == 0 && (S_ISLNK(st.st_mode) || S_ISFIFO(st.st_mode)) &&
        !find_link(r->n, &st)) {
        close(fd);
        renew(r, dirfd, path);
        fd = notify_find(r, dirfd, path, follow);
    }
    r->error = fd < 0 ? errno : change_owner(r, fd, uid, gid);
}

static void chown_fd(struct notify_request *r, int number, uint32_t uid, uint32_t gid)
{
    AUTO_FD int fd = notify_open_fd(r, number);

    r->error = fd < 0 ? EBADF : change_owner(r, fd, uid, gid);
}

static void chown_at(struct notify_request *r)
{
    int dirfd = (int)r->args[0], flags = (int)r->args[4];
    uint32_t uid = (uint32_t)r->args[2], gid = (uint32_t)r->args[3];
    char first = 1;

    if (flags & ~(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW))
        r->error = EINVAL;
    else if (flags & AT_EMPTY_PATH && dirfd != AT_FDCWD &&
             notify_read(r->tid, r->args[1], &first, 1) && !first)
        chown_fd(r, dirfd, uid, gid);
    else
        chown_path(r, dirfd, r->args[1], uid, gid, !(flags & AT_SYMLINK_NOFOLLOW));
}

/* ---- what files look like ---- */

/*
 * Most files have no record, and one call tells. Links and pipes carry none, and of those that have
 * one there are few; only then one more call has to tell what it is. /proc/self needs
 * notify_find(). got: what getxattr() said, path: what it was asked.
 */
static bool may_have_record(const struct notify_request *r, ssize_t got, const char *path,
                            bool follow)
{
    bool links = r->n->links_count || r->n->below.count;
    struct stat st;

    if (got > 0 || !links)
        return got > 0;
    return errno != ENODATA ||
           (fstatat(AT_FDCWD, path, &st, follow ? 0 : AT_SYMLINK_NOFOLLOW) == 0 &&
            !is_plain(st.st_mode));
}

static bool path_may_have_record(const struct notify_request *r, int dirfd, const char *path,
                                 bool follow)
{
    char text[RECORD_TEXT_MAX];
    ssize_t n;
    bool may;

    if (!notify_enter(r, dirfd, path))
        return false;
    n = follow ? getxattr(path, RECORD_XATTR, text, sizeof(text))
               : lgetxattr(path, RECORD_XATTR, text, sizeof(text));
    if (n < 0 && errno == ENOENT)
        may = follow && (strncmp(path, "/proc/", 6) == 0 || strncmp(path, "/dev/", 5) == 0);
    else
        may = may_have_record(r, n, path, follow);
    if (path[0] != '/' || r->n->chrooted)
        notify_leave(r);
    return may;
}

static bool fd_may_have_record(const struct notify_request *r, int number)
{
    char path[64], text[RECORD_TEXT_MAX];

    snprintf(path, sizeof(path), "%d/fd/%d", (int)r->tid, number);
    return may_have_record(r, getxattr(path, RECORD_XATTR, text, sizeof(text)), path, true);
}

/* What the caller names, when it may have a record; -1: it has none. */
static int find_recorded(const struct notify_request *r, int dirfd, uint64_t at, int flags)
{
    bool follow = !(flags & AT_SYMLINK_NOFOLLOW);
    char path[PATH_MAX];

    if (flags & AT_EMPTY_PATH && dirfd != AT_FDCWD &&
        (!at || (notify_read(r->tid, at, path, 1) && !path[0])))
        return fd_may_have_record(r, dirfd) ? notify_open_fd(r, dirfd) : -1;
    if (!notify_path(r, at, path) || !path_may_have_record(r, dirfd, path, follow))
        return -1;
    return notify_find(r, dirfd, path, follow);
}

static void show(struct notify_request *r, int fd, uint64_t buffer)
{
    struct record record;
    struct stat st;

    r->go_on = fd < 0 || fstat(fd, &st) < 0 || !notify_get_record(r->n, fd, &st, &record);
    if (r->go_on)
        return;
    st.st_uid = record.uid;
    st.st_gid = record.gid;
    if (record.kind) {
        st.st_mode = (st.st_mode & 07777) | (record.kind == 'c' ? S_IFCHR : S_IFBLK);
        st.st_rdev = makedev(record.dev_major, record.dev_minor);
    }
    if (!notify_write(r->tid, buffer, &st, sizeof(st)))
        r->error = EFAULT;
}

static void show_fd(struct notify_request *r, int number, uint64_t buffer)
{
    AUTO_FD int fd = fd_may_have_record(r, number) ? notify_open_fd(r, number) : -1;

    show(r, fd, buffer);
}

static void show_path(struct notify_request *r, int dirfd, uint64_t at, uint64_t buffer, int flags)
{
    AUTO_FD int fd = find_recorded(r, dirfd, at, flags);

    show(r, fd, buffer);
}

static void show_extended(struct notify_request *r)
{
    int flags = (int)r->args[2];
    AUTO_FD int fd = find_recorded(r, (int)r->args[0], r->args[1], flags);
    struct record record;
    struct statx stx;
    struct stat st;

    r->go_on =
        fd < 0 || fstat(fd, &st) < 0 || !notify_get_record(r->n, fd, &st, &record) ||
        statx(fd, "", AT_EMPTY_PATH | (flags & AT_STATX_SYNC_TYPE), (unsigned)r->args[3], &stx) < 0;
    if (r->go_on)
        return;
    stx.stx_uid = record.uid;
    stx.stx_gid = record.gid;
    if (record.kind) {
        stx.stx_mode =
            (uint16_t)((stx.stx_mode & 07777) | (record.kind == 'c' ? S_IFCHR : S_IFBLK));
        stx.stx_rdev_major = record.dev_major;
        stx.stx_rdev_minor = record.dev_minor;
    }
    if (!notify_write(r->tid, r->args[4], &stx, sizeof(stx)))
        r->error = EFAULT;
}

/* The names of a file's attributes, without ours: copies then do not take it along. */
static void list_attributes(struct notify_request *r)
{
    AUTO_FREE char *names = NULL;
    char path[PATH_MAX];
    size_t kept = 0;
    struct record record;
    AUTO_FD int fd = -1;
    ssize_t size;

    if (r->call == NOTIFY_FLISTXATTR)
        fd = notify_open_fd(r, (int)r->args[0]);
    else if (notify_path(r, r->args[0], path))
        fd = notify_find(r, AT_FDCWD, path, r->call == NOTIFY_LISTXATTR);
    r->go_on = fd < 0 || !record_get_path(notify_fd_path(fd, path), &record);
    if (r->go_on)
        return;
    names = xmalloc(XATTR_LIST_MAX);
    size = listxattr(path, names, XATTR_LIST_MAX);
    if (size < 0)
        r->error = errno;
    for (ssize_t at = 0; at < size;) {
        size_t length = strlen(names + at) + 1;

        if (strcmp(names + at, RECORD_XATTR) != 0) {
            memmove(names + kept, names + at, length);
            kept += length;
        }
        at += (ssize_t)length;
    }
    r->value = (int64_t)kept;
    if (r->error || r->args[2] == 0)
        return;
    r->error = kept > r->args[2]                                ? ERANGE
               : !notify_write(r->tid, r->args[1], names, kept) ? EFAULT
                                                                : 0;
}

/* Set-id bits act on what the process believes to be; on the kernel's side nothing changes. */
static void execute(struct notify_request *r, int dirfd, uint64_t at, int flags)
{
    char path[PATH_MAX], begin[2] = {0};
    AUTO_FD int fd = -1;
    AUTO_FD int file = -1;
    struct record record;
    struct stat st;
    bool set_uid, set_gid;

    r->go_on = true;
    if ((notify_ids_all_first(r->n) && notify_ids_of(r->n, r->tid)->uid[1] == 0) ||
        !notify_path(r, at, path))
        return;
    fd = flags & AT_EMPTY_PATH && !path[0]
             ? notify_open_fd(r, dirfd)
             : notify_find(r, dirfd, path, !(flags & AT_SYMLINK_NOFOLLOW));
    if (fd < 0 || !look(r->n, fd, &st, &record) || !S_ISREG(st.st_mode) || !(st.st_mode & 0111))
        return;
    set_uid = st.st_mode & S_ISUID;
    set_gid = (st.st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP);
    if (set_uid || set_gid) {
        file = open(notify_fd_path(fd, path), O_RDONLY | O_CLOEXEC);
        if (file < 0 || read(file, begin, 2) != 2 || memcmp(begin, "#!", 2) == 0)
            set_uid = set_gid = false; /* not for scripts */
    }
    notify_ids_exec(r, set_uid, record.uid, set_gid, record.gid);
}

void notify_files_call(struct notify_request *r)
{
    const uint64_t *a = r->args;
    int dirfd = (int)a[0];

    switch (r->call) {
    case NOTIFY_CHOWN:
    case NOTIFY_LCHOWN:
        chown_path(r, AT_FDCWD, a[0], (uint32_t)a[1], (uint32_t)a[2], r->call == NOTIFY_CHOWN);
        break;
    case NOTIFY_FCHOWN:
        chown_fd(r, dirfd, (uint32_t)a[1], (uint32_t)a[2]);
        break;
    case NOTIFY_FCHOWNAT:
        chown_at(r);
        break;
    case NOTIFY_STAT:
    case NOTIFY_LSTAT:
        show_path(r, AT_FDCWD, a[0], a[1], r->call == NOTIFY_LSTAT ? AT_SYMLINK_NOFOLLOW : 0);
        break;
    case NOTIFY_FSTAT:
        show_fd(r, dirfd, a[1]);
        break;
    case NOTIFY_FSTATAT:
        show_path(r, dirfd, a[1], a[2], (int)a[3]);
        break;
    case NOTIFY_STATX:
        show_extended(r);
        break;
    case NOTIFY_CHROOT:
        r->n->chrooted = true;
        r->go_on = true;
        break;
    case NOTIFY_EXECVE:
        execute(r, AT_FDCWD, a[0], 0);
        break;
    case NOTIFY_EXECVEAT:
        execute(r, dirfd, a[1], (int)a[4]);
        break;
    case NOTIFY_LISTXATTR:
    case NOTIFY_LLISTXATTR:
    case NOTIFY_FLISTXATTR:
        list_attributes(r);
        break;
    default:
        r->go_on = true;
    }
}
