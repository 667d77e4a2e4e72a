/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_EXEC_STEP_H
#define BUILDER_EXEC_STEP_H

/* The road of every step that may make a layer: taken from memory, or carried out and remembered.
 */
#include <stdbool.h>

#include "base/err.h"
#include "builder/cache.h"
#include "builder/exec.h"
#include "builder/layer.h"

typedef int step_fn(struct build *build, struct making *making, void *arg, struct layer *layer,
                    struct err *err);

struct step {
    struct build *build;
    struct making *making;
    const struct instruction *in;
    const char *created_by; /* its history entry */
    bool keep_empty;        /* a layer without entries is a layer all the same */
    step_fn *fn;            /* carries it out */
    void *arg;
    /* For a step whose key by result is known only once it was carried out; else NULL. Also says
     * by what the definition is complete. */
    int (*settle)(struct step *s, struct cache_key *key, struct err *err);
    struct definition *definition; /* borrowed; step_recall() fills it as far as it goes */
};

/* By its definition: 1, and the stage has its layer; 0: it is to be looked at closer; -1. */
int step_recall(struct step *s, struct err *err);
/*
 * By its key by result, which is ended here, or by carrying it out. With settle the key given is
 * one for this build alone, and what it really is comes after.
 */
int step_make(struct step *s, struct cache_key *key, struct err *err);
/* It has nothing to do: the stage gets its history entry, and that much is remembered. */
int step_nothing(struct step *s, struct err *err);
/* Fields that every step's key has. */
void step_hash_common(const struct build *build, const struct making *making,
                      struct cache_key *key);

/* The instructions that are steps; RUN is in exec_run.h. */
int exec_copy(struct build *build, struct making *making, const struct instruction *in,
              struct err *err);
int exec_workdir(struct build *build, struct making *making, const struct instruction *in,
                 struct err *err);

#endif
