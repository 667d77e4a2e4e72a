/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_LINT_H
#define BUILDER_LINT_H

/*
 * Build checks: what is no error in a Dockerfile, and yet not what its author can have meant. The
 * rules are docker's (BuildKit frontend 1.26), by name, text and place. Pure.
 *
 * In this order: lint_begin() reads what `# check=` and BUILDKIT_DOCKERFILE_CHECK say; lint_file()
 * makes the rules that need the file alone, lint_from() those of its FROMs and global ARGs,
 * lint_stages() those for which the stages are gone through as the builder would; lint_sort().
 *
 * Rules are left out for one instruction by a comment before it: `# check=skip=RULE,RULE` or
 * `# check=skip=all`.
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/str.h"
#include "base/strv.h"
#include "builder/graph.h"
#include "builder/parse.h"
#include "builder/rehearse.h"

struct ignore;

enum lint_rule {
    LINT_STAGE_NAME_CASING,
    LINT_FROM_AS_CASING,
    LINT_NO_EMPTY_CONTINUATION,
    LINT_CONSISTENT_INSTRUCTION_CASING,
    LINT_DUPLICATE_STAGE_NAME,
    LINT_RESERVED_STAGE_NAME,
    LINT_JSON_ARGS_RECOMMENDED,
    LINT_MAINTAINER_DEPRECATED,
    LINT_UNDEFINED_ARG_IN_FROM,
    LINT_WORKDIR_RELATIVE_PATH,
    LINT_UNDEFINED_VAR,
    LINT_MULTIPLE_INSTRUCTIONS_DISALLOWED,
    LINT_LEGACY_KEY_VALUE_FORMAT,
    LINT_INVALID_BASE_IMAGE_PLATFORM,
    LINT_REDUNDANT_TARGET_PLATFORM,
    LINT_SECRETS_USED_IN_ARG_OR_ENV,
    LINT_INVALID_DEFAULT_ARG_IN_FROM,
    LINT_FROM_PLATFORM_FLAG_CONST_DISALLOWED,
    LINT_COPY_IGNORED_FILE,
    LINT_INVALID_DEFINITION_DESCRIPTION,
    LINT_EXPOSE_PROTO_CASING,
    LINT_EXPOSE_INVALID_FORMAT,
    LINT_RULES,
};

struct lint_about {
    const char *name;        /* "StageNameCasing" */
    const char *description; /* the rule in one sentence */
    const char *page;        /* last part of its documentation's address; NULL: it has none */
    bool experimental;       /* made only when asked for */
};
const struct lint_about *lint_about(enum lint_rule rule);

/* skip=RULE,…|all;experimental=RULE,…|all;error=BOOL. Spaces are fine after "," and ";"; what
 * follows the first other one is prose. */
struct lint_config {
    bool skip_all, experimental_all;
    bool is_error; /* a warning makes the build fail */
    struct strv skip, experimental;
};

struct lint_warning {
    enum lint_rule rule;
    char *text;           /* may hold foreign bytes */
    unsigned first, last; /* lines */
};

struct lint {
    struct lint_config config;
    struct lint_warning *warnings;
    size_t count, capacity;
    struct strv notes; /* "NAME:LINE: …": what is odd in a check comment itself; ready to print */
};

/* build_args may be NULL. An argument BUILDKIT_DOCKERFILE_CHECK counts instead of the directive.
 * *failed: the directive's line, after a failure that is its fault. */
int lint_begin(struct lint *lint, const struct dockerfile *doc, const struct strv *build_args,
               struct span *failed, struct err *err);
void lint_release(struct lint *lint);

/* Of a document whose parsing failed, only rules that look at one instruction alone. */
void lint_file(struct lint *lint, const struct dockerfile *doc);
/* graph_make may have failed at a FROM: it left its globals. */
void lint_from(struct lint *lint, const struct graph *graph);

struct lint_input {
    struct rehearsal stages;
    bool all_stages;             /* also those that the target does not need */
    const struct ignore *ignore; /* of the build context; NULL: nothing is left out */
};
/* -1: an instruction cannot be carried out; err says where, *failed its lines. */
int lint_stages(struct lint *lint, const struct lint_input *input, struct span *failed,
                struct err *err);

/* For the rules: `in` (NULL: the file as a whole) is whose comments may leave the rule out. */
void lint_add(struct lint *lint, const struct dockerfile *doc, const struct instruction *in,
              enum lint_rule rule, unsigned first, unsigned last, const char *fmt, ...)
    __attribute__((format(printf, 7, 8)));

/* Takes what `from` has and lint has not: checks of another target of the same file. */
void lint_merge(struct lint *lint, struct lint *from);
/* By line; warnings of one line keep their order. */
void lint_sort(struct lint *lint);
/* "lint violation found for rules: A, B", or 0 when there are no warnings or they are no errors. */
int lint_error(const struct lint *lint, struct err *err);

/* What `docker build --check` prints, without its first line: rule, page, text, excerpt. */
void lint_print(const struct lint *lint, const struct dockerfile *doc, struct buf *out);
/* "UndefinedVar: Usage of undefined variable '$foo' (line 3)", escaped. */
void lint_print_short(const struct lint_warning *warning, struct buf *out);
/* docker's JSON. failed: what ended the check early, or NULL; then at the lines of *at. */
void lint_print_json(const struct lint *lint, const struct dockerfile *doc,
                     const struct err *failed, const struct span *at, struct buf *out);

/* For docker's --metadata-file ("buildx.build.warnings"): one object each, text and description in
 * base64, as BuildKit's client has them; a new array. */
json_t *lint_metadata(const struct lint *lint, const struct dockerfile *doc);

/* {"ranges": […]}, as docker's JSON has places; new. */
json_t *lint_location(unsigned first, unsigned last);

#endif
