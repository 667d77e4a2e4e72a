/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/text.h"

#include <string.h>

#include "base/scope.h"

/* The character s begins with as a number, and its size; size 1 and the byte itself where it is no
 * UTF-8. */
static unsigned decode(struct str s, size_t *size)
{
    const unsigned char *p = (const unsigned char *)s.ptr;
    static const struct {
        unsigned char mask, lead;
        unsigned least;
    } forms[] = {{0xe0, 0xc0, 0x80}, {0xf0, 0xe0, 0x800}, {0xf8, 0xf0, 0x10000}};

    *size = 1;
    for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
        size_t n = i + 2;
        unsigned c = p[0] & (unsigned char)~forms[i].mask;

        if ((p[0] & forms[i].mask) != forms[i].lead || s.size < n)
            continue;
        for (size_t k = 1; k < n; k++) {
            if ((p[k] & 0xc0) != 0x80)
                return p[0];
            c = c << 6 | (p[k] & 0x3f);
        }
        if (c < forms[i].least || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
            return p[0];
        *size = n;
        return c;
    }
    return p[0];
}

size_t text_char(struct str s)
{
    size_t size = 0;

    if (s.size > 0)
        decode(s, &size);
    return size;
}

size_t text_space(struct str s)
{
    size_t size;

    if (s.size == 0)
        return 0;
    unsigned c = decode(s, &size);
    if (c == ' ' || (c >= '\t' && c <= '\r'))
        return 1;
    if (size == 1)
        return 0;
    bool space = c == 0x85 || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) ||
                 c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
    return space ? size : 0;
}

struct str text_trim(struct str s)
{
    size_t end = 0;

    for (size_t n; (n = text_space(s)) > 0;)
        s = str_slice(s, n, s.size);
    for (size_t at = 0; at < s.size;) {
        size_t n = text_space(str_slice(s, at, s.size));

        at += n ? n : text_char(str_slice(s, at, s.size));
        if (!n)
            end = at;
    }
    return str_slice(s, 0, end);
}

size_t text_letter(struct str s)
{
    static const unsigned blocks[][2] = {{0xaa, 0xaa},     {0xb5, 0xb5},     {0xba, 0xba},
                                         {0xc0, 0xd6},     {0xd8, 0xf6},     {0xf8, 0x2c1},
                                         {0x370, 0x1fff},  {0x2c00, 0x2dff}, {0x3040, 0xd7ff},
                                         {0xf900, 0xfdcf}, {0xfdf0, 0xfdfc}, {0x20000, 0x3ffff}};
    size_t size;

    if (s.size == 0)
        return 0;
    unsigned c = decode(s, &size);
    if (c < 0x80)
        return c == '_' || ((c | 32) >= 'a' && (c | 32) <= 'z');
    for (size_t i = 0; size > 1 && i < ARRAY_SIZE(blocks); i++)
        if (c >= blocks[i][0] && c <= blocks[i][1] && !text_space(s))
            return size;
    return 0;
}

void text_quote(struct buf *out, struct str s)
{
    static const char codes[] = "\aa\bb\ff\nn\rr\tt\vv\\\\\"\"";

    buf_addc(out, '"');
    while (s.size > 0) {
        size_t size;
        unsigned c = decode(s, &size);
        const char *code = NULL;

        for (const char *p = codes; *p && !code; p += 2)
            if (c == (unsigned char)p[0])
                code = p + 1;
        if (code)
            buf_addf(out, "\\%c", *code);
        else if (c < ' ' || c == 0x7f || (size == 1 && c >= 0x80))
            buf_addf(out, "\\x%02x", c);
        else if (size > 1 &&
                 (c < 0xa0 || text_space(s) || c == 0xfeff || (c >= 0xe000 && c < 0xf900)))
            buf_addf(out, "\\u%04x", c);
        else
            buf_add(out, s.ptr, size);
        s = str_slice(s, size, s.size);
    }
    buf_addc(out, '"');
}

void text_quote_list(struct buf *out, const struct strv *v)
{
    buf_addc(out, '[');
    for (size_t i = 0; i < v->count; i++) {
        if (i)
            buf_addc(out, ' ');
        text_quote(out, str_of(v->ptr[i]));
    }
    buf_addc(out, ']');
}

void text_list(struct buf *out, const struct strv *v)
{
    AUTO_FREE char *joined = strv_join(v, " ");

    buf_addf(out, "[%s]", joined);
}
