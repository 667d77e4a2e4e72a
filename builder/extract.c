/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/extract.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/path.h"
#include "base/scope.h"
#include "builder/archive.h"

#define STEP (256 << 10)

/* Directories get their mode and time when nothing is put into them any more. */
struct later {
    char *path;
    uint32_t mode;
    int64_t mtime;
};

struct extract {
    int dir_fd;
    struct archive_reader *reader;
    struct later *dirs;
    size_t count, capacity;
    uint64_t size, entries;
    char *bytes;
};

static void extract_release(struct extract *x)
{
    for (size_t i = 0; i < x->count; i++)
        free(x->dirs[i].path);
    free(x->dirs);
    free(x->bytes);
    archive_reader_close(x->reader);
}

/* Makes what is missing of a path that may lead over links; they are taken inside the root. */
static int make_dirs(const struct extract *x, const char *path, struct err *err)
{
    struct err missing = {0};
    AUTO_FREE char *parent = NULL, *name = NULL;
    AUTO_FD int fd =
        fs_open_beneath(x->dir_fd, path, O_RDONLY | O_DIRECTORY, 0, FS_IN_ROOT, &missing);

    if (fd >= 0)
        return 0;
    if (missing.code != ENOENT || strcmp(path, ".") == 0) {
        *err = missing;
        return -1;
    }
    parent = str_dup(path_dir(str_of(path)));
    name = str_dup(path_base(str_of(path)));
    if (make_dirs(x, parent, err) < 0)
        return -1;
    AUTO_FD int parent_fd =
        fs_open_beneath(x->dir_fd, parent, O_RDONLY | O_DIRECTORY, 0, FS_IN_ROOT, err);
    if (parent_fd < 0)
        return -1;
    if (mkdirat(parent_fd, name, 0755) < 0 || fchmodat(parent_fd, name, 0755, 0) < 0)
        return err_errno(err, "make directory %s", path);
    return 0;
}

/* The directory that a path's last component stands in. */
static int open_parent(const struct extract *x, const char *path, struct err *err)
{
    AUTO_FREE char *parent = str_dup(path_dir(str_of(path)));

    if (make_dirs(x, parent, err) < 0)
        return -1;
    return fs_open_beneath(x->dir_fd, parent, O_RDONLY | O_DIRECTORY, 0, FS_IN_ROOT, err);
}

static void set_xattrs(int fd, const struct entry *e)
{
    for (size_t i = 0; i < e->xattrs_count; i++) {
        const struct xattr *a = &e->xattrs[i];

        if (strncmp(a->name, "user.", 5) != 0 && strcmp(a->name, "security.capability") != 0)
            continue;
        if (fsetxattr(fd, a->name, a->value.ptr, a->value.size, 0) < 0)
            log_warn("build context: %s loses its attribute %s: %s", e->path, a->name,
                     strerror(errno));
    }
}

static int write_content(struct extract *x, const struct entry *e, int fd, struct err *err)
{
    uint64_t left = e->size;

    while (left) {
        ssize_t n = archive_read(x->reader, x->bytes, left < STEP ? (size_t)left : STEP, err);

        if (n < 0)
            return -1;
        if (n == 0)
            return err_set(err, ERR_INPUT, 0, "the archive ends %llu bytes early",
                           (unsigned long long)left);
        if (fs_write(fd, x->bytes, (size_t)n, err) < 0)
            return -1;
        left -= (uint64_t)n;
    }
    return 0;
}

static int add_file(struct extract *x, const struct entry *e, int parent_fd, const char *name,
                    struct err *err)
{
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = e->mtime}};
    AUTO_FD int fd =
        openat(parent_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

    if (fd < 0)
        return err_errno(err, "make the file");
    if (write_content(x, e, fd, err) < 0)
        return -1;
    if (fchmod(fd, e->mode) < 0)
        return err_errno(err, "set the mode");
    set_xattrs(fd, e);
    if (futimens(fd, times) < 0)
        return err_errno(err, "set the time");
    return 0;
}

static int add_dir(struct extract *x, const struct entry *e, int parent_fd, const char *name,
                   struct err *err)
{
    struct stat st;

    /* A link to a directory stays: what is below it in the archive goes where it leads. */
    if (fstatat(parent_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISDIR(st.st_mode) &&
        unlinkat(parent_fd, name, 0) < 0)
        return err_errno(err, "replace what is there");
    if (mkdirat(parent_fd, name, 0700) < 0 && errno != EEXIST)
        return err_errno(err, "make the directory");
    VEC_GROW(x->dirs, x->count, x->capacity);
    x->dirs[x->count++] =
        (struct later){.path = xstrdup(e->path), .mode = e->mode, .mtime = e->mtime};
    if (!e->xattrs_count)
        return 0;
    AUTO_FD int fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0)
        set_xattrs(fd, e);
    return 0;
}

static int add_link(struct extract *x, const struct entry *e, int parent_fd, const char *name,
                    struct err *err)
{
    AUTO_FREE char *target = str_dup(path_base(str_of(e->link)));
    AUTO_FD int from_fd = open_parent(x, e->link, err);

    if (from_fd < 0)
        return -1;
    if (linkat(from_fd, target, parent_fd, name, 0) < 0)
        return err_errno(err, "link it to %s", e->link);
    return 0;
}

static int add_other(struct extract *x, const struct entry *e, int parent_fd, const char *name,
                     struct err *err)
{
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = e->mtime}};

    switch (e->type) {
    case ENTRY_FILE:
        return add_file(x, e, parent_fd, name, err);
    case ENTRY_HARDLINK:
        return add_link(x, e, parent_fd, name, err);
    case ENTRY_SYMLINK:
        if (symlinkat(e->link, parent_fd, name) < 0)
            return err_errno(err, "make the link");
        break;
    case ENTRY_FIFO:
        if (mkfifoat(parent_fd, name, 0600) < 0 || fchmodat(parent_fd, name, e->mode, 0) < 0)
            return err_errno(err, "make the pipe");
        break;
    default:
        return err_set(err, ERR_INPUT, 0, "a %s; a build context holds no devices",
                       entry_type_name(e->type));
    }
    if (utimensat(parent_fd, name, times, AT_SYMLINK_NOFOLLOW) < 0)
        return err_errno(err, "set the time");
    return 0;
}

static int check_bounds(struct extract *x, const struct entry *e, struct err *err)
{
    if (++x->entries > EXTRACT_COUNT_MAX)
        return err_set(err, ERR_INPUT, 0,
                       "the archive has more than %d entries (EXTRACT_COUNT_MAX)",
                       EXTRACT_COUNT_MAX);
    if (__builtin_add_overflow(x->size, e->size, &x->size) || x->size > EXTRACT_SIZE_MAX)
        return err_set(err, ERR_INPUT, 0,
                       "the archive unpacks to more than %llu GiB (EXTRACT_SIZE_MAX)",
                       (unsigned long long)(EXTRACT_SIZE_MAX >> 30));
    return 0;
}

static int add_entry(struct extract *x, const struct entry *e, struct err *err)
{
    AUTO_FREE char *name = str_dup(path_base(str_of(e->path)));
    struct err ignored = {0};

    if (check_bounds(x, e, err) < 0)
        return -1;
    if (strcmp(e->path, ".") == 0)
        return 0; /* of the directory itself nothing is taken */
    AUTO_FD int parent_fd = open_parent(x, e->path, err);
    if (parent_fd < 0)
        return -1;
    if (e->type == ENTRY_DIR)
        return add_dir(x, e, parent_fd, name, err);
    /* A file that links to itself would take itself away. */
    if (e->type == ENTRY_HARDLINK && strcmp(e->link, e->path) == 0)
        return 0;
    if (unlinkat(parent_fd, name, 0) < 0 && errno != ENOENT &&
        fs_remove_tree(parent_fd, name, &ignored) < 0)
        log_debug("%s: %s", e->path, ignored.text);
    return add_other(x, e, parent_fd, name, err);
}

/* Innermost first is not needed: the times of parents do not change by these calls. */
static int finish_dirs(const struct extract *x, struct err *err)
{
    for (size_t i = x->count; i-- > 0;) {
        struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = x->dirs[i].mtime}};
        struct err gone = {0};
        AUTO_FD int fd = fs_open_beneath(x->dir_fd, x->dirs[i].path, O_RDONLY | O_DIRECTORY, 0,
                                         FS_IN_ROOT, &gone);

        /* Replaced by something later in the archive. */
        if (fd < 0)
            continue;
        if (fchmod(fd, x->dirs[i].mode) < 0 || futimens(fd, times) < 0)
            return err_errno(err, "%s: set mode and time", x->dirs[i].path);
    }
    return 0;
}

int extract_archive(int fd, int dir_fd, struct err *err)
{
    SCOPED(extract_release) struct extract x = {.dir_fd = dir_fd, .bytes = xmalloc(STEP)};
    struct entry e;
    int more;

    x.reader = archive_reader_open(fd, err);
    if (!x.reader)
        return -1;
    while ((more = archive_next(x.reader, &e, err)) > 0)
        if (add_entry(&x, &e, err) < 0)
            return err_wrap(err, "%s", e.path);
    return more < 0 ? -1 : finish_dirs(&x, err);
}
