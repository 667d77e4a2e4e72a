/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/places.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/path.h"
#include "base/scope.h"
#include "runtime/rootfs.h"
#include "runtime/still.h"

#define LINKS_MAX 40 /* path_resolution(7) */
#define ASIDE_NAME_MAX 32

struct place {
    int parent_fd;
    char *name;
    struct rootfs_made made; /* directories on the way that were missing */
    struct timespec before;  /* mtime of the parent */
    bool aside;              /* what was here lies in the plan's aside_fd */
    bool put;
    ino_t ino;                      /* of what was put */
    int wipe_fd;                    /* a file to be overwritten, or -1 */
    const struct plan_mount *moved; /* where it goes back, or NULL */
};

static const char *aside_name(size_t number, char out[static ASIDE_NAME_MAX])
{
    snprintf(out, ASIDE_NAME_MAX, "aside-%zu", number);
    return out;
}

/* ---- where ---- */

/* The directory that holds what path names, all links followed, and the name there. */
static int find_parent(int root_fd, const char *target, char **name, struct err *err)
{
    AUTO_FREE char *path = path_clean(str_of(target));

    for (int links_left = LINKS_MAX; links_left; links_left--) {
        AUTO_FREE char *dir = str_dup(path_dir(str_of(path)));
        AUTO_FREE char *base = str_dup(path_base(str_of(path)));
        AUTO_FD int fd =
            fs_open_beneath(root_fd, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0, FS_IN_ROOT, err);
        char link[PATH_MAX];
        ssize_t n;

        if (fd < 0)
            return -1;
        if (!base[0] || strcmp(base, "/") == 0 || strcmp(base, ".") == 0 || strcmp(base, "..") == 0)
            return err_set(err, ERR_INPUT, EINVAL, "%s is no place for a mount", target);
        n = readlinkat(fd, base, link, sizeof(link) - 1);
        if (n < 0) {
            *name = steal_ptr(&base);
            return steal_fd(&fd);
        }
        link[n] = 0;
        while (n > 1 && link[n - 1] == '/')
            link[--n] = 0;
        char *next = link[0] == '/' ? xstrdup(link) : xasprintf("%s/%s", dir, link);
        free(path);
        path = next;
    }
    return err_set(err, ERR_INPUT, ELOOP, "%s: too many links", target);
}

/* ---- putting ---- */

static int make_dir(int parent_fd, const char *name, uint32_t mode, uint32_t uid, uint32_t gid,
                    struct err *err)
{
    if (mkdirat(parent_fd, name, 0700) < 0)
        return err_errno(err, "make directory %s", name);
    AUTO_FD int fd = fs_open_dir(parent_fd, name, err);
    if (fd < 0)
        return -1;
    if (fchown(fd, uid, gid) < 0 || fchmod(fd, mode) < 0)
        return err_errno(err, "set owner and mode of %s", name);
    return 0;
}

static int make_file(struct place *p, struct str content, const struct plan_mount *m,
                     struct err *err)
{
    AUTO_FD int fd =
        openat(p->parent_fd, p->name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

    if (fd < 0)
        return err_errno(err, "make %s", p->name);
    p->put = true;
    if (fs_write(fd, content.ptr, content.size, err) < 0)
        return err_wrap(err, "make %s", p->name);
    if ((m && fchown(fd, m->uid, m->gid) < 0) || fchmod(fd, m && m->mode ? m->mode : 0644) < 0)
        return err_errno(err, "set owner and mode of %s", p->name);
    if (m && m->read_only) /* a secret */
        p->wipe_fd = steal_fd(&fd);
    return 0;
}

static int move_in(struct place *p, const struct plan_mount *m, struct err *err)
{
    struct stat st;

    if (renameat2(m->source_fd, m->source_name, p->parent_fd, p->name, RENAME_NOREPLACE) < 0)
        return err_errno(err, "move what is to be seen on %s there", m->target);
    p->moved = m;
    p->put = true;
    if (fstatat(p->parent_fd, p->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return err_errno(err, "look at %s", m->target);
    p->ino = st.st_ino;
    return 0;
}

static int put_mount(struct place *p, const struct plan_mount *m, struct err *err)
{
    switch (m->kind) {
    case PLAN_MOUNT_FILE:
        return make_file(p, buf_str(&m->content), m, err);
    case PLAN_MOUNT_MOVE:
        return move_in(p, m, err);
    case PLAN_MOUNT_TMPFS:
        p->put = true;
        return make_dir(p->parent_fd, p->name, m->mode ? m->mode : 0755, m->uid, m->gid, err);
    case PLAN_MOUNT_BIND:
        break;
    }
    return err_set(err, ERR_SYSTEM, ENOSYS, "nothing can be mounted on %s without mounts",
                   m->target);
}

struct wanted {
    const char *target;
    bool is_dir;
    still_fn *still;     /* a directory */
    const char *content; /* or a file's */
    const struct plan_mount *mount;
};

static int fill(struct place *p, const struct wanted *w, struct err *err)
{
    if (w->mount)
        return put_mount(p, w->mount, err);
    if (w->content)
        return make_file(p, str_of(w->content), NULL, err);
    p->put = true;
    return w->still(p->parent_fd, p->name, err);
}

/* As it was: what a command makes of it can be told from what we did. */
static int restore_time(const struct place *p, struct err *err)
{
    const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, p->before};

    return futimens(p->parent_fd, times) < 0 ? err_errno(err, "set the time of a directory") : 0;
}

static int put_one(const struct plan *plan, struct places *places, const struct wanted *w,
                   struct err *err)
{
    char aside[ASIDE_NAME_MAX];
    struct place *p;
    struct stat st;

    VEC_GROW(places->items, places->count, places->capacity);
    p = &places->items[places->count++];
    *p = (struct place){.parent_fd = -1, .wipe_fd = -1};
    if (rootfs_make_point(plan->root_fd, w->target, w->is_dir, &p->made, err) < 0)
        return -1;
    p->parent_fd = find_parent(plan->root_fd, w->target, &p->name, err);
    if (p->parent_fd < 0)
        return err_wrap(err, "mount point %s", w->target);
    if (fstat(p->parent_fd, &st) < 0)
        return err_errno(err, "look at the directory of %s", w->target);
    p->before = st.st_mtim;
    if (renameat2(p->parent_fd, p->name, plan->aside_fd, aside_name(places->count, aside),
                  RENAME_NOREPLACE) < 0)
        return err_errno(err, "move %s aside", w->target);
    p->aside = true;
    if (fill(p, w, err) < 0)
        return -1;
    return restore_time(p, err);
}

int places_put(const struct plan *plan, struct places *places, struct err *err)
{
    const struct wanted fixed[] = {
        {.target = "/dev", .is_dir = true, .still = still_dev},
        {.target = "/proc", .is_dir = true, .still = still_proc},
        {.target = "/sys", .is_dir = true, .still = still_sys},
        {.target = "/etc/hosts", .content = plan->hosts},
        {.target = "/etc/resolv.conf", .content = plan->resolv_conf},
        {.target = "/etc/hostname", .content = plan->hostname_file},
    };

    for (size_t i = 0; !plan->in_place && i < ARRAY_SIZE(fixed); i++)
        if ((fixed[i].is_dir || fixed[i].content) && put_one(plan, places, &fixed[i], err) < 0)
            return -1;
    for (size_t i = 0; i < plan->mounts_count; i++) {
        const struct plan_mount *m = &plan->mounts[i];
        const struct wanted w = {.target = m->target, .is_dir = m->is_dir, .mount = m};

        if (put_one(plan, places, &w, err) < 0)
            return -1;
    }
    return 0;
}

/* ---- taking ---- */

/* Whatever name it has by now, and in however many places: nothing of it stays on the disk. */
static void wipe(int fd)
{
    static const char zeros[4096];
    struct err ignored = {0};
    struct stat st;

    if (fstat(fd, &st) < 0)
        return;
    for (off_t at = 0; at < st.st_size; at += (off_t)sizeof(zeros)) {
        off_t left = st.st_size - at;

        if (fs_pwrite(fd, zeros, left < (off_t)sizeof(zeros) ? (size_t)left : sizeof(zeros), at,
                      &ignored) < 0)
            break;
    }
    if (fdatasync(fd) < 0 || ftruncate(fd, 0) < 0)
        return; /* its name goes all the same */
}

/* What the command removed is gone; what it put in that place is none of ours. */
static int move_back(const struct place *p, struct err *err)
{
    const struct plan_mount *m = p->moved;
    struct stat st;

    if (fstatat(p->parent_fd, p->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : err_errno(err, "look at %s", m->target);
    if (st.st_ino != p->ino)
        return err_set(err, ERR_SYSTEM, EBUSY,
                       "the command moved the mount on %s away, which nothing prevents with "
                       "this isolation",
                       m->target);
    if (renameat2(p->parent_fd, p->name, m->source_fd, m->source_name, RENAME_NOREPLACE) < 0)
        return err_errno(err, "move %s back", m->target);
    return 0;
}

static int take_out(struct place *p, struct err *err)
{
    if (p->wipe_fd >= 0)
        wipe(p->wipe_fd);
    if (p->moved)
        return move_back(p, err);
    return p->put && fs_remove_tree(p->parent_fd, p->name, err) < 0
               ? err_wrap(err, "take %s out of the root", p->name)
               : 0;
}

static int take_one(const struct plan *plan, struct place *p, size_t number, struct err *err)
{
    char aside[ASIDE_NAME_MAX];
    bool touched;
    struct stat st;

    if (p->parent_fd < 0)
        return 0;
    if (fstat(p->parent_fd, &st) < 0)
        return err_errno(err, "look at the directory of %s", p->name);
    touched = st.st_mtim.tv_sec != p->before.tv_sec || st.st_mtim.tv_nsec != p->before.tv_nsec;
    if (touched)
        p->before = st.st_mtim;
    if (take_out(p, err) < 0)
        return -1;
    if (p->aside && renameat2(plan->aside_fd, aside_name(number, aside), p->parent_fd, p->name,
                              RENAME_NOREPLACE) < 0) {
        /* The command removed the directory, and with it what was in it. */
        if (errno != ENOENT || st.st_nlink)
            return err_errno(err, "put %s back", p->name);
        return fs_remove_tree(plan->aside_fd, aside, err);
    }
    return st.st_nlink ? restore_time(p, err) : 0;
}

int places_take(const struct plan *plan, struct places *places, struct err *err)
{
    int rc = 0;

    for (size_t i = places->count; i-- > 0;) {
        struct place *p = &places->items[i];
        struct err failure = {0};

        if (take_one(plan, p, i + 1, &failure) < 0 && rc == 0) {
            *err = failure;
            rc = -1;
        }
        rootfs_unmake(&p->made);
        scope_close(&p->parent_fd);
        scope_close(&p->wipe_fd);
        free(p->name);
    }
    free(places->items);
    *places = (struct places){0};
    return rc;
}
