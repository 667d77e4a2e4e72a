/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files as the caller sees them. This process has the sandbox's root for its own, so that an
 * absolute path leads where it leads the caller, with one call; and outside of it, as its working
 * directory, the /proc that knows it and all callers. For a relative path it takes the caller's
 * working directory for the moment; and the caller's root once anybody may have another.
 */
#include "runtime/notify_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/scope.h"

#define PAGE 4096u

bool notify_path(const struct notify_request *r, uint64_t at, char out[static PATH_MAX])
{
    size_t size = 0;

    while (size < PATH_MAX) {
        size_t piece = PAGE - (size_t)((at + size) % PAGE);

        if (piece > PATH_MAX - size)
            piece = PATH_MAX - size;
        if (!notify_read(r->tid, at + size, out + size, piece))
            return false;
        if (memchr(out + size, 0, piece))
            return notify_is_valid(r); /* else it was somebody else's memory */
        size += piece;
    }
    return false;
}

static int open_proc(const struct notify_request *r, const char *name, int flags)
{
    char path[64];

    snprintf(path, sizeof(path), "%d/%s", (int)r->tid, name);
    return openat(r->n->proc_fd, path, flags | O_CLOEXEC);
}

const char *notify_fd_path(int fd, char out[static FS_FD_PATH_MAX])
{
    snprintf(out, FS_FD_PATH_MAX, "self/fd/%d", fd);
    return out;
}

int notify_open_fd(const struct notify_request *r, int fd)
{
    char name[32];

    snprintf(name, sizeof(name), "fd/%d", fd);
    return open_proc(r, name, O_PATH);
}

int notify_find_parent(const struct notify_request *r, int dirfd, const char *path)
{
    char dir[PATH_MAX];
    size_t size = strlen(path);

    while (size > 1 && path[size - 1] == '/')
        size--;
    while (size && path[size - 1] != '/')
        size--;
    if (size == 0)
        return dirfd == AT_FDCWD ? open_proc(r, "cwd", O_PATH | O_DIRECTORY)
                                 : notify_open_fd(r, dirfd);
    memcpy(dir, path, size);
    dir[size] = 0;
    return notify_find(r, dirfd, dir, true);
}

bool notify_settle(const struct notify_request *r)
{
    AUTO_FD int fd = open_proc(r, "root", O_PATH | O_DIRECTORY);
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0 || fchdir(fd) < 0)
        return false;
    if (chroot(".") < 0 || fchdir(r->n->proc_fd) < 0)
        _exit(1);
    r->n->root_dev = st.st_dev;
    r->n->sandbox_fd = steal_fd(&fd);
    return true;
}

void notify_leave(const struct notify_request *r)
{
    const struct notify *n = r->n;

    /* Calls fail with ENOSYS then, rather than meet the wrong files. */
    if ((n->chrooted && (fchdir(n->sandbox_fd) < 0 || chroot(".") < 0)) || fchdir(n->proc_fd) < 0)
        _exit(1);
}

static bool enter(const struct notify_request *r, int dirfd)
{
    AUTO_FD int root = r->n->chrooted ? open_proc(r, "root", O_PATH | O_DIRECTORY) : -1;
    AUTO_FD int at =
        dirfd == AT_FDCWD ? open_proc(r, "cwd", O_PATH | O_DIRECTORY) : notify_open_fd(r, dirfd);

    errno = at < 0 ? EBADF : ESRCH;
    if (at < 0 || (r->n->chrooted && root < 0) || !notify_is_valid(r))
        return false;
    if ((!r->n->chrooted || (fchdir(root) == 0 && chroot(".") == 0)) && fchdir(at) == 0)
        return true;
    notify_leave(r);
    errno = ENOTDIR;
    return false;
}

bool notify_enter(const struct notify_request *r, int dirfd, const char *path)
{
    return (path[0] == '/' && !r->n->chrooted) || enter(r, dirfd);
}

/*
 * /proc/self is the caller, but we are nobody in its /proc. path becomes what it leads to: by the
 * last name (/dev/stdout, a link to /proc/self/fd/1) or by its own beginning. false: it does not.
 */
static bool name_self(const struct notify_request *r, char path[static PATH_MAX])
{
    static const char self[] = "/proc/self/";
    char target[PATH_MAX + 32];
    ssize_t n = strncmp(path, self, sizeof(self) - 1) == 0 ? 0 : readlink(path, target, PATH_MAX);

    if (n > 0 && n < PATH_MAX) {
        memcpy(path, target, (size_t)n);
        path[n] = 0;
    }
    if (n < 0 || n >= PATH_MAX || strncmp(path, self, sizeof(self) - 1) != 0)
        return false;
    n = snprintf(target, sizeof(target), "/proc/%ld/%s", notify_status(r->n, r->tid, "NSpid", 10),
                 path + sizeof(self) - 1);
    if (n >= PATH_MAX)
        return false;
    memcpy(path, target, (size_t)n + 1);
    return true;
}

int notify_find(const struct notify_request *r, int dirfd, const char *path, bool follow)
{
    int flags = O_PATH | O_CLOEXEC | (follow ? 0 : O_NOFOLLOW), fd;
    char self[PATH_MAX];

    errno = ENOENT;
    if (!path[0] || !notify_enter(r, dirfd, path))
        return -1;
    fd = open(path, flags);
    if (fd < 0 && errno == ENOENT) {
        snprintf(self, sizeof(self), "%s", path);
        fd = name_self(r, self) ? open(self, flags) : -1;
        errno = fd < 0 ? ENOENT : 0;
    }
    notify_leave(r);
    return fd;
}
