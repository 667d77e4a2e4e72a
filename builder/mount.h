/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_MOUNT_H
#define BUILDER_MOUNT_H

/*
 * RUN --mount, the text between "=" and the command (Dockerfile reference, "RUN --mount"). Pure.
 *
 *     type=cache,id=deb,target=/var/cache/apt,sharing=locked
 *
 * One record of comma-separated values: a field that begins with a double quote runs to the next
 * one, a doubled quote stands for itself. Keys in any case; a later field of a key wins. What a
 * type has no use for is an error, and so is what other builders have and Docker's has not (z, U,
 * tmpfs-size …).
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

enum mount_type { MOUNT_BIND, MOUNT_CACHE, MOUNT_TMPFS, MOUNT_SECRET, MOUNT_SSH };
enum mount_sharing { MOUNT_SHARED, MOUNT_PRIVATE, MOUNT_LOCKED };

struct mount {
    enum mount_type type;
    /* NULL where nothing was given, until mount_resolve(): */
    char *target; /* … then absolute and clean; of a secret NULL when it is a variable only */
    char *source; /* BIND, CACHE: path in the origin. SECRET: as id */
    char *from;   /* BIND, CACHE: stage, image or named context; never expanded */
    char *id;     /* CACHE, SECRET, SSH */
    char *env;    /* SECRET: the variable */
    bool read_only;
    bool required; /* SECRET, SSH */
    enum mount_sharing sharing;
    bool has_owner; /* CACHE: mode, uid or gid was given */
    bool has_mode;
    uint32_t mode, uid, gid; /* CACHE, SECRET, SSH; mode as given, or the type's default */
    uint64_t size;           /* TMPFS: 0 is no limit of its own */
};

void mount_release(struct mount *mount);

/* Appends what a value stands for. */
typedef int mount_expand_fn(void *ctx, const char *value, struct buf *out, struct err *err);

/*
 * expand NULL: a value with a "$" in it is taken as unknown and not judged, so that what is wrong
 * in any case can be told before anything is built; type, from and all that has no variable are
 * right after that. ERR_INPUT.
 */
int mount_parse(struct str text, mount_expand_fn *expand, void *ctx, struct mount *mount,
                struct err *err);
/* Fills in what was left out. ssh_number: how many ssh mounts stand before it in the instruction.
 */
int mount_resolve(struct mount *mount, const char *workdir, unsigned ssh_number, struct err *err);
const char *mount_type_name(enum mount_type type);
const char *mount_sharing_name(enum mount_sharing sharing);

#endif
