/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/glob.h"

#include "base/buf.h"

bool glob_has_wildcard(struct str pattern)
{
    for (size_t i = 0; i < pattern.size; i++) {
        if (pattern.ptr[i] == '\\')
            i++;
        else if (pattern.ptr[i] == '*' || pattern.ptr[i] == '?' || pattern.ptr[i] == '[')
            return true;
    }
    return false;
}

char *glob_literal(struct str pattern)
{
    struct buf out = {0};

    for (size_t i = 0; i < pattern.size; i++) {
        if (pattern.ptr[i] == '\\' && i + 1 < pattern.size)
            i++;
        buf_addc(&out, pattern.ptr[i]);
    }
    return buf_steal(&out);
}

static int malformed(struct str pattern, struct err *err)
{
    return err_set(
        err, ERR_INPUT, 0,
        "pattern \"%.200s\" is malformed: a \"[\" without its \"]\", or a \"\\\" at the end",
        pattern.size ? pattern.ptr : "");
}

/* One character of a class, escapes taken away; moves *i past it. */
static bool class_char(struct str p, size_t *i, unsigned char *c)
{
    if (*i < p.size && (p.ptr[*i] == '-' || p.ptr[*i] == ']'))
        return false;
    if (*i < p.size && p.ptr[*i] == '\\')
        ++*i;
    if (*i >= p.size)
        return false;
    *c = (unsigned char)p.ptr[(*i)++];
    return true;
}

/* p begins behind "["; *used: bytes up to and with "]". -1 malformed. */
static int match_class(struct str p, unsigned char c, size_t *used)
{
    size_t i = 0;
    bool negated = i < p.size && p.ptr[i] == '^', held = false;

    i += negated;
    for (size_t ranges = 0;; ranges++) {
        unsigned char low, high;

        if (i < p.size && p.ptr[i] == ']' && ranges)
            break;
        if (!class_char(p, &i, &low))
            return -1;
        high = low;
        if (i < p.size && p.ptr[i] == '-') {
            i++;
            if (!class_char(p, &i, &high))
                return -1;
        }
        held = held || (low <= c && c <= high);
    }
    *used = i + 1;
    return held != negated;
}

/* Does one unit of the pattern (not a star) take the character c? *used: its bytes. */
static int match_unit(struct str p, unsigned char c, size_t *used)
{
    int held;

    *used = 1;
    switch (p.ptr[0]) {
    case '?':
        return 1;
    case '[':
        held = match_class(str_slice(p, 1, p.size), c, used);
        ++*used;
        return held;
    case '\\':
        if (p.size < 2)
            return -1;
        *used = 2;
        return (unsigned char)p.ptr[1] == c;
    default:
        return (unsigned char)p.ptr[0] == c;
    }
}

int glob_match(struct str pattern, struct str name, struct err *err)
{
    size_t p = 0, n = 0, star = SIZE_MAX, star_n = 0;

    for (;;) {
        size_t used = 0;
        int held = 0;

        if (p < pattern.size && pattern.ptr[p] == '*') {
            star = ++p;
            star_n = n;
            continue;
        }
        if (p < pattern.size) {
            held = match_unit(str_slice(pattern, p, pattern.size),
                              n < name.size ? (unsigned char)name.ptr[n] : 0, &used);
            if (held < 0)
                return malformed(pattern, err);
        } else if (n == name.size) {
            return 1;
        }
        if (held && n < name.size) {
            p += used;
            n++;
        } else if (star != SIZE_MAX && star_n < name.size) {
            p = star;
            n = ++star_n;
        } else {
            return 0;
        }
    }
}
