/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_STATE_WORDS_H
#define BUILDER_STATE_WORDS_H

/* What state.c, step.c, state_copy.c and state_add.c share. */
#include "base/buf.h"
#include "base/json.h"
#include "builder/state.h"

/* One word of `in` with the stage's environment; appends to out. Variables that are not set go
 * to s->unset. The error has no place in it. */
int state_expand(struct state *s, const struct instruction *in, const char *word, struct buf *out,
                 struct err *err);
/* The same for a word that may come to several, or none. */
int state_expand_words(struct state *s, const struct instruction *in, const char *word,
                       struct strv *out, struct err *err);
/* A heredoc's body: quotes mean nothing, and the escape character is always the backslash. */
int state_expand_body(struct state *s, const struct instruction *in, struct str body,
                      struct buf *out, struct err *err);
/* SHELL's words, or the platform's default. */
void state_shell(const struct state *s, struct strv *argv);
/* A JSON string; bytes that are no UTF-8 become U+FFFD. */
json_t *state_json_text(const char *text);

/* Fills what the flags of ADD alone decide; the sources are there. */
int state_add_flags(struct state *s, const struct instruction *in, struct copy_spec *out,
                    struct err *err);
#endif
