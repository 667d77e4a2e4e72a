/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_AHEAD_H
#define BUILDER_AHEAD_H

/*
 * Layers come only when something needs their bytes; here is what knows early that something will,
 * so that they come in parallel, while steps and other stages are made.
 */
#include "builder/exec.h"

/* A stage that is FROM an image has begun: its layers come when an output that stays here will
 * hold them, or when nothing is taken from the cache and a RUN will see them. */
void ahead_begun(const struct build *build, const struct making *making);
/* A step is not remembered: a RUN of its stage is unlikely to be. */
void ahead_missed(const struct build *build, const struct making *making);

/* Is `below` the stage itself, or among those it is FROM? */
bool ahead_is_built_on(const struct making *m, const struct making *below);

#endif
