/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cache_mount.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/scope.h"
#include "registry/layout.h"
#include "runtime/record.h"
#include "runtime/session.h"

#define DIR_NAME "mounts"
#define POLL_MS 20
#define TELL_AFTER_MS 2000
#define PRIVATE_MAX 1000 /* ours: so many writers of one private cache at once */

void cache_mount_name(const struct mount *mount, const char *space, const uint8_t *seed,
                      char out[static CACHE_MOUNT_NAME])
{
    struct sha256 h;

    sha256_begin(&h);
    sha256_add_framed(&h, STR("slipway-cache-mount-1"));
    if (space)
        sha256_add_framed(&h, str_of(space));
    sha256_add_framed(&h, str_of(mount->id));
    sha256_add_u64(&h, seed != NULL);
    if (seed)
        sha256_add(&h, seed, SHA256_SIZE);
    sha256_add_u64(&h, mount->has_owner);
    if (mount->has_owner) {
        sha256_add_u64(&h, mount->mode);
        sha256_add_u64(&h, (uint64_t)mount->uid << 32 | mount->gid);
    }
    sha256_end_hex(&h, out);
}

void cache_mount_close(struct cache_mount *c)
{
    scope_close(&c->dir_fd);
    scope_close(&c->lock_fd);
    scope_close(&c->home_fd);
}

/* 1 taken, 0 somebody else has it, -1. */
static int try_lock(int fd, int how, struct err *err)
{
    if (flock(fd, how | LOCK_NB) == 0)
        return 1;
    return errno == EWOULDBLOCK || errno == EINTR ? 0 : err_errno(err, "lock a cache");
}

/* No wait in the kernel: it could not be cancelled. */
static int lock(int fd, int how, const struct session *session, const struct mount *m,
                struct err *err)
{
    unsigned waited_ms = 0;

    for (;;) {
        int rc = try_lock(fd, how, err);

        if (rc)
            return rc < 0 ? -1 : 0;
        if (session_cancelled(session))
            return err_set(err, ERR_SYSTEM, ECANCELED, "cancelled");
        waited_ms += POLL_MS;
        if (waited_ms == TELL_AFTER_MS)
            log_info("waiting for cache %.200s: another step has locked it", m->id);
        clock_sleep_ms(POLL_MS);
    }
}

static int open_lock(int cache_fd, unsigned number, struct err *err)
{
    char name[32];
    int fd;

    snprintf(name, sizeof(name), "%u.lock", number);
    fd = openat(cache_fd, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    return fd < 0 ? err_errno(err, "open %s of a cache", name) : fd;
}

/* The first that nobody uses, locked. */
static int lock_private(int cache_fd, unsigned *number, struct err *err)
{
    for (*number = 0; *number < PRIVATE_MAX; ++*number) {
        AUTO_FD int fd = open_lock(cache_fd, *number, err);
        int rc = fd < 0 ? -1 : try_lock(fd, LOCK_EX, err);

        if (rc < 0)
            return -1;
        if (rc)
            return steal_fd(&fd);
    }
    return err_set(err, ERR_SYSTEM, EBUSY, "more than %d steps use a private cache at once",
                   PRIVATE_MAX);
}

/* Under an exclusive lock. The content appears whole: what a killed process left is made anew. */
static int make(int cache_fd, unsigned number, const struct mount *m, cache_mount_fill_fn *fill,
                void *ctx, struct err *err)
{
    char name[32], part[40];

    snprintf(name, sizeof(name), "%u", number);
    snprintf(part, sizeof(part), "%u.new", number);
    if (fs_remove_tree(cache_fd, part, err) < 0)
        return -1;
    if (mkdirat(cache_fd, part, 0700) < 0)
        return err_errno(err, "make a cache");
    AUTO_FD int fd = fs_open_dir(cache_fd, part, err);
    if (fd < 0)
        return -1;
    if (fchmod(fd, 0755) < 0)
        return err_errno(err, "set up a cache");
    if (fill && fill(ctx, fd, err) < 0)
        return -1;
    if ((m->has_owner || !fill) &&
        (record_chown_fd(fd, m->uid, m->gid) < 0 || fchmod(fd, (mode_t)m->mode) < 0))
        return err_errno(err, "set owner and mode of a cache");
    if (renameat(cache_fd, part, cache_fd, name) < 0)
        return err_errno(err, "make a cache");
    return 0;
}

static int open_content(int cache_fd, unsigned number)
{
    char name[32];

    snprintf(name, sizeof(name), "%u", number);
    return openat(cache_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* A cache that is moved cannot be in two places. */
static enum mount_sharing sharing_of(const struct session *session, const struct mount *m)
{
    return session_is_plain(session) && m->sharing == MOUNT_SHARED ? MOUNT_LOCKED : m->sharing;
}

/* The lock that the mount is to hold, and its number. */
static int take_lock(int cache_fd, const struct session *session, const struct mount *m,
                     unsigned *number, struct err *err)
{
    *number = 0;
    if (m->sharing == MOUNT_PRIVATE)
        return lock_private(cache_fd, number, err);
    AUTO_FD int fd = open_lock(cache_fd, 0, err);
    if (fd < 0 ||
        lock(fd, sharing_of(session, m) == MOUNT_LOCKED ? LOCK_EX : LOCK_SH, session, m, err) < 0)
        return -1;
    return steal_fd(&fd);
}

static int open_cache(const struct layout *layout, const char *name, const struct mount *m,
                      struct err *err)
{
    const struct timespec now[2] = {{.tv_nsec = UTIME_NOW}, {.tv_nsec = UTIME_NOW}};
    AUTO_FREE char *path = xasprintf(DIR_NAME "/%s", name);
    AUTO_FD int fd = -1;

    if (fs_mkdirs(layout->cache_fd, path, 0700, err) < 0)
        return -1;
    fd = fs_open_dir(layout->cache_fd, path, err);
    if (fd < 0)
        return -1;
    if (faccessat(fd, "id", F_OK, 0) < 0 &&
        fs_replace(fd, "id", m->id, strlen(m->id), 0600, false, err) < 0)
        return -1;
    if (futimens(fd, now) < 0)
        log_debug("cache %s: its last use is not noted", m->id);
    return steal_fd(&fd);
}

struct making_of {
    int cache_fd;
    unsigned number;
    const struct mount *mount;
    cache_mount_fill_fn *fill;
    void *ctx;
};

/* The content, made if need be; the lock is exclusive. */
static int open_or_make(const struct making_of *w, struct err *err)
{
    int dir_fd = open_content(w->cache_fd, w->number);

    if (dir_fd >= 0)
        return dir_fd;
    if (make(w->cache_fd, w->number, w->mount, w->fill, w->ctx, err) < 0)
        return err_wrap(err, "cache %.200s", w->mount->id);
    dir_fd = open_content(w->cache_fd, w->number);
    return dir_fd < 0 ? err_errno(err, "open cache %.200s", w->mount->id) : dir_fd;
}

/*
 * A shared cache that was not there under a shared lock: one process makes it under an exclusive
 * lock, and the others must not wait until that one's step is over. So whoever does not get the
 * exclusive lock looks again whether the content is there; changing a lock lets it go meanwhile.
 */
static int open_shared(const struct making_of *w, int lock_fd, const struct session *session,
                       struct err *err)
{
    while (!session_cancelled(session)) {
        int rc = try_lock(lock_fd, LOCK_EX, err), dir_fd = -1;

        if (rc < 0)
            return -1;
        if (rc > 0 && (dir_fd = open_or_make(w, err)) < 0)
            return -1;
        scope_close(&dir_fd);
        rc = try_lock(lock_fd, LOCK_SH, err);
        if (rc < 0)
            return -1;
        dir_fd = rc > 0 ? open_content(w->cache_fd, w->number) : -1;
        if (dir_fd >= 0)
            return dir_fd;
        flock(lock_fd, LOCK_UN);
        clock_sleep_ms(POLL_MS);
    }
    return err_set(err, ERR_COMMAND, ECANCELED, "cancelled");
}

int cache_mount_open(const struct layout *layout, const struct session *session,
                     const struct mount *mount, const char *name, cache_mount_fill_fn *fill,
                     void *ctx, struct cache_mount *out, struct err *err)
{
    AUTO_FD int cache_fd = open_cache(layout, name, mount, err), lock_fd = -1, dir_fd = -1;
    struct making_of w = {.cache_fd = cache_fd, .mount = mount, .fill = fill, .ctx = ctx};
    unsigned number;

    if (cache_fd < 0)
        return -1;
    lock_fd = take_lock(cache_fd, session, mount, &number, err);
    if (lock_fd < 0)
        return -1;
    w.number = number;
    dir_fd = open_content(cache_fd, number);
    if (dir_fd < 0)
        dir_fd = sharing_of(session, mount) == MOUNT_SHARED ? open_shared(&w, lock_fd, session, err)
                                                            : open_or_make(&w, err);
    if (dir_fd < 0)
        return -1;
    *out = (struct cache_mount){steal_fd(&dir_fd), steal_fd(&lock_fd), steal_fd(&cache_fd), ""};
    snprintf(out->name, sizeof(out->name), "%u", number);
    return 0;
}

int cache_mount_read(const struct layout *layout, const char *name, struct cache_mount *out,
                     struct err *err)
{
    AUTO_FREE char *path = xasprintf(DIR_NAME "/%s", name);
    AUTO_FD int cache_fd = openat(layout->cache_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    AUTO_FD int lock_fd = -1, dir_fd = -1;
    int rc;

    if (cache_fd < 0)
        return errno == ENOENT ? 0 : err_errno(err, "open a cache");
    lock_fd = open_lock(cache_fd, 0, err);
    if (lock_fd < 0)
        return -1;
    rc = try_lock(lock_fd, LOCK_SH, err);
    if (rc <= 0)
        return rc;
    dir_fd = open_content(cache_fd, 0);
    if (dir_fd < 0)
        return errno == ENOENT ? 0 : err_errno(err, "open a cache");
    *out = (struct cache_mount){steal_fd(&dir_fd), steal_fd(&lock_fd), -1, ""};
    return 1;
}
