/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_BUILD_LINT_H
#define BUILDER_BUILD_LINT_H

/* Build checks of an ordinary build: it says in short what `--check` would say at length. */
#include "base/err.h"

struct build;

/* Before the first step. -1: the check directive cannot be read; or it says error=true, and a rule
 * is violated: then base images are loaded first, since rules look at them. */
int build_lint_first(struct build *build, struct err *err);
/* At the end, whatever it was: warnings go to build->result. Bases that were not loaded are passed
 * over. */
void build_lint_last(struct build *build);

#endif
