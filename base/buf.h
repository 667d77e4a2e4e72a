/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

/* Owned, growing bytes. Once there is memory, ptr[size] is always 0. Zero bytes are the empty
 * value. */
#include <stdarg.h>
#include <stddef.h>

#include "base/str.h"

struct buf {
    char *ptr; /* NULL while empty and never used; see buf_cstr() */
    size_t size;
    size_t capacity;
};

void buf_release(struct buf *b);
void buf_clear(struct buf *b); /* empties, keeps the memory */
/* Room for `more` bytes and the NUL; the return value is where they go (then add to b->size
 * yourself with buf_commit). */
char *buf_reserve(struct buf *b, size_t more);
void buf_commit(struct buf *b, size_t more);
void buf_add(struct buf *b, const void *bytes, size_t size);
void buf_add_str(struct buf *b, struct str s);
void buf_adds(struct buf *b, const char *s);
void buf_addc(struct buf *b, char c);
void buf_addf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_vaddf(struct buf *b, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));
/* Foreign text made safe for one line of a terminal or log: control bytes and bad UTF-8 as \xNN, \n
 * as \n. */
void buf_add_escaped(struct buf *b, struct str s);
/* The same for a line that a command wrote: its tabs make columns and stay. */
void buf_add_columns(struct buf *b, struct str s);
const char *buf_cstr(const struct buf *b); /* never NULL; borrowed from b */
struct str buf_str(const struct buf *b);   /* borrowed from b */
char *buf_steal(struct buf *b);            /* the bytes, NUL-ended, for free(); b is empty after */

#endif
