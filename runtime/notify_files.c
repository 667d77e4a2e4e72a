/* SPDX-License-Identifier: Apache-2.0 */
/* Owners and devices as the recorder keeps and tells them (declared in notify_parts.h). */
#include "runtime/notify_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
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
    if (n->links_fd >= 0 && write(n->links_fd, &item, sizeof(item)) != sizeof(item))
        _exit(1);
}

static bool get_record(struct notify *n, int fd, const struct stat *st, struct record *record)
{
    char path[FS_FD_PATH_MAX];
    const struct notify_link *l;

    if (is_plain(st->st_mode) && record_get_path(fs_fd_path(fd, path), record))
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

static void put_record(struct notify *n, int fd, const struct stat *st, const struct record *record)
{
    char path[FS_FD_PATH_MAX];

    if (!is_plain(st->st_mode) || record_set_path(fs_fd_path(fd, path), record) < 0)
        put_link(n, st, record->uid, record->gid);
}

/* Owners as all may see them; ids outside of the map are nobody's. */
static bool look(struct notify *n, int fd, struct stat *st, struct record *record)
{
    if (fstat(fd, st) < 0)
        return false;
    if (!get_record(n, fd, st, record))
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
 * A link of a lower layer keeps the number that it had there, while the layer is made from the
 * number in the upper directory. Made anew it has one number for both.
 */
static void renew_link(const struct notify_request *r, int dirfd, const char *path)
{
    char target[PATH_MAX], fresh[PATH_MAX + 16];
    struct stat st;
    ssize_t n;

    if (!notify_enter(r, dirfd))
        return;
    n = readlink(path, target, sizeof(target) - 1);
    if (n > 0 && lstat(path, &st) == 0 && st.st_nlink == 1) {
        struct timespec times[2] = {st.st_atim, st.st_mtim};

        target[n] = 0;
        snprintf(fresh, sizeof(fresh), "%s.slipway-%d", path, (int)r->tid);
        if (symlink(target, fresh) == 0 &&
            (utimensat(AT_FDCWD, fresh, times, AT_SYMLINK_NOFOLLOW) < 0 || rename(fresh, path) < 0))
            unlink(fresh);
    }
    notify_leave(r);
}

static int change_owner(struct notify_request *r, int fd, uint32_t uid, uint32_t gid)
{
    const struct notify_ids *ids = notify_ids_of(r->n, r->tid);
    struct record record;
    struct stat st;

    if (!look(r->n, fd, &st, &record))
        return errno;
    if (!ids->powerful && (record.uid != ids->uid[1] || (uid != KEEP && uid != record.uid) ||
                           (gid != KEEP && !in_group(ids, gid))))
        return EPERM;
    if (uid == KEEP && gid == KEEP)
        return 0;
    /* For its effects: copy-up, set-id bits and capabilities cleared, the time of change. */
    if (fchownat(fd, "", 0, 0, AT_EMPTY_PATH) < 0 && errno != EINVAL && errno != EPERM)
        return errno;
    if (uid != KEEP)
        record.uid = uid;
    if (gid != KEEP)
        record.gid = gid;
    put_record(r->n, fd, &st, &record);
    return 0;
}

static void chown_path(struct notify_request *r, int dirfd, uint64_t at, uint32_t uid, uint32_t gid,
                       bool follow)
{
    char path[PATH_MAX];
    AUTO_FD int fd = -1;
    struct stat st;

    if (!notify_path(r->tid, at, path)) {
        r->go_on = true; /* the kernel says EFAULT or ENAMETOOLONG */
        return;
    }
    fd = notify_find(r, dirfd, path, follow);
    if (fd >= 0 && !follow && fstat(fd, &st) == 0 && S_ISLNK(st.st_mode) && !find_link(r->n, &st)) {
        close(fd);
        renew_link(r, dirfd, path);
        fd = notify_find(r, dirfd, path, false);
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

/* ---- new files ---- */

static uint32_t own_uid(const struct notify_request *r)
{
    return notify_ids_of(r->n, r->tid)->uid[1];
}

static uint32_t own_gid(const struct notify_request *r)
{
    return notify_ids_of(r->n, r->tid)->gid[1];
}

static bool as_root(const struct notify_request *r)
{
    return own_uid(r) == 0 && own_gid(r) == 0;
}

/* What was just made belongs to the caller. */
static void settle(struct notify_request *r, int fd, struct record record)
{
    struct stat st;

    record.uid = own_uid(r);
    record.gid = own_gid(r);
    if (fstat(fd, &st) == 0 && (record.uid || record.gid || record.kind))
        put_record(r->n, fd, &st, &record);
}

static void make_node(struct notify_request *r, int dirfd, uint64_t at, mode_t mode, uint64_t dev)
{
    struct record record = {.kind = S_ISCHR(mode)   ? 'c'
                                    : S_ISBLK(mode) ? 'b'
                                                    : 0,
                            .dev_major = major(dev),
                            .dev_minor = minor(dev)};
    mode_t mask = (mode_t)notify_status(r->n, r->tid, "Umask", 8);
    char path[PATH_MAX];
    AUTO_FD int fd = -1;

    if (record.kind && own_uid(r) != 0) {
        r->error = EPERM;
        return;
    }
    r->go_on = (!record.kind && as_root(r)) || S_ISSOCK(mode) || !notify_path(r->tid, at, path);
    if (r->go_on)
        return;
    if (record.kind && !dev) { /* it would hide what is below: overlay itself refuses it */
        r->error = EPERM;
        return;
    }
    if (!notify_enter(r, dirfd)) {
        r->error = ESRCH;
        return;
    }
    umask(mask & 0777);
    if (S_ISFIFO(mode))
        fd = mknod(path, mode, 0) < 0 ? -1 : open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    else
        fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode & 07777);
    r->error = fd < 0 ? errno : 0;
    notify_leave(r);
    if (fd >= 0)
        settle(r, fd, record);
}

static void make_dir(struct notify_request *r, int dirfd, uint64_t at, mode_t mode)
{
    mode_t mask = (mode_t)notify_status(r->n, r->tid, "Umask", 8);
    char path[PATH_MAX];
    AUTO_FD int fd = -1;

    r->go_on = as_root(r) || !notify_path(r->tid, at, path) || !notify_enter(r, dirfd);
    if (r->go_on)
        return;
    umask(mask & 0777);
    r->error = mkdir(path, mode) < 0 ? errno : 0;
    fd = r->error ? -1 : open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    notify_leave(r);
    if (fd >= 0)
        settle(r, fd, (struct record){0});
}

static void make_link(struct notify_request *r, uint64_t text, int dirfd, uint64_t at)
{
    char path[PATH_MAX], target[PATH_MAX];
    AUTO_FD int fd = -1;

    r->go_on = as_root(r) || !notify_path(r->tid, text, target) || !notify_path(r->tid, at, path) ||
               !notify_enter(r, dirfd);
    if (r->go_on)
        return;
    r->error = symlink(target, path) < 0 ? errno : 0;
    fd = r->error ? -1 : open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    notify_leave(r);
    if (fd >= 0)
        settle(r, fd, (struct record){0});
}

/* The caller gets our descriptor of the new file, opened as it asked. */
static void hand_over(struct notify_request *r, int made, int flags)
{
    char path[FS_FD_PATH_MAX];
    AUTO_FD int fd = open(fs_fd_path(made, path),
                          (flags & ~(O_CREAT | O_EXCL | O_TRUNC | O_NOFOLLOW)) | O_CLOEXEC);
    struct seccomp_notif_addfd add = {.id = r->id,
                                      .flags = SECCOMP_ADDFD_FLAG_SEND,
                                      .srcfd = (uint32_t)fd,
                                      .newfd_flags = flags & O_CLOEXEC ? O_CLOEXEC : 0};

    if (fd < 0) {
        r->error = errno;
        return;
    }
    if (ioctl(r->n->listener_fd, SECCOMP_IOCTL_NOTIF_ADDFD, &add) >= 0)
        r->sent = true;
    else
        r->error = errno;
}

static void create(struct notify_request *r, int dirfd, uint64_t at, int flags, mode_t mode)
{
    mode_t mask = (mode_t)notify_status(r->n, r->tid, "Umask", 8);
    char path[PATH_MAX];
    AUTO_FD int fd = -1;

    r->go_on = as_root(r) || !notify_path(r->tid, at, path) || !notify_enter(r, dirfd);
    if (r->go_on)
        return;
    umask(mask & 0777);
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode & 07777);
    notify_leave(r);
    r->go_on = fd < 0; /* it is there, or cannot be made: in the kernel's words */
    if (fd < 0)
        return;
    settle(r, fd, (struct record){0});
    hand_over(r, fd, flags);
}

/* ---- what files look like ---- */

/* Cheaply: most have none. */
static bool may_have_record(const struct notify *n, int fd)
{
    char path[FS_FD_PATH_MAX];
    struct record record;

    return n->links_count || n->below.count || record_get_path(fs_fd_path(fd, path), &record);
}

static void show(struct notify_request *r, int fd, uint64_t buffer)
{
    struct record record;
    struct stat st;

    r->go_on = fd < 0 || !may_have_record(r->n, fd) || fstat(fd, &st) < 0 ||
               !get_record(r->n, fd, &st, &record);
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
    char path[64];
    struct record record;
    AUTO_FD int fd = -1;

    snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)r->tid, number);
    /* Most files have none, and one call tells; links and pipes are few. */
    if (!record_get_path(path, &record) && !r->n->links_count && !r->n->below.count) {
        r->go_on = true;
        return;
    }
    fd = notify_open_fd(r, number);
    show(r, fd, buffer);
}

static void show_path(struct notify_request *r, int dirfd, uint64_t at, uint64_t buffer, int flags)
{
    char path[PATH_MAX];
    AUTO_FD int fd = -1;

    if (flags & AT_EMPTY_PATH && dirfd != AT_FDCWD &&
        (!at || (notify_read(r->tid, at, path, 1) && !path[0]))) {
        show_fd(r, dirfd, buffer);
        return;
    }
    if (notify_path(r->tid, at, path))
        fd = notify_find(r, dirfd, path, !(flags & AT_SYMLINK_NOFOLLOW));
    show(r, fd, buffer);
}

static void show_extended(struct notify_request *r)
{
    int dirfd = (int)r->args[0], flags = (int)r->args[2];
    uint64_t at = r->args[1];
    char path[PATH_MAX];
    AUTO_FD int fd = -1;
    struct record record;
    struct statx stx;
    struct stat st;

    if (flags & AT_EMPTY_PATH && dirfd != AT_FDCWD &&
        (!at || (notify_read(r->tid, at, path, 1) && !path[0])))
        fd = notify_open_fd(r, dirfd);
    else if (notify_path(r->tid, at, path))
        fd = notify_find(r, dirfd, path, !(flags & AT_SYMLINK_NOFOLLOW));
    r->go_on =
        fd < 0 || !may_have_record(r->n, fd) || fstat(fd, &st) < 0 ||
        !get_record(r->n, fd, &st, &record) ||
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

/* Set-id bits act on what the process believes to be; on the kernel's side nothing changes. */
static void execute(struct notify_request *r)
{
    char path[PATH_MAX];
    AUTO_FD int fd = -1;
    struct record record;
    struct stat st;

    r->go_on = true;
    if (r->n->processes_count == 0 && as_root(r))
        return;
    if (!notify_path(r->tid, r->args[0], path))
        return;
    fd = notify_find(r, AT_FDCWD, path, true);
    if (fd < 0 || !look(r->n, fd, &st, &record) || !S_ISREG(st.st_mode))
        return;
    notify_ids_exec(r, st.st_mode & S_ISUID, record.uid,
                    (st.st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP), record.gid);
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
    case NOTIFY_MKNOD:
        make_node(r, AT_FDCWD, a[0], (mode_t)a[1], a[2]);
        break;
    case NOTIFY_MKNODAT:
        make_node(r, dirfd, a[1], (mode_t)a[2], a[3]);
        break;
    case NOTIFY_STAT:
    case NOTIFY_LSTAT:
        show_path(r, AT_FDCWD, a[0], a[1], r->call == NOTIFY_LSTAT ? AT_SYMLINK_NOFOLLOW : 0);
        break;
    case NOTIFY_FSTAT: {
        show_fd(r, dirfd, a[1]);
        break;
    }
    case NOTIFY_FSTATAT:
        show_path(r, dirfd, a[1], a[2], (int)a[3]);
        break;
    case NOTIFY_STATX:
        show_extended(r);
        break;
    case NOTIFY_OPEN:
        create(r, AT_FDCWD, a[0], (int)a[1], (mode_t)a[2]);
        break;
    case NOTIFY_OPENAT:
        create(r, dirfd, a[1], (int)a[2], (mode_t)a[3]);
        break;
    case NOTIFY_CREAT:
        create(r, AT_FDCWD, a[0], O_WRONLY | O_CREAT | O_TRUNC, (mode_t)a[1]);
        break;
    case NOTIFY_MKDIR:
        make_dir(r, AT_FDCWD, a[0], (mode_t)a[1]);
        break;
    case NOTIFY_MKDIRAT:
        make_dir(r, dirfd, a[1], (mode_t)a[2]);
        break;
    case NOTIFY_SYMLINK:
        make_link(r, a[0], AT_FDCWD, a[1]);
        break;
    case NOTIFY_SYMLINKAT:
        make_link(r, a[0], (int)a[1], a[2]);
        break;
    case NOTIFY_CHROOT:
        r->n->chrooted = true;
        r->go_on = true;
        break;
    case NOTIFY_EXECVE:
        execute(r);
        break;
    default:
        r->go_on = true;
    }
}
