/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_REHEARSE_H
#define BUILDER_REHEARSE_H

/*
 * Stages gone through without carrying anything out, for who asks what config and environment come
 * to. Pure, but for what base_config does.
 */
#include <stdbool.h>

#include "base/err.h"
#include "base/json.h"
#include "builder/graph.h"
#include "builder/state.h"

struct rehearsal {
    struct graph *graph; /* its stages get the triggers of their bases: a build wants its own */
    /* The config of the image that a stage is FROM: 1 and *config (borrowed); 0: it is not known;
     * -1. */
    int (*base_config)(void *arg, const struct stage *stage, const json_t **config,
                       struct err *err);
    void *arg;
};

/* A stage on the way through. */
struct rehearsed {
    struct state state;
    const json_t *base; /* config of the image it is FROM; NULL: none, or not known; borrowed */
    bool unknown; /* its base image is not known, so neither are its variables and its shell */
};

/* The stage before its first instruction; stage->body is then all that it carries out. before: the
 * stage it is FROM; not looked at when it is FROM none. Errors have their place. */
int rehearse_begin(const struct rehearsal *rehearsal, struct stage *stage,
                   const struct rehearsed *before, struct rehearsed *out, struct err *err);
/* Takes a RUN's --mounts apart, and hands each to fn: variables expanded, what is unset noted.
 * Borrowed by fn. */
struct mount;
typedef void rehearse_mount_fn(void *arg, const struct mount *mount, const struct instruction *in);
int rehearse_mounts(struct rehearsed *stage, const struct instruction *in, rehearse_mount_fn *fn,
                    void *arg, struct err *err);
void rehearsed_release(struct rehearsed *stage);

#endif
