/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/path.h"
#include "base/scope.h"
#include "builder/export.h"
#include "builder/view.h"

/* A directory gets its mode and times last: it must be open to us while it is filled. */
struct made_dir {
    char *path;
    uint32_t mode, uid, gid;
    int64_t mtime;
};

struct filling {
    struct stack *stack;
    struct layout *layout;
    const struct export_options *options;
    int root_fd;
    int parent_fd; /* of the last entry; -1: none yet */
    char *parent;
    char temporary[48]; /* name of the file being made */
    struct made_dir *dirs;
    size_t dirs_count, dirs_capacity;
    struct export_links links;
    bool told_xattrs;
};

static void filling_release(struct filling *f)
{
    for (size_t i = 0; i < f->dirs_count; i++)
        free(f->dirs[i].path);
    free(f->dirs);
    free(f->parent);
    scope_close(&f->parent_fd);
    export_links_release(&f->links);
}

/* Entries come directory by directory: one is kept open. */
static int enter_parent(struct filling *f, const char *path, struct err *err)
{
    AUTO_FREE char *parent = str_dup(path_dir(str_of(path)));

    if (f->parent && strcmp(f->parent, parent) == 0)
        return 0;
    scope_close(&f->parent_fd);
    free(f->parent);
    f->parent = NULL;
    f->parent_fd = fs_open_beneath(f->root_fd, parent, O_PATH | O_DIRECTORY, 0, FS_NO_LINKS, err);
    if (f->parent_fd < 0)
        return -1;
    f->parent = steal_ptr(&parent);
    return 0;
}

static int64_t time_of(const struct filling *f, int64_t mtime)
{
    return f->options->clamp && mtime > f->options->epoch ? f->options->epoch : mtime;
}

/* Whatever stands there and is no directory makes room. */
static int make_dir(struct filling *f, const struct entry *e, const char *name, struct err *err)
{
    struct made_dir *dir;
    struct stat st;

    if (mkdirat(f->parent_fd, name, 0700) < 0) {
        if (errno != EEXIST || fstatat(f->parent_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            return err_errno(err, "make directory %s", e->path);
        if (!S_ISDIR(st.st_mode)) {
            if (unlinkat(f->parent_fd, name, 0) < 0 || mkdirat(f->parent_fd, name, 0700) < 0)
                return err_errno(err, "make directory %s", e->path);
        } else if ((st.st_mode & 0700) != 0700 &&
                   fchmodat(f->parent_fd, name, (st.st_mode & 07777) | 0700, 0) < 0) {
            return err_errno(err, "open directory %s", e->path);
        }
    }
    VEC_GROW(f->dirs, f->dirs_count, f->dirs_capacity);
    dir = &f->dirs[f->dirs_count++];
    *dir = (struct made_dir){xstrdup(e->path), e->mode, e->uid, e->gid, time_of(f, e->mtime)};
    return 0;
}

static int set_xattrs(struct filling *f, const struct entry *e, int fd, struct err *err)
{
    for (size_t i = 0; i < e->xattrs_count; i++) {
        const struct xattr *x = &e->xattrs[i];

        if (fsetxattr(fd, x->name, x->value.ptr, x->value.size, 0) == 0)
            continue;
        if (errno != EPERM && errno != ENOTSUP && errno != EACCES)
            return err_errno(err, "set %s of %s", x->name, e->path);
        if (!f->told_xattrs)
            log_warn("%s: extended attribute %s cannot be set there (%s); others may be missing "
                     "too",
                     e->path, x->name, strerror(errno));
        f->told_xattrs = true;
    }
    return 0;
}

/* Owner before mode and attributes: changing it clears them. */
static int dress_file(struct filling *f, const struct entry *e, int fd, struct err *err)
{
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = time_of(f, e->mtime)}};

    if (f->options->owners && fchown(fd, e->uid, e->gid) < 0)
        return err_errno(err, "give %s to %u:%u", e->path, e->uid, e->gid);
    if (fchmod(fd, e->mode) < 0)
        return err_errno(err, "set the mode of %s", e->path);
    if (set_xattrs(f, e, fd, err) < 0)
        return -1;
    return futimens(fd, times) < 0 ? err_errno(err, "set the time of %s", e->path) : 0;
}

/* Nameless where the file system can do that: who is killed leaves nothing. */
static int open_new(struct filling *f, bool *named)
{
    int fd = openat(f->parent_fd, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);

    *named = false;
    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL))
        return fd;
    *named = true;
    return openat(f->parent_fd, f->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
                  0600);
}

/* 2: it stands under its own name already. */
static int write_file(struct filling *f, const struct view_entry *at, const char *name,
                      struct err *err)
{
    AUTO_FD int from = stack_open_file(f->stack, f->layout, at, err), to = -1;
    char link[FS_FD_PATH_MAX];
    bool named;

    if (from < 0)
        return -1;
    to = open_new(f, &named);
    if (to < 0)
        return err_errno(err, "make %s", at->entry.path);
    if (fs_copy(from, to, at->entry.size, err) < 0)
        return err_wrap(err, "write %s", at->entry.path);
    if (dress_file(f, &at->entry, to, err) < 0)
        return -1;
    if (named)
        return 0;
    if (linkat(AT_FDCWD, fs_fd_path(to, link), f->parent_fd, name, AT_SYMLINK_FOLLOW) == 0)
        return 2;
    if (errno != EEXIST ||
        linkat(AT_FDCWD, fs_fd_path(to, link), f->parent_fd, f->temporary, AT_SYMLINK_FOLLOW) < 0)
        return err_errno(err, "make %s", at->entry.path);
    return 0;
}

/* Links have no mode; nodes take what dress_file() would give, without being opened. */
static int dress_name(struct filling *f, const struct entry *e, struct err *err)
{
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = time_of(f, e->mtime)}};

    if (f->options->owners &&
        fchownat(f->parent_fd, f->temporary, e->uid, e->gid, AT_SYMLINK_NOFOLLOW) < 0)
        return err_errno(err, "give %s to %u:%u", e->path, e->uid, e->gid);
    if (e->type != ENTRY_SYMLINK && fchmodat(f->parent_fd, f->temporary, e->mode, 0) < 0)
        return err_errno(err, "set the mode of %s", e->path);
    if (utimensat(f->parent_fd, f->temporary, times, AT_SYMLINK_NOFOLLOW) < 0)
        return err_errno(err, "set the time of %s", e->path);
    return 0;
}

static int write_link(struct filling *f, const struct entry *e, struct err *err)
{
    if (symlinkat(e->link, f->parent_fd, f->temporary) < 0)
        return err_errno(err, "make link %s", e->path);
    return dress_name(f, e, err);
}

/* 1: left out. */
static int write_node(struct filling *f, const struct entry *e, struct err *err)
{
    mode_t kind = e->type == ENTRY_CHAR ? S_IFCHR : e->type == ENTRY_BLOCK ? S_IFBLK : S_IFIFO;

    if (mknodat(f->parent_fd, f->temporary, kind | 0600, makedev(e->dev_major, e->dev_minor)) < 0) {
        if (errno != EPERM || kind == S_IFIFO)
            return err_errno(err, "make %s %s", entry_type_name(e->type), e->path);
        log_warn("%s: a %s cannot be made without root; it is left out", e->path,
                 entry_type_name(e->type));
        return 1;
    }
    return dress_name(f, e, err);
}

static int write_hard_link(struct filling *f, const struct entry *e, const char *first,
                           struct err *err)
{
    AUTO_FREE char *parent = str_dup(path_dir(str_of(first)));
    AUTO_FREE char *name = str_dup(path_base(str_of(first)));
    AUTO_FD int fd = fs_open_beneath(f->root_fd, parent, O_PATH | O_DIRECTORY, 0, FS_NO_LINKS, err);

    if (fd < 0)
        return -1;
    if (linkat(fd, name, f->parent_fd, f->temporary, 0) < 0)
        return err_errno(err, "link %s to %s", e->path, first);
    return 0;
}

static int appear(struct filling *f, const struct entry *e, const char *name, struct err *err)
{
    if (renameat(f->parent_fd, f->temporary, f->parent_fd, name) == 0) {
        /* Two names of one inode: rename does nothing and both stay (POSIX rename). */
        unlinkat(f->parent_fd, f->temporary, 0);
        return 0;
    }
    if (errno == EISDIR)
        return err_set(err, ERR_INPUT, EISDIR,
                       "%s is a directory there and a %s in the build; move it away first", e->path,
                       entry_type_name(e->type));
    return err_errno(err, "write %s", e->path);
}

static int fill_one(void *ctx, const struct view_entry *at, bool *skip, struct err *err)
{
    struct filling *f = ctx;
    const struct entry *e = &at->entry;
    AUTO_FREE char *name = str_dup(path_base(str_of(e->path)));
    const char *same = export_links_find(&f->links, &f->stack->view, at);
    int rc;

    (void)skip;
    if (strcmp(e->path, ".") == 0)
        return 0;
    if (enter_parent(f, e->path, err) < 0)
        return -1;
    if (e->type == ENTRY_DIR)
        return make_dir(f, e, name, err);
    if (same)
        rc = write_hard_link(f, e, same, err);
    else if (e->type == ENTRY_FILE)
        rc = write_file(f, at, name, err);
    else if (e->type == ENTRY_SYMLINK)
        rc = write_link(f, e, err);
    else
        rc = write_node(f, e, err);
    if (rc == 0)
        rc = appear(f, e, name, err);
    if (rc < 0)
        unlinkat(f->parent_fd, f->temporary, 0);
    return rc < 0 ? -1 : 0;
}

static int remove_others(const struct filling *f, const char *dir, int fd, struct err *err)
{
    SCOPED(strv_release) struct strv names = {0};

    if (fs_list(fd, &names, err) < 0)
        return -1;
    for (size_t i = 0; i < names.count; i++) {
        AUTO_FREE char *path = path_join(dir, names.ptr[i]);
        struct view_entry ignored;

        if (!view_lookup(&f->stack->view, path, &ignored) &&
            fs_remove_tree(fd, names.ptr[i], err) < 0)
            return err_wrap(err, "remove %s", path);
    }
    return 0;
}

/* The deepest first: a parent's time is its own again after its children were dressed. */
static int dress_dirs(struct filling *f, struct err *err)
{
    for (size_t i = f->dirs_count; i-- > 0;) {
        const struct made_dir *dir = &f->dirs[i];
        struct entry e = {.path = dir->path,
                          .type = ENTRY_DIR,
                          .mode = dir->mode,
                          .uid = dir->uid,
                          .gid = dir->gid,
                          .mtime = dir->mtime};
        struct view_entry at;
        AUTO_FD int fd =
            fs_open_beneath(f->root_fd, dir->path, O_RDONLY | O_DIRECTORY, 0, FS_NO_LINKS, err);

        if (fd < 0 || (f->options->remove && remove_others(f, dir->path, fd, err) < 0))
            return -1;
        if (view_lookup(&f->stack->view, dir->path, &at)) {
            e.xattrs = at.entry.xattrs;
            e.xattrs_count = at.entry.xattrs_count;
        }
        if (dress_file(f, &e, fd, err) < 0)
            return -1;
    }
    return f->options->remove ? remove_others(f, ".", f->root_fd, err) : 0;
}

int export_dir(struct stack *stack, struct layout *layout, int dir_fd,
               const struct export_options *options, struct err *err)
{
    SCOPED(filling_release)
    struct filling f = {
        .stack = stack, .layout = layout, .options = options, .root_fd = dir_fd, .parent_fd = -1};
    const struct view *view = stack_view(stack, layout, err);

    if (!view)
        return -1;
    snprintf(f.temporary, sizeof(f.temporary), ".slipway-%ld", (long)getpid());
    if (view_walk(view, ".", fill_one, &f, err) < 0)
        return -1;
    return dress_dirs(&f, err);
}
