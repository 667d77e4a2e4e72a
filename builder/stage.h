/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_STAGE_H
#define BUILDER_STAGE_H

/* A stage from its FROM to its last instruction: a task_fn for builder/schedule.h. */
#include "builder/exec.h"

/* arg: struct build *. task: that of a struct making. Goes on where it stopped, until it is done or
 * needs a stage that is not. */
int stage_make(void *arg, struct task *task, struct task **on, struct err *err);
void stage_release(struct making *m);

#endif
