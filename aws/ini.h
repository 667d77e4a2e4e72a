/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AWS_INI_H
#define AWS_INI_H

/*
 * The INI dialect of ~/.aws/config and ~/.aws/credentials (AWS SDKs and Tools Reference, "Shared
 * config and credentials files"). Pure. [section "quoted name"], key = value, comments with # and ;
 * at the start of a line, a value without text followed by indented lines is a nested block: its
 * keys are kept as "outer.inner". Later values win; sections of the same name are one.
 */
#include <stddef.h>

#include "base/err.h"
#include "base/str.h"

struct ini_pair {
    char *key; /* lower case */
    char *value;
};

struct ini_section {
    char *name; /* as written, inner spaces made one, quotes taken off: "profile x" */
    struct ini_pair *pairs;
    size_t count, capacity;
};

struct ini {
    struct ini_section *sections;
    size_t count, capacity;
};

/* `file` is for messages: "file:line: …". */
int ini_parse(struct str text, const char *file, struct ini *ini, struct err *err);
void ini_release(struct ini *ini);
const struct ini_section *ini_section(const struct ini *ini, const char *name);
const char *ini_get(const struct ini_section *section,
                    const char *key); /* section may be NULL; borrowed */

#endif
