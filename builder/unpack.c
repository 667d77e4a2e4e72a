/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
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
#include "builder/spared.h"
#include "builder/tar.h"
#include "builder/tree_copy.h"
#include "runtime/record.h"

/* A directory's own metadata, which waits for the end: its owner may not be allowed to write into
 * it, and every file made in it changes its time. */
struct late {
    char *path;
    uint32_t mode, uid, gid;
    int64_t mtime;
};

struct unpack {
    int root_fd;
    int parent_fd; /* the directory of the latest entry, or -1 */
    struct buf parent;
    struct late *dirs;
    size_t dirs_count, dirs_capacity;
    bool plain; /* unpack_open_plain() */
    const struct strv *spared;
    bool marks; /* whiteouts are files with an attribute */
    uid_t uid;  /* ours: what new files get by themselves */
    gid_t gid;
    bool single; /* the user namespace has one id: a recorder will tell the rest */
};

#define WHITEOUT_XATTR "user.overlay.whiteout"
#define OPAQUE_XATTR "user.overlay.opaque"

struct unpack *unpack_open(int root_fd)
{
    struct unpack *u = xcalloc(1, sizeof(*u));

    u->root_fd = root_fd;
    u->parent_fd = -1;
    u->uid = geteuid();
    u->gid = getegid();
    u->single = record_is_single();
    return u;
}

struct unpack *unpack_open_plain(int root_fd, const struct strv *spared)
{
    struct unpack *u = unpack_open(root_fd);

    u->plain = true;
    u->spared = spared;
    return u;
}

static void forget_parent(struct unpack *u)
{
    scope_close(&u->parent_fd);
    buf_clear(&u->parent);
}

void unpack_close(struct unpack *u)
{
    if (!u)
        return;
    forget_parent(u);
    buf_release(&u->parent);
    for (size_t i = 0; i < u->dirs_count; i++)
        free(u->dirs[i].path);
    free(u->dirs);
    free(u);
}

static bool is_whiteout(int dir_fd, const char *name, const struct stat *st)
{
    SCOPED(buf_release) struct buf path = {0};
    char fd_path[FS_FD_PATH_MAX];

    if (S_ISCHR(st->st_mode))
        return st->st_rdev == 0;
    if (!S_ISREG(st->st_mode) || st->st_size)
        return false;
    buf_addf(&path, "%s/%s", fs_fd_path(dir_fd, fd_path), name);
    return lgetxattr(buf_cstr(&path), WHITEOUT_XATTR, NULL, 0) >= 0;
}

static int set_opaque(int dir_fd, const char *name, const char *value, const char *path,
                      struct err *err)
{
    AUTO_FD int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0)
        return err_errno(err, "open %s", path);
    if (fsetxattr(fd, OPAQUE_XATTR, value, 1, 0) < 0) {
        err_errno(err, "%s: mark as opaque", path);
        return errno == ENOTSUP
                   ? err_add(err, " (the file system of the store keeps no user.* attributes)")
                   : -1;
    }
    return 0;
}

static void note_dir(struct unpack *u, const char *path, const struct entry *e)
{
    VEC_GROW(u->dirs, u->dirs_count, u->dirs_capacity);
    u->dirs[u->dirs_count++] = (struct late){xstrdup(path), e->mode, e->uid, e->gid, e->mtime};
}

/* A directory that no entry names: 0755 0:0, as the index says. */
static int make_implied(struct unpack *u, const char *path, int dir_fd, const char *name,
                        struct err *err)
{
    struct entry e = {.mode = 0755};

    if (mkdirat(dir_fd, name, 0700) < 0)
        return err_errno(err, "make directory %s", path);
    note_dir(u, path, &e);
    return 0;
}

/* One parent, found or made, below dir_fd. */
static int enter(struct unpack *u, int dir_fd, const char *name, const char *path,
                 const char *entry, struct err *err)
{
    struct stat st;
    int fd;

    if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
        if (errno != ENOENT)
            return err_errno(err, "%s", path);
        if (make_implied(u, path, dir_fd, name, err) < 0)
            return -1;
    } else if (!u->plain && is_whiteout(dir_fd, name, &st)) { /* removed below, and made anew */
        if (unlinkat(dir_fd, name, 0) < 0)
            return err_errno(err, "%s", path);
        if (make_implied(u, path, dir_fd, name, err) < 0 ||
            set_opaque(dir_fd, name, "y", path, err) < 0)
            return -1;
    } else if (!S_ISDIR(st.st_mode)) {
        struct entry e = {0};

        entry_of_stat(&e, &st);
        return err_set(err, ERR_INPUT, ENOTDIR,
                       "\"%s\": \"%s\" is a %s in this layer, not a directory", entry, path,
                       entry_type_name(e.type));
    }
    fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? err_errno(err, "open %s", path) : fd;
}

/* Component by component: slower, but makes what is missing and knows what is wrong. */
static int walk_to(struct unpack *u, const char *dir, const char *entry, struct err *err)
{
    AUTO_FREE char *part = xstrdup(dir);
    AUTO_FD int fd = fcntl(u->root_fd, F_DUPFD_CLOEXEC, 3);
    char *name = part;

    if (fd < 0)
        return err_errno(err, "duplicate a descriptor");
    while (name && strcmp(part, ".") != 0) {
        char *slash = strchr(name, '/');
        int next;

        if (slash)
            *slash = '\0';
        next = enter(u, fd, name, part, entry, err);
        if (next < 0)
            return -1;
        close(fd);
        fd = next;
        if (slash)
            *slash = '/';
        name = slash ? slash + 1 : NULL;
    }
    return steal_fd(&fd);
}

/* Makes u->parent_fd the directory that path is in; its last component in *name (borrowed from
 * path). */
static int open_parent(struct unpack *u, const char *path, const char **name, struct err *err)
{
    struct str dir = path_dir(str_of(path));
    const char *slash = strrchr(path, '/');
    AUTO_FREE char *copy = NULL;
    struct err unused = {0};

    *name = slash ? slash + 1 : path;
    if (u->parent_fd >= 0 && str_eq(dir, buf_str(&u->parent)))
        return 0;
    forget_parent(u);
    copy = str_dup(dir);
    u->parent_fd =
        fs_open_beneath(u->root_fd, copy, O_RDONLY | O_DIRECTORY, 0, FS_NO_LINKS, &unused);
    if (u->parent_fd < 0)
        u->parent_fd = walk_to(u, copy, path, err);
    if (u->parent_fd < 0)
        return -1;
    buf_add_str(&u->parent, dir);
    return 0;
}

/*
 * Something is at the place of a new entry. 0: it was removed (*replaced: it was a whiteout). 1:
 * what is there stays.
 */
static int make_room(struct unpack *u, const struct entry *e, const char *name, bool *replaced,
                     struct err *err)
{
    struct stat st;

    if (fstatat(u->parent_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : err_errno(err, "%s", e->path);
    *replaced = !u->plain && is_whiteout(u->parent_fd, name, &st);
    if (e->type ==
        ENTRY_WHITEOUT) /* of what is below; what this layer itself has stays, and hides it */
        return S_ISDIR(st.st_mode) && set_opaque(u->parent_fd, name, "y", e->path, err) < 0 ? -1
                                                                                            : 1;
    if (S_ISDIR(st.st_mode) && e->type == ENTRY_DIR)
        return 1;
    if (e->implied && !*replaced)
        return err_set(err, ERR_INPUT, ENOTDIR,
                       "\"%s\" is marked opaque, but it is not a directory", e->path);
    if (S_ISDIR(st.st_mode))
        return fs_remove_tree(u->parent_fd, name, err) < 0 ? err_wrap(err, "replace %s", e->path)
                                                           : 0;
    return unlinkat(u->parent_fd, name, 0) < 0 ? err_errno(err, "replace %s", e->path) : 0;
}

/* An xattr whiteout, and the mark on its directory that makes the kernel look for them. */
static int mark_whiteout(struct unpack *u, const char *name, const char *path, struct err *err)
{
    AUTO_FD int fd = -1;
    char value;

    if (fgetxattr(u->parent_fd, OPAQUE_XATTR, &value, 1) == 1 && value == 'y')
        return 0; /* hides everything below anyway */
    fd = openat(u->parent_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return errno == EEXIST ? 1 : err_errno(err, "%s", path);
    if (fsetxattr(fd, WHITEOUT_XATTR, "", 0, 0) < 0)
        return err_errno(err, "%s: neither a device 0:0 nor an attribute can mark it as removed",
                         path);
    return fsetxattr(u->parent_fd, OPAQUE_XATTR, "x", 1, 0) < 0
               ? err_errno(err, "%s: mark its directory", path)
               : 0;
}

static int make_whiteout(struct unpack *u, const char *name, const char *path, struct err *err)
{
    if (!u->marks) {
        if (mknodat(u->parent_fd, name, S_IFCHR | 0600, makedev(0, 0)) == 0)
            return 0;
        if (errno != EPERM)
            return errno == EEXIST ? 1 : err_errno(err, "%s", path);
        u->marks = true;
        log_debug("%s: no device 0:0 can be made here; whiteouts become attributes", path);
    }
    return mark_whiteout(u, name, path, err);
}

/* Attributes that cannot be kept here are still in the index. */
static void set_xattrs(int fd, const struct entry *e)
{
    for (size_t i = 0; i < e->xattrs_count; i++) {
        const struct xattr *x = &e->xattrs[i];

        if (strcmp(x->name, RECORD_XATTR) == 0)
            continue; /* a layer has no say in it */
        if (strncmp(x->name, "user.", 5) != 0 && strcmp(x->name, "security.capability") != 0)
            continue; /* a host's own business */
        if (fsetxattr(fd, x->name, x->value.ptr ? x->value.ptr : "", x->value.size, 0) < 0)
            log_debug("%s: attribute %s is not set: %s", e->path, x->name, strerror(errno));
    }
}

/* The bits that may be set when the owner could not be. */
static uint32_t mode_without_owner(const char *path, uint32_t uid, uint32_t gid, uint32_t mode)
{
    log_debug("%s: owner %u:%u is not set: %s", path, uid, gid, strerror(errno));
    return mode & 01777;
}

/* Set-id bits beside the wrong owner are dangerous where ids are real, and only there. */
static uint32_t record_owner(const struct unpack *u, int fd, const struct entry *e)
{
    const struct record r = {.uid = e->uid, .gid = e->gid};

    if (record_set_fd(fd, &r) < 0 || !u->single)
        return mode_without_owner(e->path, e->uid, e->gid, e->mode);
    return e->mode;
}

/* An empty file that says which device it is. Where that cannot be said, a whiteout, so that no
 * lower file shows through. */
static int stand_for_device(struct unpack *u, const char *name, const struct entry *e,
                            struct err *err)
{
    const struct record r = {.uid = e->uid,
                             .gid = e->gid,
                             .kind = e->type == ENTRY_CHAR ? 'c' : 'b',
                             .dev_major = e->dev_major,
                             .dev_minor = e->dev_minor};
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = e->mtime}};
    AUTO_FD int fd = -1;

    if (!u->single) {
        log_debug("%s: a device, kept in the layer alone", e->path);
        return make_whiteout(u, name, e->path, err);
    }
    fd = openat(u->parent_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return errno == EEXIST ? 1 : err_errno(err, "make %s", e->path);
    if (record_set_fd(fd, &r) < 0 || fchmod(fd, e->mode) < 0 || futimens(fd, times) < 0)
        return err_errno(err, "%s: record the device", e->path);
    return 0;
}

static int set_metadata(struct unpack *u, int fd, const struct entry *e, struct err *err)
{
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = e->mtime}};
    uint32_t mode = e->mode;

    if ((e->uid != u->uid || e->gid != u->gid) && fchown(fd, e->uid, e->gid) < 0)
        mode = record_owner(u, fd, e);
    if (u->uid) /* who is not root must be able to read it again */
        mode |= e->type == ENTRY_DIR ? 0700 : 0400;
    set_xattrs(fd, e); /* after chown, which clears capabilities */
    if (fchmod(fd, mode) < 0 || futimens(fd, times) < 0)
        return err_errno(err, "set mode and time of %s", e->path);
    return 0;
}

/* The same for what cannot be opened. */
static int set_metadata_at(struct unpack *u, const char *name, const struct entry *e,
                           struct err *err)
{
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = e->mtime}};
    uint32_t mode = e->mode;

    if ((e->uid != u->uid || e->gid != u->gid) &&
        fchownat(u->parent_fd, name, e->uid, e->gid, AT_SYMLINK_NOFOLLOW) < 0)
        mode = mode_without_owner(e->path, e->uid, e->gid, mode);
    if (e->type != ENTRY_SYMLINK && fchmodat(u->parent_fd, name, mode, 0) < 0)
        return err_errno(err, "set mode of %s", e->path);
    if (utimensat(u->parent_fd, name, times, AT_SYMLINK_NOFOLLOW) < 0)
        return err_errno(err, "set time of %s", e->path);
    return 0;
}

/* Where a file's bytes come from. */
struct content {
    struct tar_reader *tar; /* or NULL: */
    struct str bytes;
};

static int write_content(int fd, const struct entry *e, const struct content *content,
                         struct err *err)
{
    uint64_t end = 0, offset;
    const void *bytes;
    size_t size;
    int got = 0;

    if (!content->tar)
        return fs_pwrite(fd, content->bytes.ptr, content->bytes.size, 0, err) < 0
                   ? err_wrap(err, "%s", e->path)
                   : 0;
    while (e->size && (got = tar_data(content->tar, &bytes, &size, &offset, err)) > 0) {
        if (fs_pwrite(fd, bytes, size, (off_t)offset, err) < 0)
            return err_wrap(err, "%s", e->path);
        end = offset + size;
    }
    if (got < 0)
        return err_wrap(err, "%s", e->path);
    if (end < e->size && ftruncate(fd, (off_t)e->size) < 0)
        return err_errno(err, "%s", e->path);
    return 0;
}

/* These make one entry. 0 made, 1 something is there already, -1. */
static int make_file(struct unpack *u, const char *name, const struct entry *e,
                     const struct content *content, struct err *err)
{
    AUTO_FD int fd =
        openat(u->parent_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

    if (fd < 0)
        return errno == EEXIST ? 1 : err_errno(err, "make %s", e->path);
    if (write_content(fd, e, content, err) < 0)
        return -1;
    return set_metadata(u, fd, e, err);
}

/* A file that is written to later does not change its other names: in an overlay neither. */
static int copy_link(struct unpack *u, int from_dir, const char *from, const char *name,
                     const struct entry *e, struct err *err)
{
    static const struct tree_copy options = {0};
    AUTO_FD int fd = openat(from_dir, from, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat st;

    if (fd < 0)
        return err_errno(err, "open %s", e->link);
    if (fstatat(u->parent_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
        return 1;
    return tree_copy_file(fd, u->parent_fd, name, &options, err) < 0
               ? err_wrap(err, "copy %s to %s", e->link, e->path)
               : 0;
}

static int make_device(struct unpack *u, const char *name, const struct entry *e, struct err *err)
{
    if (mknodat(u->parent_fd, name, (e->type == ENTRY_CHAR ? S_IFCHR : S_IFBLK) | 0600,
                makedev(e->dev_major, e->dev_minor)) == 0)
        return set_metadata_at(u, name, e, err);
    if (errno == EPERM) /* a user namespace: it stays in the layer alone */
        return 0;
    return errno == EEXIST ? 1 : err_errno(err, "make device %s", e->path);
}

static int make_link(struct unpack *u, const char *name, const struct entry *e, struct err *err)
{
    struct str dir = path_dir(str_of(e->link)), base = path_base(str_of(e->link));
    AUTO_FREE char *copy = str_dup(dir), *target = str_dup(base);
    struct err unused = {0};
    struct stat st;
    AUTO_FD int fd =
        fs_open_beneath(u->root_fd, copy, O_PATH | O_DIRECTORY, 0, FS_NO_LINKS, &unused);

    if (strcmp(e->path, e->link) == 0)
        return err_set(err, ERR_INPUT, EINVAL, "\"%s\" is a hard link to itself", e->path);
    if (fd < 0 || fstatat(fd, target, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
        (!u->plain && is_whiteout(fd, target, &st)))
        return err_set(err, ERR_INPUT, ENOENT,
                       "\"%s\" is a hard link to \"%s\", which is not there", e->path, e->link);
    if (S_ISDIR(st.st_mode))
        return err_set(err, ERR_INPUT, EPERM, "\"%s\" is a hard link to the directory \"%s\"",
                       e->path, e->link);
    if (u->plain && S_ISREG(st.st_mode))
        return copy_link(u, fd, target, name, e, err);
    if (linkat(fd, target, u->parent_fd, name, 0) == 0)
        return 0;
    return errno == EEXIST ? 1 : err_errno(err, "link %s to %s", e->path, e->link);
}

static int make_dir(struct unpack *u, const char *name, const struct entry *e, struct err *err)
{
    if (mkdirat(u->parent_fd, name, 0700) < 0)
        return errno == EEXIST ? 1 : err_errno(err, "make directory %s", e->path);
    return 0;
}

static int make(struct unpack *u, const char *name, const struct entry *e,
                const struct content *content, struct err *err)
{
    switch (e->type) {
    case ENTRY_FILE:
        return make_file(u, name, e, content, err);
    case ENTRY_DIR:
        return make_dir(u, name, e, err);
    case ENTRY_HARDLINK:
        return make_link(u, name, e, err);
    case ENTRY_SYMLINK:
        if (symlinkat(e->link, u->parent_fd, name) < 0)
            return errno == EEXIST ? 1 : err_errno(err, "make link %s", e->path);
        return set_metadata_at(u, name, e, err);
    case ENTRY_FIFO:
        if (mknodat(u->parent_fd, name, S_IFIFO | 0600, 0) < 0)
            return errno == EEXIST ? 1 : err_errno(err, "make %s", e->path);
        return set_metadata_at(u, name, e, err);
    case ENTRY_CHAR:
    case ENTRY_BLOCK:
        return u->plain && !u->single ? make_device(u, name, e, err)
                                      : stand_for_device(u, name, e, err);
    case ENTRY_WHITEOUT:
        if (u->plain)
            return 0;
        return make_whiteout(u, name, e->path, err);
    case ENTRY_NONE:
        break;
    }
    return err_set(err, ERR_INPUT, EINVAL, "\"%s\" is a %s", e->path, entry_type_name(e->type));
}

/* A directory is there, made or found: what the entry says of it. */
static int settle_dir(struct unpack *u, const char *name, const struct entry *e, bool opaque,
                      struct err *err)
{
    if (!e->implied)
        note_dir(u, e->path, e);
    if (opaque && !u->plain && set_opaque(u->parent_fd, name, "y", e->path, err) < 0)
        return -1;
    if (e->xattrs_count) {
        AUTO_FD int fd =
            openat(u->parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

        if (fd < 0)
            return err_errno(err, "open %s", e->path);
        set_xattrs(fd, e);
    }
    return 0;
}

int unpack_entry(struct unpack *u, const struct entry *e, struct tar_reader *tar, struct str bytes,
                 struct err *err)
{
    const struct content content = {tar, bytes};
    const char *name;
    bool replaced = false;
    int there;

    if (spared_has(u->spared, e->path))
        return 0;
    if (strcmp(e->path, ".") == 0) {
        if (e->type != ENTRY_DIR)
            return err_set(err, ERR_INPUT, EINVAL, "the root of a layer is a %s",
                           entry_type_name(e->type));
        forget_parent(u);
        u->parent_fd = fcntl(u->root_fd, F_DUPFD_CLOEXEC, 3);
        buf_adds(&u->parent, ".");
        return settle_dir(u, ".", e, e->opaque, err);
    }
    if (open_parent(u, e->path, &name, err) < 0)
        return -1;
    there = make(u, name, e, &content, err);
    if (there > 0) {
        there = make_room(u, e, name, &replaced, err);
        if (there == 0)
            there = make(u, name, e, &content, err);
        BUG_ON(there > 0 && e->type != ENTRY_DIR && e->type != ENTRY_WHITEOUT);
    } else if (there == 0 && e->type == ENTRY_DIR && e->implied) {
        struct entry made = {.mode = 0755};

        note_dir(u, e->path, &made);
    }
    if (there < 0)
        return -1;
    return e->type == ENTRY_DIR ? settle_dir(u, name, e, e->opaque || replaced, err) : 0;
}

static int late_cmp(const void *a, const void *b)
{
    const struct late *const *x = a, *const *y = b;
    int order = entry_path_cmp((*y)->path, (*x)->path);

    /* Children first; of the same path the latest first. */
    return order ? order : *x > *y ? -1 : *x < *y;
}

static int settle_late(struct unpack *u, const struct late *late, struct err *err)
{
    struct entry e = {.path = late->path,
                      .type = ENTRY_DIR,
                      .mode = late->mode,
                      .uid = late->uid,
                      .gid = late->gid,
                      .mtime = late->mtime};
    struct err why = {0};
    AUTO_FD int fd =
        fs_open_beneath(u->root_fd, late->path, O_RDONLY | O_DIRECTORY, 0, FS_NO_LINKS, &why);

    if (fd < 0 && (why.code == ENOENT || why.code == ENOTDIR || why.code == ELOOP))
        return 0; /* replaced by something else since */
    if (fd < 0) {
        *err = why;
        return -1;
    }
    return set_metadata(u, fd, &e, err);
}

int unpack_end(struct unpack *u, struct err *err)
{
    AUTO_FREE const struct late **order = xcalloc(u->dirs_count + 1, sizeof(void *));

    forget_parent(u);
    for (size_t i = 0; i < u->dirs_count; i++)
        order[i] = &u->dirs[i];
    qsort(order, u->dirs_count, sizeof(void *), late_cmp);
    for (size_t i = 0; i < u->dirs_count; i++) {
        bool again = i > 0 && strcmp(order[i]->path, order[i - 1]->path) == 0;

        if (!again && settle_late(u, order[i], err) < 0)
            return -1;
    }
    return 0;
}
