/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_YAML_H
#define BASE_YAML_H

/*
 * The door to libyaml, which is opened (dlopen) on first use: one YAML document as the JSON that it
 * stands for. Plain scalars are resolved as YAML 1.2's core schema has it (null, true, false,
 * integers, reals), 0777 as an octal number besides; all others are strings.
 */
#include "base/err.h"
#include "base/json.h"
#include "base/str.h"

#define YAML_DEPTH_MAX 64 /* ours, as with JSON */

/* The document, for json_decref(); NULL: "line L, column C: …". Refuses duplicate keys, keys that
 * are no scalars, tags, aliases, NUL bytes, more than one document, and an empty one. */
json_t *yaml_parse(struct str text, struct err *err);

#endif
