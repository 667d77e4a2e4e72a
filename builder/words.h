/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_WORDS_H
#define BUILDER_WORDS_H

/* The ways in which an instruction's text divides into words. `text` is always a slice of
 * line->text. Pure. */
#include <stddef.h>

#include "base/err.h"
#include "base/str.h"
#include "base/strv.h"
#include "builder/instruction.h"
#include "builder/lex.h"

struct words {
    struct word *items;
    size_t count, capacity;
};

void words_release(struct words *w);
/* At blanks, quotes mean nothing: EXPOSE, COPY, FROM … */
void words_blank(struct words *w, const struct lex_line *line, struct str text);
/* At white space outside quotes; quotes and escapes are kept: ENV, LABEL, ARG. */
void words_quoted(struct words *w, const struct lex_line *line, struct str text, char escape);
/* Leading "--…" words, quotes and escapes taken away; "--" alone ends them. *rest is what follows.
 */
int words_flags(struct words *w, const struct lex_line *line, struct str text, char escape,
                struct str *rest, struct err *err);
/* ["a", "b"]: 1 and the strings; 0 it is no JSON array; -1 it is one, but not of strings alone. */
int words_json(struct str text, struct strv *out, struct err *err);
/*
 * Heredocs (<<NAME, <<-NAME, 3<<"NAME") among the words of a shell command, in order; bodies are
 * still empty. A word is one only if "<<" stands at its beginning. With `shell`, a name also ends
 * before ; & | ( ) >.
 */
void words_heredocs(struct str text, bool shell, struct heredoc **out, size_t *out_count);
/* Is this whole text one heredoc word? */
bool words_is_heredoc(struct str text);

#endif
