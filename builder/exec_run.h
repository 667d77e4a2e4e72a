/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_EXEC_RUN_H
#define BUILDER_EXEC_RUN_H

/* RUN: the stage's trees under an overlay, the command in a sandbox, its upper directory the new
 * layer. */
#include "base/err.h"
#include "builder/cache.h"
#include "builder/exec.h"
#include "builder/layer.h"
#include "builder/mounts.h"
#include "builder/origin.h"
#include "builder/run_flags.h"

struct user;

/* One RUN, as its instruction, the stage and the command line make it. */
struct run_work {
    struct run_spec spec;
    struct run_flags flags;
    struct cdi_edits edits; /* of its devices */
    struct strv absent;     /* devices that are not there and not required */
    struct mounts mounts;
};

/* Fills work; on failure, too, it is to be released. */
int run_work_take(struct build *build, struct making *making, const struct instruction *in,
                  struct run_work *work, struct err *err);
/* All that could change what the command does goes into the key, but no value of a secret. */
int run_work_hash(const struct build *build, const struct making *making, struct run_work *work,
                  struct cache_key *key, struct err *err);
/* The same by definition: 1; 0: it is not known yet; -1. */
int run_work_define(const struct build *build, const struct making *making, struct run_work *work,
                    struct cache_key *key, struct err *err);
void run_work_release(struct run_work *work);

/* arg: struct run_work *. The step's title must be on show. */
int exec_run(struct build *build, struct making *making, void *arg, struct layer *layer,
             struct err *err);
/* After an instruction: no value of a secret may be in the config, its history included. ERR_INPUT,
 * with where it is and never what it is. */
int exec_check_secrets(const struct build *build, const struct making *making, struct err *err);

/* The same of a step's text, before it is carried out. */
int exec_check_text(const struct build *build, const char *text, struct err *err);
/* Takes values of secrets out of what a build says: its excerpt, output and warnings, and the
 * error.
 */
void exec_clean_result(const struct build_options *options, struct build_result *result,
                       struct err *err);

/* Of exec.c, for the files of RUN. */
struct layer_options exec_layer_options(const struct build *build);
int exec_lookup_user(struct build *build, struct making *making, const char *text,
                     struct user *user, struct err *err);
/* Where COPY and mounts read. */
int exec_open_origin(struct build *build, const struct making *making,
                     const struct stage_source *from, struct origin *origin, char label[static 80],
                     struct err *err);

#endif
