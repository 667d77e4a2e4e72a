/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_LEX_H
#define BUILDER_LEX_H

/*
 * Bytes to logical lines: byte order mark, \r\n, parser directives, comments, line continuations,
 * heredoc bodies. Pure. A logical line is one instruction's text with its continuations joined;
 * each of its bytes still knows its line.
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/str.h"
#include "base/strv.h"

#define LEX_LINE_MAX 65535 /* of one line of the file, as BuildKit has it */

/* A line of comment; the text is what follows the "#", white space taken off both ends. */
struct comment {
    struct str text; /* borrowed from the source */
    unsigned line;
};

struct directive {
    const char *name; /* "syntax", "escape", "check"; static */
    struct str value; /* borrowed from the source */
    unsigned line;
};

struct lex_mark {
    size_t at;     /* from this byte of the text on … */
    unsigned line; /* … the file's line is this one */
};

struct lex_line {
    char *text; /* NUL-ended; leading white space is gone */
    size_t size;
    unsigned first_line, last_line;
    struct str source;   /* borrowed */
    unsigned empty_line; /* its last line, when a line between its continuations is empty; else 0 */
    /* The comments that stand before it: lex->comments[comments_first … comments_end - 1]. An empty
     * comment cuts off those above it. */
    size_t comments_first, comments_end;
    struct lex_mark *marks;
    size_t marks_count, marks_capacity;
};

struct lex {
    struct str source; /* borrowed, whole */
    size_t at;         /* next byte to read */
    unsigned line;     /* lines read so far */
    char escape;
    bool directives_done;
    bool shebang; /* the file begins with "#!": syntax and check may still follow, escape may not */
    struct directive *directives;
    size_t directives_count, directives_capacity;
    struct comment *comments; /* all of the file's, but for directives */
    size_t comments_count, comments_capacity;
    size_t block; /* where the comments before the next instruction begin */
};

/* Refuses bytes that are no text (NUL, UTF-16). Errors carry no place: *line gets it. */
int lex_begin(struct lex *lex, struct str source, unsigned *line, struct err *err);
/* 1: *out is the next logical line (release it); 0: no more; -1: error at line lex->line. */
int lex_next(struct lex *lex, struct lex_line *out, struct err *err);
/* Reads lines up to one that is `name` (after leading tabs, if strip_tabs). 1 found, 0 the file
 * ended first, -1 error. */
int lex_heredoc(struct lex *lex, const char *name, bool strip_tabs, struct str *body,
                struct err *err);
/* "name = value", white space at will: a directive's form; *key is cut to its letters. */
bool lex_cut_directive(struct str comment, struct str *key, struct str *value);
const struct directive *lex_directive(const struct lex *lex, const char *name); /* or NULL */
unsigned lex_line_at(const struct lex_line *line, size_t offset);
void lex_line_release(struct lex_line *line);
void lex_release(struct lex *lex);

#endif
