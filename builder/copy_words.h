/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_COPY_WORDS_H
#define BUILDER_COPY_WORDS_H

/* What a COPY or ADD says that needs no expansion. Pure. */
#include "base/err.h"
#include "builder/ignore.h"
#include "builder/instruction.h"

/* Adds the patterns of --exclude. */
int copy_words_excludes(const struct instruction *in, struct ignore *exclude, struct err *err);
/* Refuses, before anything is built, bad patterns of --exclude, a bad --chmod without variables,
 * and heredocs whose names cannot be files'. */
int copy_words_check(const struct instruction *in, struct err *err);

#endif
