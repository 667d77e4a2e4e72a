/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_STRV_H
#define BASE_STRV_H

/* Owned vector of owned strings, always NULL-ended: for argv, env and lists of names. */
#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

struct strv {
    char **ptr; /* NULL while empty; strv_argv() never is */
    size_t count;
    size_t capacity;
};

void strv_release(struct strv *v);
void strv_clear(struct strv *v);
void strv_add(struct strv *v, const char *s);
void strv_add_str(struct strv *v, struct str s);
void strv_addf(struct strv *v, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void strv_take(struct strv *v, char *s);                  /* becomes owner of s */
void strv_copy(struct strv *to, const struct strv *from); /* appends */
void strv_remove(struct strv *v, size_t index);
bool strv_has(const struct strv *v, const char *s);
void strv_sort(struct strv *v); /* by bytes */
char *strv_join(const struct strv *v, const char *sep);
char *const *strv_argv(const struct strv *v); /* NULL-ended, borrowed */
/* "NAME=value" vectors. env_get: value or NULL, borrowed. env_set replaces in place, else appends.
 */
const char *env_get(const struct strv *env, const char *name);
void env_set(struct strv *env, const char *name, const char *value);
void env_unset(struct strv *env, const char *name);

#endif
