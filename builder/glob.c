/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/glob.h"

#include "base/buf.h"
#include "base/scope.h"
#include "builder/text.h"

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
    SCOPED(buf_release) struct buf shown = {0};

    buf_add_escaped(&shown, str_slice(pattern, 0, 200));
    return err_set(err, ERR_INPUT, 0,
                   "pattern \"%s\" is malformed: a \"[\" without its \"]\", or a \"\\\" at the end",
                   buf_cstr(&shown));
}

/* One character of a class, escapes taken away; takes it off p. */
static bool class_char(struct str *p, struct str *c)
{
    if (str_starts(*p, "-") || str_starts(*p, "]"))
        return false;
    if (str_starts(*p, "\\"))
        *p = str_slice(*p, 1, p->size);
    *c = str_slice(*p, 0, text_char(*p));
    *p = str_slice(*p, c->size, p->size);
    return c->size > 0;
}

/* p begins behind "["; *used: bytes up to and with "]". -1 malformed. Well-formed UTF-8 sorts by
 * bytes as it does by code point. */
static int match_class(struct str p, struct str c, size_t *used)
{
    bool negated = str_starts(p, "^"), held = false;
    struct str rest = str_slice(p, negated, p.size);

    for (size_t ranges = 0; !ranges || !str_starts(rest, "]"); ranges++) {
        struct str low, high;

        if (!class_char(&rest, &low))
            return -1;
        high = low;
        if (str_starts(rest, "-")) {
            rest = str_slice(rest, 1, rest.size);
            if (!class_char(&rest, &high))
                return -1;
        }
        held = held || (str_cmp(low, c) <= 0 && str_cmp(c, high) <= 0);
    }
    *used = p.size - rest.size + 1;
    return held != negated;
}

/* Does one unit of the pattern (not a star) take the character c? *used: its bytes. */
static int match_unit(struct str p, struct str c, size_t *used)
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
        p = str_slice(p, 1, p.size);
        *used = 1 + text_char(p);
        return str_eq(str_slice(p, 0, *used - 1), c);
    default:
        *used = text_char(p);
        return str_eq(str_slice(p, 0, *used), c);
    }
}

int glob_check(struct str pattern, struct err *err)
{
    struct str p = pattern;
    size_t used;

    for (; p.size; p = str_slice(p, used, p.size))
        if (match_unit(p, STR("x"), &used) < 0)
            return malformed(pattern, err);
    return 0;
}

int glob_match(struct str pattern, struct str name, struct err *err)
{
    struct str p = pattern, n = name, star_p = {0}, star_n = {0};
    bool star = false;

    for (;;) {
        struct str c = str_slice(n, 0, text_char(n));
        size_t used = 0;
        int held = 0;

        if (str_starts(p, "*")) {
            p = star_p = str_slice(p, 1, p.size);
            star_n = n;
            star = true;
            continue;
        }
        if (p.size) {
            held = match_unit(p, c, &used);
            if (held < 0)
                return malformed(pattern, err);
        } else if (n.size == 0) {
            return 1;
        }
        if (held && n.size) {
            p = str_slice(p, used, p.size);
            n = str_slice(n, c.size, n.size);
        } else if (star && star_n.size) {
            p = star_p;
            n = star_n = str_slice(star_n, text_char(star_n), star_n.size);
        } else {
            return 0;
        }
    }
}
