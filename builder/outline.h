/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_OUTLINE_H
#define BUILDER_OUTLINE_H

/*
 * What a Dockerfile offers to who builds it: its targets, and the arguments, secrets and ssh agents
 * of one of them (docker's `--call=targets` and `--call=outline`). Pure.
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "builder/rehearse.h"

struct outline_arg {
    char *name;
    char *value;            /* build arg or default, variables expanded; "" when it has none */
    struct str description; /* borrowed from the document */
    const struct instruction *in; /* its ARG; borrowed */
};

struct outline_need { /* a secret or an ssh agent */
    char *name;
    bool required;
    const struct instruction *in; /* the first RUN that mounts it; borrowed */
};

struct outline {
    const struct graph *graph; /* borrowed */
    struct outline_arg *args;  /* in the order of the file, like the others */
    size_t args_count, args_capacity;
    struct outline_need *secrets, *ssh;
    size_t secrets_count, secrets_capacity, ssh_count, ssh_capacity;
};

/* Of the graph's target and all it needs. */
int outline_make(struct outline *outline, const struct rehearsal *rehearsal, struct span *failed,
                 struct err *err);
void outline_release(struct outline *outline);

/* Text in docker's columns, foreign bytes escaped; JSON with docker's keys. */
void outline_print(const struct outline *outline, struct buf *out);
void outline_print_json(const struct outline *outline, struct buf *out);
void targets_print(const struct dockerfile *doc, struct buf *out);
void targets_print_json(const struct dockerfile *doc, struct buf *out);

#endif
