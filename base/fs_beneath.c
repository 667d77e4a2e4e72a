/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs_open_beneath: openat2 where the kernel and the container's filter allow it, else a walk by
 * descriptor that gives the same answers. In the walk every component is opened with O_PATH |
 * O_NOFOLLOW; links are read and spliced into what is left of the path; ".." pops the stack of
 * descriptors, so nothing can race it out of the root.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/scope.h"

#define LINKS_MAX 40  /* as the kernel: ELOOP after 40 */
#define RETRY_MAX 128 /* EAGAIN: a rename elsewhere raced with ".." */

static int by_openat2(int root_fd, const char *path, int flags, mode_t mode, enum fs_resolve how)
{
    struct open_how wanted = {.flags = (unsigned)(flags | O_CLOEXEC),
                              .resolve = RESOLVE_NO_MAGICLINKS};

    if (flags & (O_CREAT | O_TMPFILE))
        wanted.mode = mode & 07777;
    wanted.resolve |= how == FS_IN_ROOT ? RESOLVE_IN_ROOT : RESOLVE_BENEATH;
    if (how == FS_NO_LINKS)
        wanted.resolve |= RESOLVE_NO_SYMLINKS;
    for (int i = 0; i < RETRY_MAX; i++) {
        int fd = (int)syscall(SYS_openat2, root_fd, path, &wanted, sizeof(wanted));

        if (fd >= 0 || errno != EAGAIN)
            return fd;
    }
    return -1;
}

struct walk {
    int *fds; /* fds[0] is the root, borrowed; the others are ours */
    size_t count, capacity;
    char *rest;
    unsigned links;
    enum fs_resolve how;
};

static void walk_release(struct walk *w)
{
    int saved = errno;

    while (w->count > 1)
        close(w->fds[--w->count]);
    free(w->fds);
    free(w->rest);
    errno = saved;
}

static void pop_all(struct walk *w)
{
    while (w->count > 1)
        close(w->fds[--w->count]);
}

/* The link `name` in the last directory takes the component's place in front of `tail`. */
static int splice_link(struct walk *w, const char *name, const char *tail)
{
    char target[4096];
    ssize_t size = readlinkat(w->fds[w->count - 1], name, target, sizeof(target) - 1);
    char *rest;

    if (size < 0)
        return -1;
    target[size] = 0;
    if (w->how == FS_NO_LINKS || ++w->links > LINKS_MAX) {
        errno = ELOOP;
        return -1;
    }
    if (target[0] == '/') {
        if (w->how != FS_IN_ROOT) {
            errno = EXDEV;
            return -1;
        }
        pop_all(w);
    }
    rest = xasprintf("%s%s%s", target, *tail ? "/" : "", tail);
    free(w->rest);
    w->rest = rest;
    return 0;
}

static int step_up(struct walk *w)
{
    if (w->count > 1) {
        close(w->fds[--w->count]);
        return 0;
    }
    if (w->how == FS_IN_ROOT)
        return 0;
    errno = EXDEV;
    return -1;
}

/* One component that is not the last. */
static int step_down(struct walk *w, const char *name, const char *tail)
{
    struct stat st;
    int fd;

    if (fstatat(w->fds[w->count - 1], name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return -1;
    if (S_ISLNK(st.st_mode))
        return splice_link(w, name, tail);
    fd = openat(w->fds[w->count - 1], name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return -1;
    VEC_GROW(w->fds, w->count, w->capacity);
    w->fds[w->count++] = fd;
    memmove(w->rest, tail, strlen(tail) + 1);
    return 0;
}

/* -2: a link was spliced in, go on walking. */
static int open_last(struct walk *w, const char *name, int flags, mode_t mode)
{
    int dir = w->fds[w->count - 1];
    struct stat st;
    bool follow = !(flags & O_NOFOLLOW) && (flags & (O_CREAT | O_EXCL)) != (O_CREAT | O_EXCL);

    if (strcmp(name, ".") != 0 && fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
        S_ISLNK(st.st_mode)) {
        if (follow || w->how == FS_NO_LINKS)
            return splice_link(w, name, "") < 0 ? -1 : -2;
    }
    return openat(dir, name, flags | O_NOFOLLOW | O_CLOEXEC, mode);
}

static int by_walk(int root_fd, const char *path, int flags, mode_t mode, enum fs_resolve how)
{
    SCOPED(walk_release) struct walk w = {.how = how};
    int fd;

    VEC_GROW(w.fds, w.count, w.capacity);
    w.fds[w.count++] = root_fd;
    w.rest = xstrdup(path);
    for (;;) {
        char *name = w.rest + strspn(w.rest, "/");
        size_t size = strcspn(name, "/");
        char *tail = name + size + strspn(name + size, "/");
        bool last = *tail == 0, dir = name[size] == '/';

        if (size == 0)
            return open_last(&w, ".", flags, mode);
        name[size] = 0;
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
            if (name[1] && step_up(&w) < 0)
                return -1;
            memmove(w.rest, tail, strlen(tail) + 1);
            continue;
        }
        if (last) {
            AUTO_FREE char *copy = xstrdup(name);

            fd = open_last(&w, copy, flags | (dir ? O_DIRECTORY : 0), mode);
            if (fd != -2)
                return fd;
        } else if (step_down(&w, name, tail) < 0) {
            return -1;
        }
    }
}

int fs_open_beneath(int root_fd, const char *path, int flags, mode_t mode, enum fs_resolve how,
                    struct err *err)
{
    int fd;

    path += strspn(path, "/");
    if (*path == 0)
        path = ".";
    fd = by_openat2(root_fd, path, flags, mode, how);
    if (fd < 0 && (errno == ENOSYS || errno == EPERM))
        fd = by_walk(root_fd, path, flags, mode, how);
    return fd < 0 ? err_errno(err, "open %s", path) : fd;
}
