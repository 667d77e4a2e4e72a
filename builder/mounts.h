/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_MOUNTS_H
#define BUILDER_MOUNTS_H

/*
 * The mounts of one RUN: taken from its flags, part of its key, opened for its sandbox.
 *
 *     mounts_take(build, making, in, &mounts, err)      what they are; where they read
 *     mounts_hash(&mounts, &key, err)                   definitions, and contents of binds
 *     mounts_open(&mounts, build, &plan, err)           only when the step is carried out
 *     … run; serve mounts.relays[] …
 *     mounts_close(&mounts)                             once the command has ended
 *     mounts_changed(&mounts)                           a file of the context that changed
 * meanwhile mounts_release(&mounts)                           after the sandbox's end
 *
 * No value of a secret is part of a key: with another one the step is remembered all the same.
 */
#include <stddef.h>

#include "base/err.h"
#include "builder/cache.h"
#include "builder/exec.h"
#include "runtime/plan.h"

struct relay;
struct mount_use;

struct mounts {
    struct mount_use *items; /* in the order of the flags */
    size_t count;
    struct relay **relays; /* of ssh mounts, borrowed from items */
    size_t relays_count;
};

int mounts_take(struct build *build, struct making *making, const struct instruction *in,
                struct mounts *mounts, struct err *err);
int mounts_hash(struct mounts *mounts, struct cache_key *key, struct err *err);
/* The same by definition (builder/define.h): of stages their definition counts, and no file is
 * looked at. 1; 0: a stage is not defined yet; -1. */
int mounts_define(struct mounts *mounts, const struct making *making, struct cache_key *key,
                  struct err *err);
int mounts_open(struct mounts *mounts, struct build *build, struct making *making,
                struct plan *plan, struct err *err);
/* The command has ended: lets go of everything that was opened for it, caches that others wait for
 * first of all. */
void mounts_close(struct mounts *mounts);
const char *mounts_changed(struct mounts *mounts);
void mounts_release(struct mounts *mounts);

#endif
