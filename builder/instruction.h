/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_INSTRUCTION_H
#define BUILDER_INSTRUCTION_H

/*
 * One instruction of a Dockerfile, as parse leaves it: nothing is expanded, nothing is judged
 * against a file system. Which members are filled depends on the kind:
 *
 *   FROM                    words: image [, "AS", name];  stage_name (lower case) or NULL
 *   RUN CMD ENTRYPOINT      json ? args : text;  RUN also heredocs
 *   SHELL                   args (always JSON)
 *   HEALTHCHECK             words[0] "NONE" or "CMD"; json ? args : text is the command after it
 *   ADD COPY                words: sources…, destination last; heredocs (a word with heredoc >= 0
 * is one of them) EXPOSE VOLUME           words ENV LABEL ARG           pairs (ARG without value:
 * value NULL) USER WORKDIR STOPSIGNAL MAINTAINER   text ONBUILD                 text: the trigger
 * as the image config stores it; trigger: the same, parsed
 *
 * `text` is set for every kind: what follows the keyword and its flags, continuations joined.
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "base/strv.h"

enum instr_kind {
    INSTR_ADD,
    INSTR_ARG,
    INSTR_CMD,
    INSTR_COPY,
    INSTR_ENTRYPOINT,
    INSTR_ENV,
    INSTR_EXPOSE,
    INSTR_FROM,
    INSTR_HEALTHCHECK,
    INSTR_LABEL,
    INSTR_MAINTAINER,
    INSTR_ONBUILD,
    INSTR_RUN,
    INSTR_SHELL,
    INSTR_STOPSIGNAL,
    INSTR_USER,
    INSTR_VOLUME,
    INSTR_WORKDIR,
    INSTR_KINDS,
};

struct word {
    char *text;    /* unexpanded, quotes kept */
    unsigned line; /* where it begins */
    int heredoc;   /* index into heredocs when the word is one (<<EOF), else -1 */
};

struct pair {
    char *name;  /* unexpanded, quotes kept */
    char *value; /* likewise; NULL: ARG without value */
    unsigned line;
};

struct flag {
    char *name;  /* "chown" */
    char *value; /* quotes and escapes taken away, variables not expanded; of a yes/no flag "true"
                    or "false" */
    unsigned line;
};

struct heredoc {
    char *name;      /* the delimiter without quotes; for COPY the file's name */
    struct str body; /* borrowed from the source: the lines between, tabs not stripped */
    bool expand;     /* delimiter not quoted: COPY and ADD expand variables in the body */
    bool strip_tabs; /* <<-NAME */
    unsigned fd;     /* 3<<NAME */
    unsigned first_line, last_line; /* from the body's first line to the line that ends it */
};

struct dockerfile;

struct instruction {
    enum instr_kind kind;
    const struct dockerfile *doc;   /* what it stands in, once dockerfile_parse() is done */
    const char *keyword;            /* "RUN", static */
    char *written;                  /* the same as it stands in the file: "run" */
    unsigned first_line, last_line; /* from 1; heredoc bodies included */
    struct str source;   /* borrowed: all those lines as written, without the last newline */
    unsigned empty_line; /* last line of its text, if a line inside a continuation is empty; or 0 */
    /* Comments before it: doc->comments[comments_first … comments_end - 1]. */
    size_t comments_first, comments_end;
    char *text;
    char *canonical; /* one line: keyword in capitals, flags and text as written, continuations
                        joined; no heredoc bodies */
    bool json;
    bool legacy; /* ENV NAME VALUE without "=" */
    struct strv args;
    char *stage_name;
    struct flag *flags;
    size_t flags_count;
    struct word *words;
    size_t words_count;
    struct pair *pairs;
    size_t pairs_count;
    struct heredoc *heredocs;
    size_t heredocs_count;
    struct instruction *trigger;
};

void instr_release(struct instruction *in);
const char *instr_flag(const struct instruction *in,
                       const char *name); /* value of the (last) flag, or NULL; borrowed */
void heredoc_text(const struct heredoc *doc,
                  struct buf *out); /* the body, leading tabs stripped if so asked */
int heredoc_check_name(const char *name,
                       struct err *err); /* one that will be a file's: no directories */

/* Keyword to kind, any case; -1: unknown, and *suggestion is the nearest keyword or NULL. */
int instr_kind_of(struct str keyword, const char **suggestion);
const char *instr_keyword(enum instr_kind kind);

/* What this builder knows of one flag of one instruction. */
struct flag_rule {
    enum instr_kind kind;
    const char *name;
    bool is_bool;
    bool repeats;
    bool carried_out; /* false: known to the language, not to us; using it is an error that names it
                         … */
    const char
        *harmless; /* … unless its value is this one, which asks for what we do anyway; or NULL */
};
const struct flag_rule *instr_flag_rule(enum instr_kind kind, struct str name,
                                        const char **suggestion);
/* 0, or -1 when a flag of `in` is not carried out: `COPY --link is not supported; COPY takes
 * --chmod, --chown, --from`. */
int instr_check_flags(const struct instruction *in, unsigned *line, struct err *err);
/* A source of COPY that is a URL or a git repository: refused, by name. */
int instr_check_source(const struct instruction *in, struct str source, struct err *err);

#endif
