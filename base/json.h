/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

/*
 * The door to jansson. Documents are held in json_auto_t (`json_auto_t *doc = NULL`). State a shape
 * once, in the format string of json_take (jansson, "Parsing and Validating Values"); strings taken
 * are borrowed from the document. Our own documents print compact, with sorted keys, so the same
 * input gives the same bytes.
 */
#include <jansson.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

/* Refuses duplicate keys, trailing bytes and depth beyond 64. NULL on failure; text says "line L,
 * column C: …". */
json_t *json_parse(struct str text, struct err *err);
/* json_unpack with the failure in words ("key \"digest\" is missing"). Members not named are left
 * alone. */
int json_take(json_t *value, struct err *err, const char *fmt, ...);
void json_print(const json_t *value, struct buf *out); /* compact, sorted */
void json_print_pretty(const json_t *value,
                       struct buf *out); /* two-space indent, sorted, newline at the end */

/* Member lookups that do not fail: NULL, fallback. Borrowed from obj. */
const char *json_str(const json_t *obj, const char *key);

#endif
