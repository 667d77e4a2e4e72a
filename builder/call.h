/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_CALL_H
#define BUILDER_CALL_H

/*
 * Questions about a Dockerfile that need no build: is it sound, what does it offer, how is it read
 * (docker's `--call`). Nothing is carried out; of base images no more than the config is fetched.
 */
#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/strv.h"

struct build_options;
struct build_tools;

enum call {
    CALL_CHECK,   /* build checks */
    CALL_OUTLINE, /* arguments, secrets and ssh agents of the target */
    CALL_TARGETS, /* the stages */
    CALL_AST,     /* the parsed file; always JSON */
};

struct call_result {
    struct buf out;     /* for standard output; on failure too, as far as it came */
    struct buf excerpt; /* after a failure: the lines at fault */
    struct strv notes;  /* ready to print as warnings */
    size_t warnings;    /* of CALL_CHECK */
};

/* tools: layout, pool and remote; these may be NULL for CALL_TARGETS and CALL_AST of a directory of
 * this host, with a Dockerfile of this host. */
int call_run(const struct build_options *options, const struct build_tools *tools, enum call call,
             bool json, struct call_result *result, struct err *err);
void call_result_release(struct call_result *result);

#endif
