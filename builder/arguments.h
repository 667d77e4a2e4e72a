/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_ARGUMENTS_H
#define BUILDER_ARGUMENTS_H

/* What each instruction wants after its keyword and flags: words, pairs, a JSON list, a text. Part
 * of parse. Pure. */
#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"
#include "builder/instruction.h"
#include "builder/lex.h"

bool arguments_may_be_json(enum instr_kind kind);
/* Fills words, pairs, args or stage_name. `rest` is the slice of line->text that in->text was
 * copied from; JSON form and heredocs are there already. Errors have no place in them. */
int arguments_parse(struct instruction *in, const struct lex_line *line, struct str rest,
                    char escape, struct err *err);

#endif
