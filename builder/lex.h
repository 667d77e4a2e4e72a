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

struct lex_mark {
    size_t at;     /* from this byte of the text on … */
    unsigned line; /* … the file's line is this one */
};

struct lex_line {
    char *text; /* NUL-ended; leading white space is gone */
    size_t size;
    unsigned first_line, last_line;
    struct str source; /* borrowed */
    struct lex_mark *marks;
    size_t marks_count, marks_capacity;
};

struct lex {
    struct str source; /* borrowed, whole */
    size_t at;         /* next byte to read */
    unsigned line;     /* lines read so far */
    char escape;
    bool directives_done;
    char *syntax, *check; /* values of directives, or NULL */
    unsigned syntax_line, check_line;
    bool escape_seen;
    struct strv *warnings; /* borrowed; gets "NAME:LINE: …" */
    const char *name;      /* borrowed */
};

/* Refuses bytes that are no text (NUL, UTF-16). Errors carry no place: *line gets it. */
int lex_begin(struct lex *lex, struct str source, const char *name, struct strv *warnings,
              unsigned *line, struct err *err);
/* 1: *out is the next logical line (release it); 0: no more; -1: error at line lex->line. */
int lex_next(struct lex *lex, struct lex_line *out, struct err *err);
/* Reads lines up to one that is `name` (after leading tabs, if strip_tabs). 1 found, 0 the file
 * ended first, -1 error. */
int lex_heredoc(struct lex *lex, const char *name, bool strip_tabs, struct str *body,
                struct err *err);
unsigned lex_line_at(const struct lex_line *line, size_t offset);
void lex_line_release(struct lex_line *line);
void lex_release(struct lex *lex);

#endif
