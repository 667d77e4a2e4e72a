/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_GLOB_H
#define BUILDER_GLOB_H

/* COPY's wildcards: Go's path/filepath.Match on one component: * ? [a-z] [^a-z] and \ for a
 * literal; characters are those of UTF-8. Pure. */
#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"

bool glob_has_wildcard(struct str pattern);
/* Is it well-formed? A match finds out only as far as it looks. */
int glob_check(struct str pattern, struct err *err);
/* 1 the whole name matches, 0 not, -1 the pattern is malformed (ERR_INPUT). Neither holds a "/". */
int glob_match(struct str pattern, struct str name, struct err *err);
/* The pattern without its escapes, when it has no wildcard: for free(). */
char *glob_literal(struct str pattern);

#endif
