/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_CACHE_MOUNT_H
#define BUILDER_CACHE_MOUNT_H

/*
 * RUN --mount=type=cache: a directory that stays from step to step and from build to build.
 *
 *   cache/mounts/<hex>/<n>/       the content, n = 0, 1 …: more than one only for `private`
 *   cache/mounts/<hex>/<n>.lock   flock(2): shared while a step uses it, exclusive for `locked`,
 *                                 `private` and while it is made
 *   cache/mounts/<hex>/id         the id, for people
 *
 * <hex> is a hash of the id, of what the cache begins with, and of owner and mode when they are
 * given: each combination is a cache of its own (as with BuildKit). Its mtime is the last use, for
 * prune. It never enters a layer or a key.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/hash.h"
#include "builder/mount.h"

struct layout;
struct session;

struct cache_mount {
    int dir_fd; /* the content */
    int lock_fd;
    int home_fd; /* where it lies, under `name` */
    char name[16];
};
#define CACHE_MOUNT_CLOSED                                                                         \
    {                                                                                              \
        .dir_fd = -1, .lock_fd = -1, .home_fd = -1                                                 \
    }

#define CACHE_MOUNT_NAME SHA256_HEX_SIZE
/* space: ids are told apart by it, NULL: the usual one. seed: digest of what it begins with, NULL:
 * nothing. */
void cache_mount_name(const struct mount *mount, const char *space, const uint8_t *seed,
                      char out[static CACHE_MOUNT_NAME]);

/* Fills a new cache; dir_fd is empty. */
typedef int cache_mount_fill_fn(void *ctx, int dir_fd, struct err *err);
/*
 * Takes the cache (in a plain session, which has to move it, for itself alone), waiting where
 * `locked` says so, until session_cancel(). fill NULL: it begins empty. Who holds more than one
 * opens them in the order of their names: then nobody waits in a circle.
 */
int cache_mount_open(const struct layout *layout, const struct session *session,
                     const struct mount *mount, const char *name, cache_mount_fill_fn *fill,
                     void *ctx, struct cache_mount *out, struct err *err);
/* A cache as it is, to read: 1; 0: there is none, or a step has it for itself; -1. */
int cache_mount_read(const struct layout *layout, const char *name, struct cache_mount *out,
                     struct err *err);
void cache_mount_close(struct cache_mount *c);

#endif
