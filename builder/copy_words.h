/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_COPY_WORDS_H
#define BUILDER_COPY_WORDS_H

/* What can be said against a COPY or ADD before anything is expanded: patterns of --exclude, a
 * --chmod without variables, names of heredocs. Pure. */
#include "base/err.h"
#include "builder/instruction.h"

int copy_words_check(const struct instruction *in, struct err *err);

#endif
