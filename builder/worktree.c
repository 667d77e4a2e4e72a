/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/worktree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/path.h"
#include "base/scope.h"
#include "builder/diff.h"
#include "builder/ground.h"
#include "builder/sieve.h"
#include "builder/spared.h"
#include "builder/stack.h"
#include "runtime/plan.h"
#include "runtime/session.h"
#include "runtime/subtree.h"

#define UNKNOWN "?" /* in place of a diff id: a command that may have changed anything */

void worktree_close(struct worktree *w)
{
    struct ground *ground = w->ground;

    if (w->layout && ground)
        ground_leave(ground, w);
    scan_release(&w->scan);
    scope_close(&w->root_fd);
    scope_close(&w->aside_fd);
    free(w->diff_ids);
    strv_release(&w->held);
    if (w->layout)
        layout_tmp_close(w->layout, &w->tmp);
    *w = (struct worktree)WORKTREE_CLOSED;
    w->ground = ground;
}

static int make_dir(struct worktree *w, const char *name, mode_t mode, struct err *err)
{
    if (mkdirat(w->tmp.fd, name, mode) < 0)
        return err_errno(err, "make a directory for a stage");
    return fs_open_dir(w->tmp.fd, name, err);
}

static int open_empty(struct worktree *w, struct layout *layout, struct err *err)
{
    w->layout = layout;
    if (layout_tmp_open(layout, &w->tmp, err) < 0)
        return -1;
    if (w->ground && ground_take(w->ground, layout, w, err) < 0)
        return -1;
    w->root_fd = w->ground ? ground_open(w->ground, err) : make_dir(w, "root", 0755, err);
    w->aside_fd = w->root_fd < 0 ? -1 : make_dir(w, "aside", 0700, err);
    if (w->aside_fd < 0)
        return -1;
    if (w->ground)
        return 0;
    return fchmod(w->root_fd, 0755) < 0 ? err_errno(err, "set up the root of a stage") : 0;
}

static const struct strv *spared_of(const struct worktree *w)
{
    return w->ground ? &w->ground->spared : NULL;
}

/* ---- layers onto it ---- */

/* A directory that a layer does not name, whose time is that of the layers below. */
struct implied {
    char *path;
    struct timespec modified;
};

struct onto {
    int root_fd;
    const struct strv *spared;
    struct implied *items;
    size_t count, capacity;
};

static void onto_release(struct onto *o)
{
    for (size_t i = 0; i < o->count; i++)
        free(o->items[i].path);
    free(o->items);
}

static int empty_dir(int parent_fd, const char *name, struct err *err)
{
    SCOPED(strv_release) struct strv names = {0};
    AUTO_FD int fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0 || fs_list(fd, &names, err) < 0)
        return fd < 0 ? err_errno(err, "open") : -1;
    for (size_t i = 0; i < names.count; i++)
        if (fs_remove_tree(fd, names.ptr[i], err) < 0)
            return -1;
    return 0;
}

static int make_room(struct onto *o, const struct entry *e, int parent_fd, const char *name,
                     struct err *err)
{
    struct stat st;

    if (fstatat(parent_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : err_errno(err, "look");
    if (spared_below(o->spared, e->path) && (e->type != ENTRY_DIR || e->opaque))
        return err_set(err, ERR_INPUT, EBUSY,
                       "the image has something else there, and /%s of this container is in it",
                       spared_below(o->spared, e->path));
    if (e->type != ENTRY_DIR || !S_ISDIR(st.st_mode))
        return fs_remove_tree(parent_fd, name, err);
    if (e->opaque && empty_dir(parent_fd, name, err) < 0)
        return -1;
    if (!e->implied)
        return 0;
    VEC_GROW(o->items, o->count, o->capacity);
    o->items[o->count++] = (struct implied){xstrdup(e->path), st.st_mtim};
    return 0;
}

/* Before the layer is unpacked: all that it hides goes. */
static int make_room_for(struct onto *o, const struct index *index, struct err *err)
{
    for (size_t i = 0; i < index_count(index); i++) {
        struct entry e;
        struct err missing = {0};

        index_get(index, i, &e);
        if (strcmp(e.path, ".") == 0 || spared_has(o->spared, e.path))
            continue;
        AUTO_FREE char *dir = str_dup(path_dir(str_of(e.path)));
        AUTO_FREE char *name = str_dup(path_base(str_of(e.path)));
        AUTO_FD int fd = fs_open_beneath(o->root_fd, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0,
                                         FS_NO_LINKS, &missing);
        if (fd < 0 && missing.code == ENOENT)
            continue;
        if (fd < 0) {
            *err = missing;
            return -1;
        }
        if (make_room(o, &e, fd, name, err) < 0)
            return err_wrap(err, "/%s", e.path);
    }
    return 0;
}

static int restore_times(const struct onto *o, struct err *err)
{
    for (size_t i = 0; i < o->count; i++) {
        const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, o->items[i].modified};
        AUTO_FD int fd = fs_open_beneath(o->root_fd, o->items[i].path,
                                         O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0, FS_NO_LINKS, err);

        if (fd < 0)
            return -1;
        if (futimens(fd, times) < 0)
            return err_errno(err, "set the time of /%s", o->items[i].path);
    }
    return 0;
}

static int add_layer(struct worktree *w, const struct stack_layer *layer, struct err *err)
{
    const struct strv *spared = spared_of(w);
    SCOPED(onto_release) struct onto o = {.root_fd = w->root_fd, .spared = spared};

    if ((w->count || w->ground) && make_room_for(&o, layer->index, err) < 0)
        return -1;
    if (layer_unpack_onto(w->layout, &layer->blob, layer->diff_id, w->root_fd, spared, err) < 0 ||
        restore_times(&o, err) < 0)
        return -1;
    VEC_GROW(w->diff_ids, w->count, w->capacity);
    memcpy(w->diff_ids[w->count++], layer->diff_id, DIGEST_SIZE);
    return 0;
}

/* Does it hold the lowest layers of the stack? Notes that the latest command's is one of them. */
static bool is_beginning(struct worktree *w, const struct stack *stack)
{
    if (w->count > stack->count)
        return false;
    for (size_t i = 0; i < w->count; i++)
        if (strcmp(w->diff_ids[i], stack->layers[i].diff_id) != 0)
            return false;
    if (!w->changed[0])
        return true;
    if (w->count == stack->count || strcmp(stack->layers[w->count].diff_id, w->changed) != 0)
        return false;
    VEC_GROW(w->diff_ids, w->count, w->capacity);
    memcpy(w->diff_ids[w->count++], w->changed, DIGEST_SIZE);
    w->changed[0] = 0;
    return true;
}

static int hold(struct worktree *w, struct layout *layout, struct stack *stack, struct err *err)
{
    if (!w->layout && open_empty(w, layout, err) < 0)
        return -1;
    stack_prefetch(stack, layout, false);
    for (size_t i = w->count; i < stack->count; i++) {
        if (add_layer(w, &stack->layers[i], err) < 0)
            return err_wrap(err, "unpack layer %s", stack->layers[i].blob.digest);
        scan_release(&w->scan);
    }
    return 0;
}

int worktree_hold(struct worktree *w, struct layout *layout, struct stack *stack, struct err *err)
{
    if (!stack_view(stack, layout, err)) /* opens the indexes */
        return -1;
    if (w->layout && !is_beginning(w, stack)) {
        log_debug("the stage's directory holds something else and is made anew");
        worktree_close(w);
    }
    if (hold(w, layout, stack, err) == 0)
        return 0;
    worktree_close(w);
    return -1;
}

/* ---- a command in it ---- */

static void hold_file(struct worktree *w, const struct view *view, const char *target)
{
    SCOPED(buf_release) struct buf resolved = {0};
    struct view_entry at;

    if (view_resolve(view, target, VIEW_FOLLOW, &resolved, &at, &(struct err){0}) <= 0 ||
        at.entry.type == ENTRY_DIR)
        return;
    strv_take(&w->held, path_beneath(buf_str(&resolved)));
}

static int by_path(const void *a, const void *b)
{
    const char *const *x = a, *const *y = b;

    return entry_path_cmp(*x, *y);
}

static void note_held(struct worktree *w, const struct view *view, const struct plan *plan)
{
    strv_release(&w->held);
    if (plan->hosts)
        hold_file(w, view, "/etc/hosts");
    if (plan->resolv_conf)
        hold_file(w, view, "/etc/resolv.conf");
    if (plan->hostname_file)
        hold_file(w, view, "/etc/hostname");
    for (size_t i = 0; i < plan->mounts_count; i++)
        hold_file(w, view, plan->mounts[i].target);
    if (w->held.count > 1)
        qsort(w->held.ptr, w->held.count, sizeof(*w->held.ptr), by_path);
}

static int look(struct worktree *w, struct err *err)
{
    struct scan_options options = {.dir_fd = w->tmp.fd, .spared = spared_of(w)};

    return w->scan.fd >= 0 ? 0 : scan_tree(w->root_fd, &options, &w->scan, err);
}

int worktree_open_again(const struct worktree *w, const struct session *session, struct plan *plan,
                        struct err *err)
{
    bool is_dir;

    if (!session_is_plain(session)) {
        plan->root_fd = subtree_mount(w->root_fd, "", false, &is_dir, err);
        return plan->root_fd < 0 ? -1 : 0;
    }
    plan->plain = true;
    plan->in_place = w->ground != NULL;
    plan->root_fd = fcntl(w->root_fd, F_DUPFD_CLOEXEC, 3);
    plan->aside_fd = w->aside_fd;
    return plan->root_fd < 0 ? err_errno(err, "open the root of a stage") : 0;
}

int worktree_open_root(struct worktree *w, struct layout *layout, struct session *session,
                       struct stack *stack, struct plan *plan, struct err *err)
{
    if (worktree_hold(w, layout, stack, err) < 0 || look(w, err) < 0)
        return -1;
    if (worktree_open_again(w, session, plan, err) < 0)
        return -1;
    memcpy(w->changed, UNKNOWN, sizeof(UNKNOWN));
    scan_settle(&w->scan);
    return 0;
}

struct telling {
    struct sieve sieve;
    struct diff *diff;
};

static void telling_release(struct telling *t)
{
    diff_close(t->diff);
    sieve_close(&t->sieve);
}

static int tell(void *ctx, enum scan_change change, const char *path, int dir_fd, const char *name,
                struct err *err)
{
    struct telling *t = ctx;
    const struct entry gone = {.path = path, .type = ENTRY_WHITEOUT};

    if (change == SCAN_GONE)
        return sieve_add(&t->sieve, &gone, -1, NULL, err);
    return diff_tell(t->diff, path, dir_fd, name, change == SCAN_REMADE, err);
}

int worktree_layer(struct worktree *w, struct pool *pool, struct stack *stack,
                   const struct plan *plan, const struct layer_options *options,
                   struct layer *layer, struct err *err)
{
    SCOPED(telling_release) struct telling t = {0};
    SCOPED(scan_release) struct scan now = SCAN_CLOSED;
    const struct scan_options scan = {.dir_fd = w->tmp.fd,
                                      .before = &w->scan,
                                      .held = &w->held,
                                      .spared = spared_of(w),
                                      .fn = tell,
                                      .ctx = &t};

    if (sieve_open(&t.sieve, w->layout, pool, stack, options, err) < 0)
        return -1;
    note_held(w, t.sieve.view, plan);
    t.diff = diff_open(sieve_add, &t.sieve);
    diff_use_links(t.diff, options->links);
    if (scan_tree(w->root_fd, &scan, &now, err) < 0 || sieve_end(&t.sieve, layer, err) < 0 ||
        scan_unshare(w->root_fd, &now, err) < 0)
        return -1;
    scan_release(&w->scan);
    w->scan = now;
    now = (struct scan)SCAN_CLOSED;
    memcpy(w->changed, layer->entries ? layer->diff_id : "", layer->entries ? DIGEST_SIZE : 1);
    return 0;
}
