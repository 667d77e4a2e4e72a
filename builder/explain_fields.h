/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_EXPLAIN_FIELDS_H
#define BUILDER_EXPLAIN_FIELDS_H

/* Two definitions of one step, held against each other. Pure. */
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/str.h"
#include "base/strv.h"

#define EXPLAIN_LINES_MAX 20 /* of the files of one step; the rest is counted */

/* Appends a line ("    ARG VERSION: \"1\" became \"2\"\n") for each field that differs, but
 * "files". Returns how many. */
size_t explain_fields(const struct strv *before, const struct strv *now, struct buf *out);
/* Value of a field, or NULL; borrowed. */
const char *explain_field(const struct strv *fields, const char *name);
/* The same for two lists of files (context_tree_list()). */
size_t explain_files(struct str before, struct str now, struct buf *out);

#endif
