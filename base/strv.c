/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strv.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"

void strv_release(struct strv *v)
{
    int saved = errno;

    for (size_t i = 0; i < v->count; i++)
        free(v->ptr[i]);
    free(v->ptr);
    *v = (struct strv){0};
    errno = saved;
}

void strv_clear(struct strv *v)
{
    for (size_t i = 0; i < v->count; i++)
        free(v->ptr[i]);
    v->count = 0;
    if (v->ptr)
        v->ptr[0] = NULL;
}

void strv_take(struct strv *v, char *s)
{
    if (v->count + 1 >= v->capacity) {
        v->capacity = v->capacity ? v->capacity * 2 : 8;
        v->ptr = xreallocarray(v->ptr, v->capacity, sizeof(*v->ptr));
    }
    v->ptr[v->count++] = s;
    v->ptr[v->count] = NULL;
}

void strv_add(struct strv *v, const char *s)
{
    strv_take(v, xstrdup(s));
}

void strv_add_str(struct strv *v, struct str s)
{
    strv_take(v, str_dup(s));
}

void strv_addf(struct strv *v, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    strv_take(v, xvasprintf(fmt, ap));
    va_end(ap);
}

void strv_copy(struct strv *to, const struct strv *from)
{
    for (size_t i = 0; i < from->count; i++)
        strv_add(to, from->ptr[i]);
}

void strv_remove(struct strv *v, size_t index)
{
    free(v->ptr[index]);
    memmove(v->ptr + index, v->ptr + index + 1, (v->count - index) * sizeof(*v->ptr));
    v->count--;
}

bool strv_has(const struct strv *v, const char *s)
{
    for (size_t i = 0; i < v->count; i++)
        if (strcmp(v->ptr[i], s) == 0)
            return true;
    return false;
}

static int by_bytes(const void *a, const void *b)
{
    const char *const *x = a, *const *y = b;

    return strcmp(*x, *y);
}

void strv_sort(struct strv *v)
{
    if (v->count > 1)
        qsort(v->ptr, v->count, sizeof(*v->ptr), by_bytes);
}

char *strv_join(const struct strv *v, const char *sep)
{
    struct buf out = {0};

    for (size_t i = 0; i < v->count; i++) {
        if (i)
            buf_adds(&out, sep);
        buf_adds(&out, v->ptr[i]);
    }
    return buf_steal(&out);
}

char *const *strv_argv(const struct strv *v)
{
    static char *const none[] = {NULL};

    return v->ptr ? v->ptr : none;
}

static ptrdiff_t env_index(const struct strv *env, const char *name)
{
    size_t size = strlen(name);

    for (size_t i = 0; i < env->count; i++)
        if (strncmp(env->ptr[i], name, size) == 0 && env->ptr[i][size] == '=')
            return (ptrdiff_t)i;
    return -1;
}

const char *env_get(const struct strv *env, const char *name)
{
    ptrdiff_t at = env_index(env, name);

    return at < 0 ? NULL : env->ptr[at] + strlen(name) + 1;
}

void env_set(struct strv *env, const char *name, const char *value)
{
    ptrdiff_t at = env_index(env, name);
    char *entry = xasprintf("%s=%s", name, value);

    if (at < 0) {
        strv_take(env, entry);
    } else {
        free(env->ptr[at]);
        env->ptr[at] = entry;
    }
}

void env_unset(struct strv *env, const char *name)
{
    ptrdiff_t at = env_index(env, name);

    if (at >= 0)
        strv_remove(env, (size_t)at);
}
