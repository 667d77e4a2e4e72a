/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"

#include <string.h>
#include <strings.h>

#include "base/alloc.h"

struct str str_of(const char *s)
{
    return (struct str){s, s ? strlen(s) : 0};
}

struct str str_slice(struct str s, size_t from, size_t to)
{
    if (to > s.size)
        to = s.size;
    if (from > to)
        from = to;
    return (struct str){s.ptr ? s.ptr + from : NULL, to - from};
}

bool str_eq(struct str a, struct str b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.ptr, b.ptr, a.size) == 0);
}

bool str_is(struct str a, const char *b)
{
    return str_eq(a, str_of(b));
}

bool str_is_nocase(struct str a, const char *b)
{
    return a.size == strlen(b) && (a.size == 0 || strncasecmp(a.ptr, b, a.size) == 0);
}

int str_cmp(struct str a, struct str b)
{
    size_t common = a.size < b.size ? a.size : b.size;
    int order = common ? memcmp(a.ptr, b.ptr, common) : 0;

    return order ? order : (a.size > b.size) - (a.size < b.size);
}

bool str_starts(struct str s, const char *prefix)
{
    size_t size = strlen(prefix);

    return s.size >= size && (size == 0 || memcmp(s.ptr, prefix, size) == 0);
}

bool str_ends(struct str s, const char *suffix)
{
    size_t size = strlen(suffix);

    return s.size >= size && (size == 0 || memcmp(s.ptr + s.size - size, suffix, size) == 0);
}

ptrdiff_t str_find(struct str s, char c)
{
    const char *at = s.size ? memchr(s.ptr, c, s.size) : NULL;

    return at ? at - s.ptr : -1;
}

ptrdiff_t str_rfind(struct str s, char c)
{
    const char *at = s.size ? memrchr(s.ptr, c, s.size) : NULL;

    return at ? at - s.ptr : -1;
}

ptrdiff_t str_search(struct str s, const char *needle)
{
    const char *at = s.size ? memmem(s.ptr, s.size, needle, strlen(needle)) : NULL;

    if (!s.size && !*needle)
        return 0;
    return at ? at - s.ptr : -1;
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

struct str str_trim_left(struct str s)
{
    while (s.size && is_space(s.ptr[0])) {
        s.ptr++;
        s.size--;
    }
    return s;
}

struct str str_trim_right(struct str s)
{
    while (s.size && is_space(s.ptr[s.size - 1]))
        s.size--;
    return s;
}

struct str str_trim(struct str s)
{
    return str_trim_left(str_trim_right(s));
}

static bool cut_at(struct str s, ptrdiff_t at, struct str *head, struct str *rest)
{
    if (at < 0) {
        *head = s;
        *rest = str_slice(s, s.size, s.size);
        return false;
    }
    *head = str_slice(s, 0, (size_t)at);
    *rest = str_slice(s, (size_t)at + 1, s.size);
    return true;
}

bool str_cut(struct str s, char sep, struct str *head, struct str *rest)
{
    return cut_at(s, str_find(s, sep), head, rest);
}

bool str_cut_last(struct str s, char sep, struct str *head, struct str *rest)
{
    return cut_at(s, str_rfind(s, sep), head, rest);
}

bool str_line(struct str *rest, struct str *line)
{
    if (rest->size == 0)
        return false;
    str_cut(*rest, '\n', line, rest);
    if (line->size && line->ptr[line->size - 1] == '\r')
        line->size--;
    return true;
}

static bool digits(struct str s, unsigned base, uint64_t *out)
{
    uint64_t value = 0;

    if (s.size == 0)
        return false;
    for (size_t i = 0; i < s.size; i++) {
        if (s.ptr[i] < '0' || (unsigned)(s.ptr[i] - '0') >= base)
            return false;
        if (__builtin_mul_overflow(value, base, &value) ||
            __builtin_add_overflow(value, (uint64_t)(s.ptr[i] - '0'), &value))
            return false;
    }
    *out = value;
    return true;
}

bool str_u64(struct str s, uint64_t *out)
{
    return digits(s, 10, out);
}

bool str_i64(struct str s, int64_t *out)
{
    bool minus = s.size && s.ptr[0] == '-';
    uint64_t value;

    if (!digits(minus ? str_slice(s, 1, s.size) : s, 10, &value))
        return false;
    if (value > (uint64_t)INT64_MAX + minus)
        return false;
    *out = minus ? (int64_t)(0 - value) : (int64_t)value;
    return true;
}

bool str_octal(struct str s, uint32_t *out)
{
    uint64_t value;

    if (!digits(s, 8, &value) || value > UINT32_MAX)
        return false;
    *out = (uint32_t)value;
    return true;
}

bool str_size(struct str s, uint64_t *out)
{
    static const char units[] = "bkmgt";
    size_t n = 0;
    uint64_t value;
    struct str unit;

    while (n < s.size && s.ptr[n] >= '0' && s.ptr[n] <= '9')
        n++;
    if (!digits(str_slice(s, 0, n), 10, &value))
        return false;
    unit = str_slice(s, n, s.size);
    if (unit.size) {
        const char *at = memchr(units, unit.ptr[0] | 0x20, sizeof(units) - 1);
        struct str tail = str_slice(unit, 1, unit.size);

        if (!at || (tail.size &&
                    (at == units || (!str_is_nocase(tail, "b") && !str_is_nocase(tail, "ib")))))
            return false;
        if (__builtin_mul_overflow(value, 1ULL << (10 * (at - units)), &value))
            return false;
    }
    *out = value;
    return true;
}

unsigned str_distance(struct str a, struct str b)
{
    unsigned row[65];

    if (a.size >= 64 || b.size >= 64)
        return 64;
    for (size_t j = 0; j <= b.size; j++)
        row[j] = (unsigned)j;
    for (size_t i = 1; i <= a.size; i++) {
        unsigned diagonal = row[0];

        row[0] = (unsigned)i;
        for (size_t j = 1; j <= b.size; j++) {
            unsigned change = diagonal + (a.ptr[i - 1] != b.ptr[j - 1]);
            unsigned least = row[j] < row[j - 1] ? row[j] + 1 : row[j - 1] + 1;

            diagonal = row[j];
            row[j] = change < least ? change : least;
        }
    }
    return row[b.size];
}

char *str_dup(struct str s)
{
    char *copy = xmalloc(s.size + 1);

    if (s.size)
        memcpy(copy, s.ptr, s.size);
    copy[s.size] = 0;
    return copy;
}
