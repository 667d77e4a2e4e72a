/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/root.h"

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
#include "base/strv.h"
#include "runtime/overlay.h"
#include "runtime/plan.h"
#include "runtime/record.h"
#include "runtime/rootfs.h"
#include "runtime/session.h"

#define RECORDED_XATTR "user.slipway.recorded" /* of trees/ */

struct lowers {
    int *fds;
    size_t count;
};

static void lowers_release(struct lowers *l)
{
    for (size_t i = 0; i < l->count; i++)
        scope_close(&l->fds[i]);
    free(l->fds);
}

void root_release(struct root *root)
{
    scope_close(&root->upper_fd);
    scope_close(&root->work_fd);
    for (size_t i = 0; i < root->parents_count; i++)
        free(root->parents[i].path);
    free(root->parents);
    root->parents = NULL;
    root->parents_count = root->parents_capacity = 0;
    if (root->layout)
        layout_tmp_close(root->layout, &root->tmp);
}

/* The upper directory is the sandbox's "/": it looks as the layers say, if one of them says so. */
static int make_upper(struct root *root, const struct view *view, struct err *err)
{
    struct view_entry at;

    if (mkdirat(root->tmp.fd, "upper", 0755) < 0 || mkdirat(root->tmp.fd, "work", 0755) < 0)
        return err_errno(err, "make the sandbox's directories");
    root->upper_fd = fs_open_dir(root->tmp.fd, "upper", err);
    root->work_fd = root->upper_fd < 0 ? -1 : fs_open_dir(root->tmp.fd, "work", err);
    if (root->work_fd < 0)
        return -1;
    if (view_lookup(view, ".", &at) &&
        (record_chown_fd(root->upper_fd, at.entry.uid, at.entry.gid) < 0 ||
         fchmod(root->upper_fd, at.entry.mode) < 0))
        return err_errno(err, "set up the sandbox's root directory");
    return 0;
}

static int try_overlay(struct root *root, struct session *session, struct err *err)
{
    struct overlay overlay = {.lower_count = 1};
    AUTO_FD int lower = -1, mount_fd = -1;

    if (layout_tmp_open(root->layout, &root->tmp, err) < 0)
        return -1;
    if (mkdirat(root->tmp.fd, "lower", 0755) < 0 || mkdirat(root->tmp.fd, "upper", 0755) < 0 ||
        mkdirat(root->tmp.fd, "work", 0755) < 0)
        return err_errno(err, "make directories");
    lower = fs_open_dir(root->tmp.fd, "lower", err);
    root->upper_fd = fs_open_dir(root->tmp.fd, "upper", err);
    root->work_fd = fs_open_dir(root->tmp.fd, "work", err);
    if (lower < 0 || root->upper_fd < 0 || root->work_fd < 0)
        return -1;
    overlay.lower_fds = &lower;
    overlay.upper_fd = root->upper_fd;
    overlay.work_fd = root->work_fd;
    mount_fd = overlay_mount(session, &overlay, err);
    return mount_fd < 0 ? -1 : 0;
}

bool root_has_overlay(struct layout *layout, struct session *session)
{
    SCOPED(root_release) struct root root = ROOT_CLOSED;
    struct err why = {0};
    int known = atomic_load(&session->store_overlay);

    if (known == 1)
        return true;
    if (session_is_plain(session) || known == 2)
        return false;
    root.layout = layout;
    known = try_overlay(&root, session, &why) == 0 ? 1 : 2;
    if (known == 2 && atomic_exchange(&session->store_overlay, known) != known)
        log_info(
            "no overlay can be written to in the store %s, so stages are plain directories and "
            "every step looks at every file: %s",
            layout->root, why.text);
    atomic_store(&session->store_overlay, known);
    return known == 1;
}

/* Where stubs lie: each is one thing that prune may take. */
static int open_stubs(const struct layout *layout, struct err *err)
{
    if (fs_mkdirs(layout->cache_fd, "stubs", 0755, err) < 0)
        return -1;
    return fs_open_dir(layout->cache_fd, "stubs", err);
}

static int open_lowers(struct root *root, struct stack *stack, const struct plan *plan,
                       struct lowers *l, struct err *err)
{
    int count;

    l->fds = xcalloc(stack->count + 2, sizeof(*l->fds));
    count = stack_open_lowers(stack, root->layout, root->tmp.fd, l->fds, err);
    if (count < 0)
        return -1;
    l->count = (size_t)count;
    AUTO_FD int stubs_fd = open_stubs(root->layout, err);
    if (stubs_fd < 0)
        return -1;
    l->fds[l->count] = rootfs_stubs(stubs_fd, plan, err);
    if (l->fds[l->count] < 0)
        return -1;
    l->count++;
    return 0;
}

static bool has_trees(const struct layout *layout)
{
    SCOPED(strv_release) struct strv names = {0};
    struct err ignored = {0};

    return fs_list(layout->trees_fd, &names, &ignored) == 0 && names.count;
}

int root_check_store(const struct layout *layout, const struct session *session, struct err *err)
{
    bool single = session->rung == SESSION_SINGLE;
    bool recorded = fgetxattr(layout->trees_fd, RECORDED_XATTR, NULL, 0) >= 0;

    if (single == recorded)
        return 0;
    if (has_trees(layout))
        return err_set(err, ERR_SYSTEM, EEXIST,
                       "the store %s was used with %s and cannot be used with isolation %s; give "
                       "%sanother with --root, or remove it",
                       layout->root, recorded ? "isolation single" : "real owners",
                       session_rung_name(session->rung), recorded ? "--isolation single, " : "");
    if ((single ? fsetxattr(layout->trees_fd, RECORDED_XATTR, "1", 1, 0)
                : fremovexattr(layout->trees_fd, RECORDED_XATTR)) < 0)
        return err_errno(err, "mark the store as one of isolation %s",
                         session_rung_name(session->rung));
    return 0;
}

static void note_all(struct root *root, const struct view *view, const struct plan *plan);

static int mount_root(struct root *root, struct session *session, struct stack *stack,
                      struct plan *plan, struct err *err)
{
    SCOPED(lowers_release) struct lowers lowers = {0};
    struct overlay overlay;

    if (open_lowers(root, stack, plan, &lowers, err) < 0)
        return -1;
    overlay = (struct overlay){.lower_fds = lowers.fds,
                               .lower_count = lowers.count,
                               .upper_fd = root->upper_fd,
                               .work_fd = root->work_fd};
    plan->root_fd = overlay_mount(session, &overlay, err);
    return plan->root_fd < 0 ? -1 : 0;
}

/* A work directory serves one volatile mount: the kernel marks it, and refuses the next. */
int root_open_again(struct root *root, struct session *session, struct stack *stack,
                    struct plan *plan, struct err *err)
{
    if (mkdirat(root->tmp.fd, "again", 0755) < 0)
        return err_errno(err, "make a work directory");
    scope_close(&root->work_fd);
    root->work_fd = fs_open_dir(root->tmp.fd, "again", err);
    return root->work_fd < 0 ? -1 : mount_root(root, session, stack, plan, err);
}

int root_open(struct root *root, struct layout *layout, struct session *session,
              struct stack *stack, struct plan *plan, struct err *err)
{
    const struct view *view = stack_view(stack, layout, err);

    root->layout = layout;
    if (!view || root_check_store(layout, session, err) < 0 ||
        layout_tmp_open(layout, &root->tmp, err) < 0 || make_upper(root, view, err) < 0 ||
        mount_root(root, session, stack, plan, err) < 0)
        return -1;
    note_all(root, view, plan);
    return 0;
}

/* ---- directories of mount points ---- */

/* The directory of a mount point and those above it, as they look before anything is made there. */
static void note_parents(struct root *root, const struct view *view, int root_fd,
                         const char *target)
{
    SCOPED(buf_release) struct buf resolved = {0};
    AUTO_FREE char *point = NULL, *path = NULL;

    if (view_resolve(view, target, VIEW_FOLLOW, &resolved, NULL, &(struct err){0}) < 0)
        return;
    point = path_beneath(buf_str(&resolved));
    path = str_dup(path_dir(str_of(point)));
    while (strcmp(path, ".") != 0) {
        AUTO_FREE char *up = str_dup(path_dir(str_of(path)));
        struct root_parent p = {.path = path};

        if (fstatat(root_fd, path, &p.st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(p.st.st_mode)) {
            VEC_GROW(root->parents, root->parents_count, root->parents_capacity);
            root->parents[root->parents_count++] = p;
        } else {
            free(path);
        }
        path = steal_ptr(&up);
    }
}

static void note_all(struct root *root, const struct view *view, const struct plan *plan)
{
    note_parents(root, view, plan->root_fd, "/etc/hosts");
    note_parents(root, view, plan->root_fd, "/etc/resolv.conf");
    for (size_t i = 0; i < plan->mounts_count; i++)
        note_parents(root, view, plan->root_fd, plan->mounts[i].target);
}

/* An opaque one says that the layers below are hidden: it is a change. */
static bool is_as_before(int fd, const struct stat *before)
{
    struct stat st;
    char opaque;

    return fstat(fd, &st) == 0 && st.st_mode == before->st_mode && st.st_uid == before->st_uid &&
           st.st_gid == before->st_gid && st.st_mtim.tv_sec == before->st_mtim.tv_sec &&
           st.st_mtim.tv_nsec == before->st_mtim.tv_nsec &&
           fgetxattr(fd, "user.overlay.opaque", &opaque, 1) != 1;
}

/* All are judged before any goes, for its going changes the one above. Of each mount point the
 * deepest comes first: what is not empty stays, and so do those above it. */
int root_tidy(struct root *root, struct err *err)
{
    AUTO_FREE bool *same = xcalloc(root->parents_count + 1, sizeof(*same));

    for (size_t i = 0; i < root->parents_count; i++) {
        const struct root_parent *p = &root->parents[i];
        AUTO_FD int fd =
            openat(root->upper_fd, p->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

        same[i] = fd >= 0 && is_as_before(fd, &p->st);
    }
    for (size_t i = 0; i < root->parents_count; i++) {
        const char *path = root->parents[i].path;

        if (same[i] && unlinkat(root->upper_fd, path, AT_REMOVEDIR) < 0 && errno != ENOTEMPTY &&
            errno != EEXIST && errno != ENOENT)
            return err_errno(err, "remove /%s", path);
    }
    return 0;
}
