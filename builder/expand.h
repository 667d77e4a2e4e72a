/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_EXPAND_H
#define BUILDER_EXPAND_H

/*
 * Quotes and variables in one word, as the Dockerfile reference has them ("Environment
 * replacement"): $name ${name} ${name-w} :- + :+ ? :? # ## % %% / //     w may nest; patterns know
 * * and ? and no [classes] 'literal'   "expands $, escape before \" $ and itself"   escape + any
 * character Unset is empty. Pure.
 */
#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "base/strv.h"

#define EXPAND_MAX                                                                                 \
    (16 << 20) /* ours, as DOCKERFILE_MAX: a word that grows beyond this is refused */

struct expand {
    /* Value of a variable, or NULL when it is not set. Borrowed until the next call. */
    const char *(*lookup)(const void *arg, struct str name);
    const void *arg;
    char escape;        /* of the Dockerfile: '\\' or '`' */
    bool keep_quotes;   /* quotes are ordinary characters (heredoc bodies) */
    struct strv *unset; /* NULL, or collects names that were asked for and not set, each once */
    struct strv *used;  /* NULL, or collects those that were set */
};

/* Appends the expanded word to *out. Text of an error has no place in it; wrap it. */
int expand_word(const struct expand *x, struct str word, struct buf *out, struct err *err);
/* The same, then split at unquoted white space (EXPOSE): appends none, one or more words. */
int expand_words(const struct expand *x, struct str word, struct strv *out, struct err *err);
/* lookup for a "NAME=value" vector: arg is a const struct strv *. */
const char *expand_from_env(const void *arg, struct str name);
/* The variable of such a vector whose name is nearest, for "did you mean": at most two edits away,
 * as docker has it. Empty: none is near, or one is the same. */
struct str expand_nearest(const struct strv *env, struct str name);

#endif
