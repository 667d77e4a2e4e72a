/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_PARSE_H
#define BUILDER_PARSE_H

/*
 * A Dockerfile's bytes to instructions (Dockerfile reference; BuildKit frontend 1.26 decides where
 * that is silent). Pure. Errors read `NAME:LINE: what is wrong`; the lines at fault stay in
 * doc->failed, so that the caller may add the excerpt:
 *
 *     SCOPED(dockerfile_release) struct dockerfile doc = {0};
 *     if (dockerfile_parse(bytes, "Dockerfile", &doc, err) < 0) {
 *         dockerfile_excerpt(&doc, doc.failed.first, doc.failed.last, &excerpt);   nothing when
 * failed is {0, 0} return -1;
 *     }
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/strv.h"
#include "builder/instruction.h"
#include "builder/lex.h"

#define DOCKERFILE_MAX (16 << 20) /* ours: more than this is no Dockerfile */

struct span {
    unsigned first, last; /* lines, from 1; 0: none */
};

struct dockerfile {
    char *name;                   /* as errors call it */
    struct buf source;            /* own copy; slices of the instructions point into it */
    char escape;                  /* '\\' or '`' */
    struct directive *directives; /* each of them once; values point into source */
    size_t directives_count;
    struct comment *comments; /* in the order of the file; texts point into source */
    size_t comments_count;
    struct instruction *instructions;
    size_t count;
    bool whole;           /* parsing succeeded: these are all */
    struct strv warnings; /* "NAME:LINE: …", ready to print */
    struct span failed;   /* set by a failing dockerfile_parse or graph_make */
};

/* On failure doc still holds name, source, comments, and the instructions before the one that is
 * wrong. Release it in any case. */
int dockerfile_parse(struct str bytes, const char *name, struct dockerfile *doc, struct err *err);
/* Triggers of an image (ONBUILD), one a line: no FROM, no ONBUILD, no MAINTAINER among them. */
int dockerfile_parse_triggers(struct str bytes, const char *name, struct dockerfile *doc,
                              struct err *err);
void dockerfile_release(struct dockerfile *doc);

/* Sets "NAME:LINE: …" (ERR_INPUT); returns -1. */
int dockerfile_error(const struct dockerfile *doc, unsigned line, struct err *err, const char *fmt,
                     ...) __attribute__((format(printf, 4, 5)));
/* Puts "NAME:LINE: " before an error that has none yet; returns -1. */
int dockerfile_wrap(const struct dockerfile *doc, unsigned line, struct err *err);
/*
 * The lines first..last in docker's form, with two lines before and after a single one, one around
 * many; the failing ones are marked:
 *     Dockerfile:12
 *     --------------------
 *       11 |     FROM scratch
 *       12 | >>> RUNN true
 *     --------------------
 * Each line is escaped, and cut at 200 bytes; of a long instruction the middle is left out. Nothing
 * for a range outside the file.
 */
void dockerfile_excerpt(const struct dockerfile *doc, unsigned first_line, unsigned last_line,
                        struct buf *out);
/* Is the syntax a directive or build argument asks for the one that is read here? ERR_INPUT. */
int dockerfile_check_syntax(struct str value, struct err *err);
/* A directive's value; empty: it is not given. */
struct str dockerfile_directive(const struct dockerfile *doc, const char *name);
/*
 * The description that the comment directly above FROM … AS `name` or ARG `name` gives: what
 * follows the name at the comment's beginning. Empty: there is none.
 */
struct str dockerfile_description(const struct dockerfile *doc, const struct instruction *in,
                                  const char *name);
/* The comments directly above it, no empty line between: from *first to in->comments_end. */
size_t dockerfile_comments_above(const struct dockerfile *doc, const struct instruction *in);
/* The whole document as indented JSON (slipway-build(1), --print-ast). */
void dockerfile_print_json(const struct dockerfile *doc, struct buf *out);

#endif
