/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/path.h"
#include "base/scope.h"

#define READ_STEP ((size_t)64 << 10)
#define COPY_STEP ((size_t)1 << 20)

int fs_read(int fd, struct buf *out, size_t max, struct err *err)
{
    size_t begin = out->size;

    for (;;) {
        size_t have = out->size - begin;
        size_t step = max - have < READ_STEP ? max - have + 1 : READ_STEP;
        ssize_t n = read(fd, buf_reserve(out, step), step);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(err, "read");
        if (n == 0)
            return 0;
        if ((size_t)n > max - have)
            return err_set(err, ERR_INPUT, EFBIG, "larger than the limit of %zu bytes", max);
        buf_commit(out, (size_t)n);
    }
}

int fs_read_file(int dir_fd, const char *path, struct buf *out, size_t max, struct err *err)
{
    AUTO_FD int fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return err_errno(err, "open %s", path);
    if (fs_read(fd, out, max, err) < 0)
        return err_wrap(err, "%s", path);
    return 0;
}

int fs_write(int fd, const void *bytes, size_t size, struct err *err)
{
    const char *p = bytes;

    while (size) {
        ssize_t n = write(fd, p, size);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(err, "write");
        p += n;
        size -= (size_t)n;
    }
    return 0;
}

int fs_pwrite(int fd, const void *bytes, size_t size, off_t offset, struct err *err)
{
    const char *p = bytes;

    while (size) {
        ssize_t n = pwrite(fd, p, size, offset);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(err, "write");
        p += n;
        offset += n;
        size -= (size_t)n;
    }
    return 0;
}

static char *temporary_name(const char *path)
{
    uint64_t salt = 0;

    if (getrandom(&salt, sizeof(salt), 0) != sizeof(salt))
        salt = (uint64_t)getpid();
    return xasprintf("%s.tmp-%016llx", path, (unsigned long long)salt);
}

static int fill(int fd, const void *bytes, size_t size, mode_t mode, bool durable, struct err *err)
{
    if (fs_write(fd, bytes, size, err) < 0)
        return -1;
    if (fchmod(fd, mode) < 0)
        return err_errno(err, "chmod");
    if (durable && fsync(fd) < 0)
        return err_errno(err, "fsync");
    return 0;
}

int fs_replace(int dir_fd, const char *path, const void *bytes, size_t size, mode_t mode,
               bool durable, struct err *err)
{
    AUTO_FREE char *name = temporary_name(path);
    AUTO_FD int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd < 0)
        return err_errno(err, "create %s", name);
    if (fill(fd, bytes, size, mode, durable, err) < 0) {
        unlinkat(dir_fd, name, 0);
        return err_wrap(err, "write %s", path);
    }
    if (renameat(dir_fd, name, dir_fd, path) < 0) {
        err_errno(err, "rename %s to %s", name, path);
        unlinkat(dir_fd, name, 0);
        return -1;
    }
    return 0;
}

int fs_tmpfile(int dir_fd, mode_t mode, struct err *err)
{
    int fd = openat(dir_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, mode);

    return fd < 0 ? err_errno(err, "make a temporary file") : fd;
}

int fs_link_tmpfile(int fd, int dir_fd, const char *name, bool durable, struct err *err)
{
    char path[FS_FD_PATH_MAX];

    if (durable && fdatasync(fd) < 0)
        return err_errno(err, "fsync %s", name);
    if (linkat(AT_FDCWD, fs_fd_path(fd, path), dir_fd, name, AT_SYMLINK_FOLLOW) < 0 &&
        errno != EEXIST)
        return err_errno(err, "link %s", name);
    return 0;
}

int fs_mkdirs(int dir_fd, const char *path, mode_t mode, struct err *err)
{
    AUTO_FREE char *copy = path_clean(str_of(path));

    for (char *p = copy + 1;; p++) {
        char c = *p;

        if (c != '/' && c != 0)
            continue;
        *p = 0;
        if (mkdirat(dir_fd, copy, mode) < 0 && errno != EEXIST)
            return err_errno(err, "make directory %s", copy);
        *p = c;
        if (c == 0)
            return 0;
    }
}

int fs_open_dir(int dir_fd, const char *path, struct err *err)
{
    int fd = openat(dir_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    return fd < 0 ? err_errno(err, "open directory %s", path) : fd;
}

/* Overlay work directories are mode 000: as an ordinary user they open only after a chmod. */
static int open_for_removal(int dir_fd, const char *name)
{
    int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    int fd = openat(dir_fd, name, flags);

    if (fd < 0 && errno == EACCES && fchmodat(dir_fd, name, 0700, 0) == 0)
        fd = openat(dir_fd, name, flags);
    return fd;
}

static int remove_entry(int dir_fd, const char *name, unsigned depth, struct err *err);

static int remove_children(int fd, unsigned depth, struct err *err)
{
    SCOPED(strv_release) struct strv names = {0};
    struct stat st;

    if (fs_list(fd, &names, err) < 0)
        return -1;
    if (names.count && fstat(fd, &st) == 0 && (st.st_mode & 0700) != 0700)
        (void)!fchmod(fd, 0700);
    for (size_t i = 0; i < names.count; i++)
        if (remove_entry(fd, names.ptr[i], depth + 1, err) < 0)
            return -1;
    return 0;
}

static int remove_entry(int dir_fd, const char *name, unsigned depth, struct err *err)
{
    if (unlinkat(dir_fd, name, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno != EISDIR && errno != EPERM && errno != ENOTEMPTY)
        return err_errno(err, "remove %s", name);
    if (unlinkat(dir_fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
        return 0;
    if (depth > 4096)
        return err_set(err, ERR_SYSTEM, ELOOP, "remove %s: nested too deep", name);
    AUTO_FD int fd = open_for_removal(dir_fd, name);
    if (fd < 0)
        return err_errno(err, "remove %s", name);
    if (remove_children(fd, depth, err) < 0)
        return err_wrap(err, "%s", name);
    if (unlinkat(dir_fd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
        return err_errno(err, "remove directory %s", name);
    return 0;
}

int fs_remove_tree(int dir_fd, const char *path, struct err *err)
{
    return remove_entry(dir_fd, path, 0, err);
}

int fs_list(int dir_fd, struct strv *names, struct err *err)
{
    int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry;

    if (!dir) {
        err_errno(err, "open directory");
        if (fd >= 0)
            close(fd);
        return -1;
    }
    errno = 0;
    while ((entry = readdir(dir))) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            strv_add(names, entry->d_name);
        errno = 0;
    }
    if (errno) {
        err_errno(err, "read directory");
        closedir(dir);
        return -1;
    }
    closedir(dir);
    strv_sort(names);
    return 0;
}

static int copy_by_buffer(int from_fd, int to_fd, uint64_t size, struct err *err)
{
    AUTO_FREE char *bytes = xmalloc(COPY_STEP);

    while (size) {
        ssize_t n = read(from_fd, bytes, size < COPY_STEP ? (size_t)size : COPY_STEP);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(err, "read");
        if (n == 0)
            break;
        if (fs_write(to_fd, bytes, (size_t)n, err) < 0)
            return -1;
        if (size != UINT64_MAX)
            size -= (uint64_t)n;
    }
    if (size && size != UINT64_MAX)
        return err_set(err, ERR_INPUT, 0, "file ends %llu bytes early", (unsigned long long)size);
    return 0;
}

int fs_copy(int from_fd, int to_fd, uint64_t size, struct err *err)
{
    while (size) {
        ssize_t n = copy_file_range(from_fd, NULL, to_fd, NULL,
                                    size < (1U << 30) ? (size_t)size : 1U << 30, 0);

        /* Across file systems, from pipes or /proc: the plain way; it also tells end-of-file from a
         * short file. */
        if (n <= 0)
            return copy_by_buffer(from_fd, to_fd, size, err);
        if (size != UINT64_MAX)
            size -= (uint64_t)n;
    }
    return 0;
}

const char *fs_fd_path(int fd, char out[static FS_FD_PATH_MAX])
{
    snprintf(out, FS_FD_PATH_MAX, "/proc/self/fd/%d", fd);
    return out;
}
