/* SPDX-License-Identifier: Apache-2.0 */
/* Mount points: the stub lower, and those that must be made in the root (declared in rootfs.h). */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/fs.h"
#include "base/hash.h"
#include "base/path.h"
#include "base/scope.h"
#include "base/strv.h"
#include "runtime/rootfs.h"

#define LINKS_MAX 40 /* path_resolution(7) */

struct rootfs_mark {
    int parent_fd;
    char *name;
    struct timespec before, after; /* the parent's mtime around the making */
};

/* Calls fn for every mount point of the plan. Those on /proc, /dev, /sys appear with these. */
typedef int point_fn(void *arg, const char *path, bool is_dir, struct err *err);

static bool is_hidden(const char *path)
{
    static const char *const tops[] = {"/proc", "/dev", "/sys"};

    for (size_t i = 0; i < ARRAY_SIZE(tops); i++)
        if (path_is_under(str_of(path), str_of(tops[i])))
            return true;
    return false;
}

static int each_point(const struct plan *plan, point_fn *fn, void *arg, struct err *err)
{
    const struct {
        const char *path;
        bool is_dir, wanted;
    } fixed[] = {
        {"/proc", true, true},
        {"/dev", true, true},
        {"/sys", true, true},
        {"/etc/hosts", false, plan->hosts != NULL},
        {"/etc/resolv.conf", false, plan->resolv_conf != NULL},
        {"/etc/hostname", false, plan->hostname_file != NULL},
    };

    for (size_t i = 0; i < ARRAY_SIZE(fixed); i++)
        if (fixed[i].wanted && fn(arg, fixed[i].path, fixed[i].is_dir, err) < 0)
            return -1;
    for (size_t i = 0; i < plan->mounts_count; i++) {
        AUTO_FREE char *path = path_clean(str_of(plan->mounts[i].target));

        if (!is_hidden(path) && fn(arg, path, plan->mounts[i].is_dir, err) < 0)
            return -1;
    }
    return 0;
}

static int check_kind(int fd, const char *target, bool is_dir, struct err *err)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return err_errno(err, "mount point %s", target);
    if (S_ISDIR(st.st_mode) != is_dir)
        return err_set(err, ERR_INPUT, is_dir ? ENOTDIR : EISDIR,
                       "mount point %s is a %s, the mount is a %s", target,
                       is_dir ? "file" : "directory", is_dir ? "directory" : "file");
    return 0;
}

static void mark(struct rootfs_made *made, int parent_fd, const char *name, struct timespec before)
{
    struct rootfs_mark *m;
    struct stat st;

    VEC_GROW(made->marks, made->count, made->capacity);
    m = &made->marks[made->count];
    *m = (struct rootfs_mark){
        .parent_fd = fcntl(parent_fd, F_DUPFD_CLOEXEC, 3), .name = xstrdup(name), .before = before};
    if (m->parent_fd < 0 || fstat(m->parent_fd, &st) < 0) {
        scope_close(&m->parent_fd);
        free(m->name);
        return;
    }
    m->after = st.st_mtim;
    made->count++;
}

/* One missing component. 1: made; 0: it is a link, whose text is in `link`. */
static int make_one(int parent_fd, const char *name, bool is_dir, struct rootfs_made *made,
                    char link[static PATH_MAX], struct err *err)
{
    struct stat st;
    ssize_t n;
    int rc;

    if (fstat(parent_fd, &st) < 0)
        return err_errno(err, "look at the parent of %s", name);
    if (is_dir) {
        rc = mkdirat(parent_fd, name, 0755);
    } else {
        AUTO_FD int fd =
            openat(parent_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);

        rc = fd < 0 ? -1 : 0;
    }
    if (rc == 0) {
        if (made)
            mark(made, parent_fd, name, st.st_mtim);
        return 1;
    }
    if (errno != EEXIST)
        return err_errno(err, "make %s", name);
    n = readlinkat(parent_fd, name, link, PATH_MAX - 1);
    if (n < 0)
        return err_errno(err, "make %s", name);
    link[n] = 0;
    return 0;
}

struct walk {
    int root_fd;
    bool is_dir; /* the last component */
    struct rootfs_made *made;
    struct buf walked;
    int parent_fd; /* of what comes next */
    char *again;
};

static void walk_release(struct walk *w)
{
    buf_release(&w->walked);
    scope_close(&w->parent_fd);
    free(w->again);
}

static int open_walked(const struct walk *w, bool is_dir, struct err *err)
{
    return fs_open_beneath(w->root_fd, buf_cstr(&w->walked),
                           is_dir ? O_RDONLY | O_DIRECTORY | O_CLOEXEC : O_PATH | O_CLOEXEC, 0,
                           FS_IN_ROOT, err);
}

/* Through name, which is made where it is missing. 0: it is a dangling link, and w->again is the
 * path to take. */
static int walk_one(struct walk *w, const char *name, struct str rest, struct err *err)
{
    const char *more = rest.size ? "/" : "";
    bool is_dir = rest.size ? true : w->is_dir;
    size_t before = w->walked.size;
    struct err missing = {0};
    char link[PATH_MAX];
    int fd;

    buf_addf(&w->walked, "/%s", name);
    fd = open_walked(w, is_dir, &missing);
    if (fd < 0 && missing.code == ENOENT) {
        int rc = make_one(w->parent_fd, name, is_dir, w->made, link, err);

        if (rc < 0)
            return -1;
        if (rc == 0) {
            w->again = link[0] == '/' ? xasprintf("%s%s" STR_FMT, link, more, STR_ARG(rest))
                                      : xasprintf("%.*s/%s%s" STR_FMT, (int)before,
                                                  buf_cstr(&w->walked), link, more, STR_ARG(rest));
            return 0;
        }
        fd = open_walked(w, is_dir, &missing);
    }
    if (fd < 0) {
        *err = missing;
        return -1;
    }
    scope_close(&w->parent_fd);
    w->parent_fd = fd;
    return 1;
}

/* 1 when all of path is there; 0 with *again, the path after one dangling link, to be walked from
 * the start. */
static int make_missing(int root_fd, const char *path, bool is_dir, struct rootfs_made *made,
                        char **again, struct err *err)
{
    SCOPED(walk_release)
    struct walk w = {.root_fd = root_fd, .is_dir = is_dir, .made = made, .parent_fd = -1};
    struct str rest = str_of(path), part;

    w.parent_fd =
        fs_open_beneath(root_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0, FS_IN_ROOT, err);
    if (w.parent_fd < 0)
        return -1;
    while (rest.size) {
        int rc;

        str_cut(rest, '/', &part, &rest);
        if (part.size == 0)
            continue;
        AUTO_FREE char *name = str_dup(part);
        rc = walk_one(&w, name, rest, err);
        *again = steal_ptr(&w.again);
        if (rc <= 0)
            return rc;
    }
    return 1;
}

int rootfs_make_point(int root_fd, const char *target, bool is_dir, struct rootfs_made *made,
                      struct err *err)
{
    AUTO_FREE char *path = path_clean(str_of(target));
    struct err missing = {0};
    AUTO_FD int fd = fs_open_beneath(root_fd, path, O_PATH | O_CLOEXEC, 0, FS_IN_ROOT, &missing);

    if (fd < 0 && missing.code != ENOENT) {
        *err = missing;
        return err_wrap(err, "mount point %s", target);
    }
    for (int links = 0; fd < 0; links++) {
        char *again = NULL;
        int rc = make_missing(root_fd, path, is_dir, made, &again, err);

        if (rc < 0)
            return err_wrap(err, "mount point %s", target);
        if (rc > 0)
            break;
        free(path);
        path = again;
        if (links == LINKS_MAX)
            return err_set(err, ERR_INPUT, ELOOP, "mount point %s: too many links", target);
    }
    if (fd < 0)
        fd = fs_open_beneath(root_fd, path, O_PATH | O_CLOEXEC, 0, FS_IN_ROOT, err);
    return fd < 0 ? -1 : check_kind(fd, target, is_dir, err);
}

struct preparation {
    int root_fd;
    struct rootfs_made *made;
};

static int prepare_point(void *arg, const char *path, bool is_dir, struct err *err)
{
    const struct preparation *p = arg;

    return rootfs_make_point(p->root_fd, path, is_dir, p->made, err);
}

int rootfs_prepare(int root_fd, const struct plan *plan, struct rootfs_made *made, struct err *err)
{
    struct preparation p = {root_fd, made};

    return each_point(plan, prepare_point, &p, err);
}

static void unmake_one(const struct rootfs_mark *m)
{
    struct stat parent, st;
    bool untouched;

    if (fstat(m->parent_fd, &parent) < 0 ||
        fstatat(m->parent_fd, m->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return;
    if (!S_ISDIR(st.st_mode) && !(S_ISREG(st.st_mode) && st.st_size == 0))
        return;
    if (unlinkat(m->parent_fd, m->name, S_ISDIR(st.st_mode) ? AT_REMOVEDIR : 0) < 0)
        return; /* the command has put something there: it stays */
    untouched =
        parent.st_mtim.tv_sec == m->after.tv_sec && parent.st_mtim.tv_nsec == m->after.tv_nsec;
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, untouched ? m->before : parent.st_mtim};
    futimens(m->parent_fd, times);
}

void rootfs_unmake(struct rootfs_made *made)
{
    while (made->count) {
        struct rootfs_mark *m = &made->marks[--made->count];

        unmake_one(m);
        scope_close(&m->parent_fd);
        free(m->name);
    }
    free(made->marks);
    *made = (struct rootfs_made){0};
}

static int add_name(void *arg, const char *path, bool is_dir, struct err *err)
{
    (void)err;
    strv_addf(arg, "%s%s", path, is_dir ? "/" : "");
    return 0;
}

static int fill_stubs(int dir_fd, const struct strv *names, struct err *err)
{
    for (size_t i = 0; i < names->count; i++) {
        AUTO_FREE char *path = path_beneath(str_of(names->ptr[i]));
        AUTO_FREE char *dir = str_dup(path_dir(str_of(path)));
        bool is_dir = str_ends(str_of(names->ptr[i]), "/");

        if (fs_mkdirs(dir_fd, is_dir ? path : dir, 0755, err) < 0)
            return -1;
        if (is_dir)
            continue;
        AUTO_FD int fd = openat(dir_fd, path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
        if (fd < 0)
            return err_errno(err, "make mount point %s", names->ptr[i]);
    }
    return 0;
}

static int make_stubs(int parent_fd, const char *name, const struct strv *names, struct err *err)
{
    char temporary[64];
    uint64_t unique = 0;
    int rc = 0;

    if (getrandom(&unique, sizeof(unique), 0) != sizeof(unique))
        return err_errno(err, "get random bytes");
    snprintf(temporary, sizeof(temporary), "stubs-new-%016llx", (unsigned long long)unique);
    if (mkdirat(parent_fd, temporary, 0755) < 0)
        return err_errno(err, "make %s", temporary);
    AUTO_FD int fd = fs_open_dir(parent_fd, temporary, err);
    if (fd < 0)
        return -1;
    rc = fill_stubs(fd, names, err);
    /* Another process may have been first: its directory is the same. */
    if (rc == 0 && renameat(parent_fd, temporary, parent_fd, name) < 0 && errno != EEXIST &&
        errno != ENOTEMPTY)
        rc = err_errno(err, "rename %s", temporary);
    fs_remove_tree(parent_fd, temporary, &(struct err){0});
    return rc;
}

int rootfs_stubs(int parent_fd, const struct plan *plan, struct err *err)
{
    SCOPED(strv_release) struct strv names = {0};
    char hex[SHA256_HEX_SIZE], name[40];
    struct sha256 h;
    int fd;

    if (each_point(plan, add_name, &names, err) < 0)
        return -1;
    strv_sort(&names);
    sha256_begin(&h);
    for (size_t i = 0; i < names.count; i++)
        sha256_add_framed(&h, str_of(names.ptr[i]));
    sha256_end_hex(&h, hex);
    snprintf(name, sizeof(name), "stubs-%.24s", hex);
    fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0)
        return fd;
    if (errno != ENOENT)
        return err_errno(err, "open %s", name);
    if (make_stubs(parent_fd, name, &names, err) < 0)
        return -1;
    return fs_open_dir(parent_fd, name, err);
}
