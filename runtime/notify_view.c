/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files as the caller sees them. A path is looked up with the caller's own root and working
 * directory, which this process takes for that moment and gives back: every ".." and link leads
 * where it leads the caller.
 */
#include "runtime/notify_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/scope.h"

#define PAGE 4096u

bool notify_path(pid_t tid, uint64_t at, char out[static PATH_MAX])
{
    size_t size = 0;

    while (size < PATH_MAX) {
        size_t piece = PAGE - (size_t)((at + size) % PAGE);

        if (piece > PATH_MAX - size)
            piece = PATH_MAX - size;
        if (!notify_read(tid, at + size, out + size, piece))
            return false;
        if (memchr(out + size, 0, piece))
            return true;
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

int notify_open_fd(const struct notify_request *r, int fd)
{
    char name[32];

    snprintf(name, sizeof(name), "fd/%d", fd);
    return open_proc(r, name, O_PATH);
}

void notify_leave(const struct notify_request *r)
{
    if (fchdir(r->n->root_fd) < 0 || chroot(".") < 0)
        _exit(1); /* calls then fail with ENOSYS rather than meet the wrong files */
}

bool notify_enter(const struct notify_request *r, int dirfd)
{
    struct stat st;
    AUTO_FD int root = open_proc(r, "root", O_PATH | O_DIRECTORY);
    AUTO_FD int at = root < 0            ? -1
                     : dirfd == AT_FDCWD ? open_proc(r, "cwd", O_PATH | O_DIRECTORY)
                                         : notify_open_fd(r, dirfd);

    if (at < 0 || !notify_is_valid(r))
        return false;
    if (r->n->sandbox_fd < 0 && !r->n->chrooted && fstat(root, &st) == 0) {
        r->n->root_dev = st.st_dev;
        r->n->sandbox_fd = dup(root);
    }
    if (fchdir(root) < 0 || chroot(".") < 0)
        return false;
    if (fchdir(at) < 0) {
        notify_leave(r);
        return false;
    }
    return true;
}

/* An absolute path while all have one root: two calls instead of nine. -2: notify_find() has to do
 * it. */
static int find_quickly(const struct notify_request *r, const char *path, bool follow)
{
    struct open_how how = {.flags = O_PATH | O_CLOEXEC | (follow ? 0 : O_NOFOLLOW),
                           .resolve = RESOLVE_IN_ROOT};
    long fd;

    if (path[0] != '/' || r->n->chrooted || r->n->sandbox_fd < 0)
        return -2;
    fd = syscall(SYS_openat2, r->n->sandbox_fd, path, &how, sizeof(how));
    return fd < 0 && errno != ENOENT && errno != ENOTDIR ? -2 : (int)fd;
}

int notify_find(const struct notify_request *r, int dirfd, const char *path, bool follow)
{
    int fd = find_quickly(r, path, follow);

    if (fd != -2)
        return fd;
    if (!notify_enter(r, dirfd)) {
        errno = ESRCH;
        return -1;
    }
    fd = open(path, O_PATH | O_CLOEXEC | (follow ? 0 : O_NOFOLLOW));
    notify_leave(r);
    return fd;
}
