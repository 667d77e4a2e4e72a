/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/bind.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/path.h"
#include "base/scope.h"
#include "builder/root.h"
#include "builder/tree_copy.h"
#include "builder/worktree.h"
#include "runtime/idmap.h"
#include "runtime/overlay.h"
#include "runtime/session.h"
#include "runtime/subtree.h"

static int find(struct origin *origin, const char *path, struct origin_file *file, struct err *err)
{
    SCOPED(buf_release) struct buf shown = {0};
    int found = origin_find(origin, path, true, file, err);

    if (found)
        return found < 0 ? -1 : 0;
    buf_add_escaped(&shown, str_of(path));
    return err_set(err, ERR_INPUT, ENOENT, "\"%s\" is not in %s%s", buf_cstr(&shown), origin->label,
                   origin_hint(origin, path));
}

/* ---- what it is made of ---- */

static int hash_tree(struct origin *origin, const struct origin_file *file, const char *name,
                     struct sha256 *h, struct err *err)
{
    SCOPED(origin_list_release) struct origin_list list = {0};
    const struct entry *e = &file->entry;

    sha256_add_framed(h, str_of(name));
    sha256_add_u64(h, e->type);
    sha256_add_u64(h, e->type == ENTRY_SYMLINK ? 0777 : e->mode);
    sha256_add_u64(h, origin->context ? 0 : (uint64_t)e->uid << 32 | e->gid);
    sha256_add_framed(h, str_of(e->type == ENTRY_SYMLINK ? e->link : NULL));
    sha256_add_u64(h, (uint64_t)e->dev_major << 32 | e->dev_minor);
    if (origin_hash(origin, file->ref, h, err) < 0)
        return -1;
    if (e->type != ENTRY_DIR)
        return 0;
    if (origin_list_dir(origin, file->ref, &list, err) < 0)
        return -1;
    sha256_add_u64(h, list.count);
    for (size_t i = 0; i < list.count; i++) {
        struct str base = path_base(str_of(origin_path(origin, list.items[i].ref)));
        AUTO_FREE char *child = str_dup(base);

        if (hash_tree(origin, &list.items[i], child, h, err) < 0)
            return -1;
    }
    return 0;
}

int bind_hash(struct origin *origin, const char *path, struct sha256 *h, struct err *err)
{
    struct origin_file file;

    if (find(origin, path, &file, err) < 0)
        return -1;
    return hash_tree(origin, &file, "", h, err);
}

static const char *changed_below(struct context *context, const struct context_node *node)
{
    if (context_changed(context, node))
        return node->path;
    for (size_t i = 0; i < node->count; i++) {
        const char *path = changed_below(context, &node->children[i]);

        if (path)
            return path;
    }
    return NULL;
}

const char *bind_changed(struct origin *origin, const char *path)
{
    struct origin_file file;
    struct err ignored = {0};

    if (!origin->context || origin_find(origin, path, true, &file, &ignored) <= 0)
        return NULL;
    return changed_below(origin->context, file.ref.node);
}

/* ---- stages and images ---- */

static int make_dir(struct bind *b, const char *name, struct err *err)
{
    if (mkdirat(b->tmp.fd, name, 0755) < 0)
        return err_errno(err, "make a directory for a mount");
    return fs_open_dir(b->tmp.fd, name, err);
}

/* An overlay of these, topmost first; writable with an upper of its own in tmp. */
static int overlay(struct bind *b, struct session *session, const int *lowers, size_t count,
                   bool writable, struct err *err)
{
    AUTO_FD int upper = -1, work = -1;
    struct overlay o = {.lower_fds = lowers, .lower_count = count, .upper_fd = -1, .work_fd = -1};
    struct stat st;

    if (writable) {
        upper = make_dir(b, "upper", err);
        work = upper < 0 ? -1 : make_dir(b, "work", err);
        if (work < 0)
            return -1;
        /* The merged root looks as its topmost directory does. */
        if (fstat(lowers[0], &st) < 0 || fchown(upper, st.st_uid, st.st_gid) < 0 ||
            fchmod(upper, st.st_mode & 07777) < 0)
            return err_errno(err, "set up a mount's directory");
        o.upper_fd = upper;
        o.work_fd = work;
    }
    return overlay_mount(session, &o, err);
}

/* A tree of its own to be written to. */
static int open_whole(struct bind *b, struct origin *origin, struct err *err)
{
    b->whole = xmalloc(sizeof(*b->whole));
    *b->whole = (struct worktree)WORKTREE_CLOSED;
    if (worktree_hold(b->whole, origin->layout, origin->stack, err) < 0)
        return -1;
    return fcntl(b->whole->root_fd, F_DUPFD_CLOEXEC, 3);
}

static int open_stack(struct bind *b, struct session *session, struct origin *origin,
                      const char *path, bool writable, struct err *err)
{
    AUTO_FREE int *fds = xcalloc(origin->stack->count + 2, sizeof(*fds));
    AUTO_FD int whole = -1;
    int count = stack_open_lowers(origin->stack, origin->layout, b->tmp.fd, fds, err);

    if (count < 0)
        return -1;
    if (count == 0) { /* scratch: an empty directory */
        fds[0] = make_dir(b, "empty", err);
        if (fds[0] < 0)
            return -1;
        count = 1;
    }
    whole = writable && !root_has_overlay(origin->layout, session)
                ? open_whole(b, origin, err)
                : overlay(b, session, fds, (size_t)count, writable, err);
    for (int i = 0; i < count; i++)
        close(fds[i]);
    if (whole < 0)
        return -1;
    b->mount_fd = subtree_mount(whole, path, !writable, &b->is_dir, err);
    return b->mount_fd < 0 ? -1 : 0;
}

/* ---- the context ---- */

/* How the files of the context may be shown. */
struct look {
    dev_t dev;
    uid_t uid; /* of all of them */
    gid_t gid;
    bool foreign; /* several owners or file systems: as they lie they are not what is to be seen */
    struct strv hidden; /* what is there and left out, relative to the source */
};

static void look_release(struct look *l)
{
    strv_release(&l->hidden);
}

static int look_at(struct origin *origin, struct context_node *node, size_t skip, struct look *l,
                   struct err *err);

/* Both lists are sorted by bytes; what is only in the first is hidden. */
static int compare_names(struct origin *origin, struct context_node *node, size_t skip,
                         struct look *l, struct err *err)
{
    SCOPED(strv_release) struct strv names = {0};
    AUTO_FD int fd = context_open_file(origin->context, node, err);
    const char *below = node->path + (strlen(node->path) > skip ? skip : strlen(node->path));
    bool top = strcmp(node->path, ".") == 0 || !*below;
    size_t next = 0;

    if (fd < 0 || fs_list(fd, &names, err) < 0)
        return -1;
    for (size_t i = 0; i < names.count; i++) {
        if (next < node->count && strcmp(node->children[next].name, names.ptr[i]) == 0) {
            next++;
            continue;
        }
        strv_addf(&l->hidden, "%s%s%s", top ? "" : below, top ? "" : "/", names.ptr[i]);
    }
    for (size_t i = 0; i < node->count && !l->foreign; i++)
        if (look_at(origin, &node->children[i], skip, l, err) < 0)
            return -1;
    return 0;
}

/* skip: how much of a node's path leads to the source. */
static int look_at(struct origin *origin, struct context_node *node, size_t skip, struct look *l,
                   struct err *err)
{
    if (node->st.st_uid != l->uid || node->st.st_gid != l->gid || node->st.st_dev != l->dev) {
        l->foreign = true;
        return 0;
    }
    if (!S_ISDIR(node->st.st_mode))
        return 0;
    if (context_load(origin->context, node, err) < 0)
        return -1;
    return compare_names(origin, node, skip, l, err);
}

/* The directories on the way to a hidden name look as those below them, for the topmost says how a
 * merged directory looks. */
static int dress_parents(int from_fd, int mask_fd, const char *path, struct err *err)
{
    AUTO_FREE char *dir = str_dup(path_dir(str_of(path)));
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}};
    struct stat st;

    for (;;) {
        if (fstatat(from_fd, dir, &st, AT_SYMLINK_NOFOLLOW) < 0)
            return err_errno(err, "look at %s", dir);
        times[1] = st.st_mtim;
        if (fchmodat(mask_fd, dir, st.st_mode & 07777, 0) < 0 ||
            utimensat(mask_fd, dir, times, AT_SYMLINK_NOFOLLOW) < 0)
            return err_errno(err, "set up %s", dir);
        if (strcmp(dir, ".") == 0)
            return 0;
        AUTO_FREE char *up = str_dup(path_dir(str_of(dir)));
        free(dir);
        dir = steal_ptr(&up);
    }
}

static int fill_mask(int from_fd, int mask_fd, const struct look *l, struct err *err)
{
    for (size_t i = 0; i < l->hidden.count; i++) {
        const char *path = l->hidden.ptr[i];
        AUTO_FREE char *dir = str_dup(path_dir(str_of(path)));

        if (fs_mkdirs(mask_fd, dir, 0755, err) < 0)
            return -1;
        if (mknodat(mask_fd, path, S_IFCHR, makedev(0, 0)) < 0)
            return err_errno(err, "hide %s", path);
    }
    for (size_t i = 0; i < l->hidden.count; i++)
        if (dress_parents(from_fd, mask_fd, l->hidden.ptr[i], err) < 0)
            return -1;
    return 0;
}

/* The directory as it lies, what is left out hidden by whiteouts. */
static int show(struct bind *b, struct session *session, int from_fd, const struct look *l,
                bool writable, struct err *err)
{
    AUTO_FD int mask = -1, whole = -1;
    int lowers[2], count = 0;

    if (!l->hidden.count && !writable) {
        b->mount_fd = subtree_mount(from_fd, ".", true, &b->is_dir, err);
        return b->mount_fd < 0 ? -1 : 0;
    }
    if (l->hidden.count) {
        mask = make_dir(b, "mask", err);
        if (mask < 0 || fill_mask(from_fd, mask, l, err) < 0)
            return -1;
        lowers[count++] = mask;
    }
    lowers[count++] = from_fd;
    whole = overlay(b, session, lowers, (size_t)count, writable, err);
    if (whole < 0)
        return -1;
    b->mount_fd = subtree_mount(whole, ".", !writable, &b->is_dir, err);
    return b->mount_fd < 0 ? -1 : 0;
}

static int show_file(struct bind *b, int fd, struct err *err)
{
    b->mount_fd = subtree_mount(fd, "", true, &b->is_dir, err);
    return b->mount_fd < 0 ? -1 : 0;
}

struct copied {
    struct origin *origin;
    const char *base; /* path of the source in the context */
};

/* As the context shows it, which is not always as it lies; what it does not show is left out. */
static int as_shown(void *ctx, const char *path, struct stat *st, struct err *err)
{
    const struct copied *c = ctx;
    AUTO_FREE char *whole = path_join(c->base, path);
    struct origin_file file;
    int found = origin_find(c->origin, whole, false, &file, err);

    if (found <= 0)
        return found < 0 ? -1 : 1;
    *st = file.ref.node->st;
    st->st_uid = st->st_gid = 0;
    return 0;
}

static int copy_files(struct bind *b, struct origin *origin, struct context_node *node, int from_fd,
                      struct err *err)
{
    struct copied c = {origin, node->path};
    struct tree_copy options = {.look = as_shown, .ctx = &c};
    bool is_dir = S_ISDIR(node->st.st_mode);
    AUTO_FD int to = -1;

    if (!is_dir) {
        if (tree_copy_file(from_fd, b->tmp.fd, "copy", &options, err) < 0)
            return -1;
    } else {
        to = make_dir(b, "copy", err);
        if (to < 0 || tree_copy(from_fd, to, &options, err) < 0)
            return -1;
    }
    return 0;
}

static int copy_context(struct bind *b, struct origin *origin, struct context_node *node,
                        int from_fd, bool writable, struct err *err)
{
    if (copy_files(b, origin, node, from_fd, err) < 0)
        return -1;
    b->mount_fd = subtree_mount(b->tmp.fd, "copy", !writable, &b->is_dir, err);
    return b->mount_fd < 0 ? -1 : 0;
}

static int again(struct bind *b, struct err *err)
{
    layout_tmp_close(b->layout, &b->tmp);
    return layout_tmp_open(b->layout, &b->tmp, err);
}

/* What can be shown as it lies: *fd itself, or a mount of it on which its owner is root. */
static bool can_show(const struct session *session, const struct look *l, int *fd)
{
    struct err why = {0};
    int mapped;

    if (l->foreign || (!l->uid && !l->gid))
        return !l->foreign;
    if (session->rung != SESSION_ROOT)
        return false;
    mapped = idmap_to_root(*fd, l->uid, l->gid, &why);
    if (mapped < 0) {
        log_debug("the context's owner cannot be mapped: %s", why.text);
        return false;
    }
    close(*fd);
    *fd = mapped;
    return true;
}

static int open_context(struct bind *b, struct session *session, struct origin *origin,
                        struct context_node *node, bool writable, struct err *err)
{
    SCOPED(look_release)
    struct look look = {.dev = node->st.st_dev,
                        .uid = node->st.st_uid,
                        .gid = node->st.st_gid,
                        .foreign = context_alters(origin->context)};
    AUTO_FD int from = context_open_file(origin->context, node, err), shown = -1;
    size_t skip = strcmp(node->path, ".") == 0 ? 0 : strlen(node->path) + 1;
    bool is_dir = S_ISDIR(node->st.st_mode);
    struct err why = {0};

    if (from < 0 || (!look.foreign && look_at(origin, node, skip, &look, err) < 0))
        return -1;
    if (!is_dir && !S_ISREG(node->st.st_mode))
        return err_set(err, ERR_INPUT, EINVAL,
                       "%s of the build context is neither a directory nor a file", node->path);
    shown = fcntl(from, F_DUPFD_CLOEXEC, 3);
    if ((is_dir || !writable) && can_show(session, &look, &shown)) {
        int rc =
            is_dir ? show(b, session, shown, &look, writable, &why) : show_file(b, shown, &why);

        if (rc == 0)
            return 0;
        log_debug("the context cannot be shown as it lies: %s", why.text);
        if (again(b, err) < 0)
            return -1;
    }
    log_debug("the context is copied for a mount");
    return copy_context(b, origin, node, from, writable, err);
}

/* ---- where nothing can be mounted ---- */

static int place(struct bind *b, int dir_fd, const char *name, struct err *err)
{
    struct stat st;

    b->dir_fd = fcntl(dir_fd, F_DUPFD_CLOEXEC, 3);
    b->name = xstrdup(name);
    b->mount_fd = openat(dir_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (b->dir_fd < 0 || b->mount_fd < 0 || fstat(b->mount_fd, &st) < 0)
        return err_errno(err, "open what is to be seen");
    b->is_dir = S_ISDIR(st.st_mode);
    return 0;
}

/* All of the stage is unpacked for it. */
static int place_stack(struct bind *b, struct origin *origin, const char *path, struct err *err)
{
    const struct view *view = stack_view(origin->stack, origin->layout, err);
    SCOPED(buf_release) struct buf resolved = {0};
    AUTO_FREE char *inside = NULL, *dir = NULL, *base = NULL;

    AUTO_FD int root = view ? open_whole(b, origin, err) : -1;
    if (root < 0 || view_resolve(view, path, VIEW_FOLLOW, &resolved, NULL, err) < 0)
        return -1;
    inside = path_beneath(buf_str(&resolved));
    if (strcmp(inside, ".") == 0)
        return place(b, b->whole->tmp.fd, "root", err);
    dir = str_dup(path_dir(str_of(inside)));
    base = str_dup(path_base(str_of(inside)));
    AUTO_FD int fd = fs_open_beneath(b->whole->root_fd, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0,
                                     FS_NO_LINKS, err);
    return fd < 0 ? -1 : place(b, fd, base, err);
}

static int place_context(struct bind *b, struct origin *origin, struct context_node *node,
                         struct err *err)
{
    AUTO_FD int from = context_open_file(origin->context, node, err);

    return from < 0 || copy_files(b, origin, node, from, err) < 0
               ? -1
               : place(b, b->tmp.fd, "copy", err);
}

int bind_open(struct bind *bind, struct session *session, struct origin *origin, const char *path,
              bool writable, struct err *err)
{
    struct origin_file file;

    bind->layout = origin->layout;
    if (find(origin, path, &file, err) < 0 || layout_tmp_open(bind->layout, &bind->tmp, err) < 0)
        return -1;
    if (session_is_plain(session))
        return origin->context ? place_context(bind, origin, file.ref.node, err)
                               : place_stack(bind, origin, path, err);
    if (origin->context)
        return open_context(bind, session, origin, file.ref.node, writable, err);
    return open_stack(bind, session, origin, path, writable, err);
}

void bind_release(struct bind *bind)
{
    scope_close(&bind->mount_fd);
    scope_close(&bind->dir_fd);
    free(bind->name);
    bind->name = NULL;
    if (bind->whole)
        worktree_close(bind->whole);
    free(bind->whole);
    bind->whole = NULL;
    if (bind->layout)
        layout_tmp_close(bind->layout, &bind->tmp);
}
