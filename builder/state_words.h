/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_STATE_WORDS_H
#define BUILDER_STATE_WORDS_H

/* What state.c and step.c share. */
#include "base/buf.h"
#include "base/json.h"
#include "builder/state.h"

/* One word with the stage's environment. The error has no place in it. */
int state_expand(const struct state *s, const char *word, struct buf *out, struct err *err);
/* SHELL's words, or the platform's default. */
void state_shell(const struct state *s, struct strv *argv);
/* A JSON string; bytes that are no UTF-8 become U+FFFD. */
json_t *state_json_text(const char *text);

#endif
