/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files that are made. For root they are as they shall be, but in a directory that hands on a
 * recorded group, and for a link or pipe whose number another one had before it; for who believes
 * to be somebody else the recorder makes them, so that nobody sees them without their owner.
 */
#include "runtime/notify_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/scope.h"

/* A file to be made: whose, and where. */
struct birth {
    int dirfd;
    char path[PATH_MAX];
    struct record record;
};

/* false: the kernel's way is as good. */
static bool begin(struct notify_request *r, struct birth *b, int dirfd, uint64_t at)
{
    const struct notify_ids *ids = notify_ids_of(r->n, r->tid);
    struct record parent;
    struct stat st;
    AUTO_FD int fd = -1;

    b->dirfd = dirfd;
    b->record = (struct record){.uid = ids->uid[1], .gid = ids->gid[1]};
    if (!notify_path(r, at, b->path))
        return false;
    fd = notify_find_parent(r, dirfd, b->path);
    if (fd >= 0 && fstat(fd, &st) == 0 && st.st_mode & S_ISGID && S_ISDIR(st.st_mode))
        b->record.gid = notify_get_record(r->n, fd, &st, &parent) ? parent.gid : st.st_gid;
    return b->record.uid || b->record.gid;
}

/* Into the caller's place, with its umask. */
static bool enter(struct notify_request *r, const struct birth *b)
{
    long mask = notify_status(r->n, r->tid, "Umask", 8);

    if (mask < 0 || !notify_enter(r, b->dirfd, b->path))
        return false;
    umask((mode_t)mask & 0777);
    return true;
}

/* What was just made gets its owner. */
static void settle(struct notify_request *r, int fd, const struct birth *b)
{
    struct stat st;

    if (fstat(fd, &st) == 0 &&
        (b->record.uid || b->record.gid || b->record.kind || notify_has_link(r->n, &st)))
        notify_put_record(r->n, fd, &st, &b->record);
}

static int open_made(const char *path)
{
    return open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
}

static void make_node(struct notify_request *r, int dirfd, uint64_t at, mode_t mode, uint64_t dev)
{
    char kind = S_ISCHR(mode) ? 'c' : S_ISBLK(mode) ? 'b' : 0;
    bool may = notify_ids_of(r->n, r->tid)->caps & 1u << CAP_MKNOD;
    AUTO_FD int fd = -1;
    struct birth b;

    /* Device 0:0 would hide what is below: overlay itself refuses it. */
    if (kind && (!may || !dev)) {
        r->error = EPERM;
        return;
    }
    r->go_on = (!begin(r, &b, dirfd, at) && !kind && !(S_ISFIFO(mode) && r->n->links_count)) ||
               S_ISSOCK(mode) || !enter(r, &b);
    if (r->go_on)
        return;
    b.record.kind = kind;
    b.record.dev_major = kind ? major(dev) : 0;
    b.record.dev_minor = kind ? minor(dev) : 0;
    if (S_ISFIFO(mode))
        fd = mknod(b.path, mode, 0) < 0 ? -1 : open_made(b.path);
    else
        fd = open(b.path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode & 07777);
    r->error = fd < 0 ? errno : 0;
    notify_leave(r);
    if (fd >= 0)
        settle(r, fd, &b);
}

static void make_dir(struct notify_request *r, int dirfd, uint64_t at, mode_t mode)
{
    AUTO_FD int fd = -1;
    struct birth b;

    r->go_on = !begin(r, &b, dirfd, at) || !enter(r, &b);
    if (r->go_on)
        return;
    r->error = mkdir(b.path, mode) < 0 ? errno : 0;
    fd = r->error ? -1 : open_made(b.path);
    notify_leave(r);
    if (fd >= 0)
        settle(r, fd, &b);
}

static void make_link(struct notify_request *r, uint64_t text, int dirfd, uint64_t at)
{
    char target[PATH_MAX];
    AUTO_FD int fd = -1;
    struct birth b;

    r->go_on = (!begin(r, &b, dirfd, at) && !r->n->links_count) || !notify_path(r, text, target) ||
               !enter(r, &b);
    if (r->go_on)
        return;
    r->error = symlink(target, b.path) < 0 ? errno : 0;
    fd = r->error ? -1 : open_made(b.path);
    notify_leave(r);
    if (fd >= 0)
        settle(r, fd, &b);
}

/* The caller gets our descriptor of the new file, opened as it asked. */
static void hand_over(struct notify_request *r, int made, int flags)
{
    char path[FS_FD_PATH_MAX];
    AUTO_FD int fd =
        open(notify_fd_path(made, path),
             (flags & ~(O_CREAT | O_EXCL | O_TRUNC | O_NOFOLLOW | O_TMPFILE)) | O_CLOEXEC);
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
    bool nameless = (flags & O_TMPFILE) == O_TMPFILE;
    AUTO_FD int fd = -1;
    struct birth b;

    r->go_on = (flags & O_DIRECTORY && !nameless) || !begin(r, &b, dirfd, at) || !enter(r, &b);
    if (r->go_on)
        return;
    fd = open(b.path, nameless ? flags | O_CLOEXEC : O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
              mode & 07777);
    notify_leave(r);
    r->go_on = fd < 0; /* it is there, or cannot be made: in the kernel's words */
    if (fd < 0)
        return;
    settle(r, fd, &b);
    hand_over(r, fd, flags);
}

static void create_how(struct notify_request *r)
{
    struct open_how how;

    r->go_on = !notify_read(r->tid, r->args[2], &how, sizeof(how)) || how.resolve ||
               !(how.flags & (O_CREAT | (O_TMPFILE & ~O_DIRECTORY)));
    if (!r->go_on)
        create(r, (int)r->args[0], r->args[1], (int)how.flags, (mode_t)how.mode);
}

void notify_make_call(struct notify_request *r)
{
    const uint64_t *a = r->args;
    int dirfd = (int)a[0];

    switch (r->call) {
    case NOTIFY_MKNOD:
        make_node(r, AT_FDCWD, a[0], (mode_t)a[1], a[2]);
        break;
    case NOTIFY_MKNODAT:
        make_node(r, dirfd, a[1], (mode_t)a[2], a[3]);
        break;
    case NOTIFY_OPEN:
        create(r, AT_FDCWD, a[0], (int)a[1], (mode_t)a[2]);
        break;
    case NOTIFY_OPENAT:
        create(r, dirfd, a[1], (int)a[2], (mode_t)a[3]);
        break;
    case NOTIFY_OPENAT2:
        create_how(r);
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
    default:
        r->go_on = true;
    }
}
