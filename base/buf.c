/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/str.h"

void buf_release(struct buf *b)
{
    int saved = errno;

    free(b->ptr);
    *b = (struct buf){0};
    errno = saved;
}

void buf_clear(struct buf *b)
{
    b->size = 0;
    if (b->ptr)
        b->ptr[0] = 0;
}

char *buf_reserve(struct buf *b, size_t more)
{
    size_t need;

    BUG_ON(__builtin_add_overflow(b->size, more, &need) || __builtin_add_overflow(need, 1, &need));
    if (need > b->capacity) {
        size_t twice = b->capacity * 2;

        b->capacity = need > twice ? need : twice;
        if (b->capacity < 64)
            b->capacity = 64;
        b->ptr = xrealloc(b->ptr, b->capacity);
        b->ptr[b->size] = 0; /* of an empty file nothing may come */
    }
    return b->ptr + b->size;
}

void buf_commit(struct buf *b, size_t more)
{
    BUG_ON(b->size + more >= b->capacity);
    b->size += more;
    b->ptr[b->size] = 0;
}

void buf_add(struct buf *b, const void *bytes, size_t size)
{
    char *to = buf_reserve(b, size);

    if (size)
        memcpy(to, bytes, size);
    buf_commit(b, size);
}

void buf_add_str(struct buf *b, struct str s)
{
    buf_add(b, s.ptr, s.size);
}

void buf_adds(struct buf *b, const char *s)
{
    buf_add(b, s, strlen(s));
}

void buf_addc(struct buf *b, char c)
{
    buf_add(b, &c, 1);
}

void buf_vaddf(struct buf *b, const char *fmt, va_list ap)
{
    va_list again;
    int size;

    va_copy(again, ap);
    size = vsnprintf(NULL, 0, fmt, again);
    va_end(again);
    BUG_ON(size < 0);
    vsnprintf(buf_reserve(b, (size_t)size), (size_t)size + 1, fmt, ap);
    buf_commit(b, (size_t)size);
}

void buf_addf(struct buf *b, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    buf_vaddf(b, fmt, ap);
    va_end(ap);
}

/* Length of the well-formed UTF-8 sequence at p, 0 when there is none (RFC 3629 §4). */
static size_t utf8_length(const unsigned char *p, size_t left)
{
    size_t size = p[0] < 0x80                   ? 1
                  : p[0] >= 0xc2 && p[0] < 0xe0 ? 2
                  : p[0] >= 0xe0 && p[0] < 0xf0 ? 3
                  : p[0] >= 0xf0 && p[0] < 0xf5 ? 4
                                                : 0;

    if (!size || size > left)
        return 0;
    for (size_t i = 1; i < size; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
        (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
        return 0;
    return size;
}

void buf_add_escaped(struct buf *b, struct str s)
{
    const unsigned char *p = (const unsigned char *)s.ptr;

    for (size_t i = 0; i < s.size;) {
        size_t size = utf8_length(p + i, s.size - i);
        /* C1 controls (U+0080..U+009F) drive terminals too. */
        bool control =
            p[i] < 0x20 || p[i] == 0x7f || (size == 2 && p[i] == 0xc2 && p[i + 1] < 0xa0);

        if (size && !control) {
            buf_add(b, p + i, size);
            i += size;
        } else if (p[i] == '\n' || p[i] == '\t') {
            buf_adds(b, p[i++] == '\n' ? "\\n" : "\\t");
        } else {
            buf_addf(b, "\\x%02x", p[i++]);
        }
    }
}

void buf_add_columns(struct buf *b, struct str s)
{
    struct str part;

    while (str_cut(s, '\t', &part, &s)) {
        buf_add_escaped(b, part);
        buf_addc(b, '\t');
    }
    buf_add_escaped(b, part);
}

const char *buf_cstr(const struct buf *b)
{
    return b->ptr ? b->ptr : "";
}

struct str buf_str(const struct buf *b)
{
    return (struct str){buf_cstr(b), b->size};
}

char *buf_steal(struct buf *b)
{
    char *bytes = b->ptr ? b->ptr : xstrdup("");

    *b = (struct buf){0};
    return bytes;
}
