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

#define DOCKERFILE_MAX (16 << 20) /* ours: more than this is no Dockerfile */

struct span {
    unsigned first, last; /* lines, from 1; 0: none */
};

struct dockerfile {
    char *name;        /* as errors call it */
    struct buf source; /* own copy; slices of the instructions point into it */
    char escape;       /* '\\' or '`' */
    char *syntax;      /* value of the parser directive, or NULL */
    char *check;
    struct instruction *instructions;
    size_t count;
    struct strv warnings; /* "NAME:LINE: …", ready to print */
    struct span failed;   /* set by a failing dockerfile_parse or graph_make */
};

/* On failure doc still holds name and source. Release it in any case. */
int dockerfile_parse(struct str bytes, const char *name, struct dockerfile *doc, struct err *err);
void dockerfile_release(struct dockerfile *doc);

/* Sets "NAME:LINE: …" (ERR_INPUT); returns -1. */
int dockerfile_error(const struct dockerfile *doc, unsigned line, struct err *err, const char *fmt,
                     ...) __attribute__((format(printf, 4, 5)));
/* Puts "NAME:LINE: " before an error that has none yet; returns -1. */
int dockerfile_wrap(const struct dockerfile *doc, unsigned line, struct err *err);
/*
 * The lines first..last with up to two lines before and after; the failing ones are marked:
 *      11 |     FROM scratch
 *      12 | >>> RUNN true
 * Each line is escaped, and cut at 200 bytes. Nothing for a range outside the file.
 */
void dockerfile_excerpt(const struct dockerfile *doc, unsigned first_line, unsigned last_line,
                        struct buf *out);
/* The whole document as indented JSON, for tests. */
void dockerfile_print_json(const struct dockerfile *doc, struct buf *out);

#endif
