/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_EXEC_RUN_H
#define BUILDER_EXEC_RUN_H

/* RUN: the stage's trees under an overlay, the command in a sandbox, its upper directory the new
 * layer. */
#include "base/err.h"
#include "builder/exec.h"
#include "builder/layer.h"

struct user;

/* arg: struct run_spec *. The step's title must be on show as build->shown. */
int exec_run(struct build *build, struct making *making, void *arg, struct layer *layer,
             struct err *err);

/* Of exec.c, for exec_run.c. */
struct layer_options exec_layer_options(const struct build *build);
int exec_lookup_user(struct build *build, struct making *making, const char *text,
                     struct user *user, struct err *err);

#endif
