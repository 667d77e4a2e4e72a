/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_ALLOC_H
#define BASE_ALLOC_H

/* Memory that cannot fail: out of memory aborts with a line on stderr. Free with free(). */
#include <stdarg.h>
#include <stddef.h>

void *xmalloc(size_t size);
void *xcalloc(size_t count, size_t size);
void *xrealloc(void *ptr, size_t size);
void *xreallocarray(void *ptr, size_t count, size_t size);
char *xstrdup(const char *s); /* NULL gives NULL */
char *xstrndup(const char *s, size_t n);
void *xmemdup(const void *bytes, size_t size);
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
char *xvasprintf(const char *fmt, va_list ap) __attribute__((format(printf, 1, 0)));

/*
 * Makes room for one more element in a growing array: VEC_GROW(v->items, v->count, v->capacity).
 * New memory is not cleared.
 */
#define VEC_GROW(ptr, count, capacity)                                                             \
    do {                                                                                           \
        if ((count) >= (capacity)) {                                                               \
            (capacity) = (capacity) ? (capacity)*2 : 8;                                            \
            (ptr) = xreallocarray((ptr), (capacity), sizeof(*(ptr)));                              \
        }                                                                                          \
    } while (0)

#endif
