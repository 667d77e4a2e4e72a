/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_PATTERN_H
#define BUILDER_PATTERN_H

/*
 * Shell patterns as ${v#p}, ${v%p} and ${v/p/r} have them: * any run, ? one character, \* \? \\ \}
 * \/ themselves; brackets are ordinary characters. Pure.
 */
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

struct pattern_token {
    char kind; /* 'c' the character `text`, '?' any one, '*' any run */
    struct str text;
};

struct pattern {
    struct pattern_token *tokens; /* borrow from the pattern */
    size_t count, capacity;
};

int pattern_parse(struct pattern *g, struct str text, struct err *err);
void pattern_release(struct pattern *g);
/* Takes the longest or shortest match off the front or the back. -1 when it would take too long. */
int pattern_cut(const struct pattern *g, struct str value, bool back, bool longest, struct str *out,
                struct err *err);
/* Replaces the first or every match, each as long as can be; `with` is taken as it stands. */
int pattern_replace(const struct pattern *g, struct str value, struct str with, bool all,
                    struct buf *out, struct err *err);

#endif
