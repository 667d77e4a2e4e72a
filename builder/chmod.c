/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/chmod.h"

#include <string.h>

#include "base/buf.h"
#include "base/scope.h"

static uint8_t who_bit(char c)
{
    return c == 'u' ? 4 : c == 'g' ? 2 : c == 'o' ? 1 : 0;
}

static char first(struct str s)
{
    return s.size ? s.ptr[0] : '\0';
}

/* rwxXst after the sign, or one of u, g, o. */
static struct str take_permissions(struct str s, struct chmod_change *change)
{
    if (who_bit(first(s))) {
        change->copy = s.ptr[0];
        return str_slice(s, 1, s.size);
    }
    for (; first(s) && strchr("rwxXst", first(s)); s = str_slice(s, 1, s.size)) {
        switch (s.ptr[0]) {
        case 'r':
            change->rwx |= 4;
            break;
        case 'w':
            change->rwx |= 2;
            break;
        case 'x':
            change->rwx |= 1;
            break;
        case 'X':
            change->cond_x = true;
            break;
        case 's':
            change->set_id = true;
            break;
        default:
            change->sticky = true;
        }
    }
    return s;
}

/* [ugoa]* then one or more of sign and permissions. False: it is not of that form. */
static bool parse_clause(struct str s, struct chmod *out)
{
    uint8_t who = 0;

    for (; first(s) == 'a' || who_bit(first(s)); s = str_slice(s, 1, s.size))
        who |= first(s) == 'a' ? 7 : who_bit(first(s));
    if (s.size == 0)
        return false;
    while (s.size > 0) {
        struct chmod_change one = {.who = who ? who : 7, .op = s.ptr[0]};

        if (!one.op || !strchr("+-=", one.op) || out->count == CHMOD_CHANGES_MAX)
            return false;
        s = take_permissions(str_slice(s, 1, s.size), &one);
        out->changes[out->count++] = one;
    }
    return true;
}

static int refuse(struct str text, struct err *err)
{
    SCOPED(buf_release) struct buf shown = {0};

    buf_add_escaped(&shown, str_slice(text, 0, 100));
    return err_set(err, ERR_INPUT, 0,
                   "--chmod=%s is neither octal (0 to 7777) nor of the form u=rwX,go=rX",
                   buf_cstr(&shown));
}

int chmod_parse(struct str text, struct chmod *out, struct err *err)
{
    struct str rest = text, clause;

    *out = (struct chmod){0};
    if (str_octal(text, &out->octal)) {
        out->is_octal = true;
        return out->octal > 07777 ? refuse(text, err) : 0;
    }
    for (bool more = true; more;) {
        more = str_cut(rest, ',', &clause, &rest);
        if (!parse_clause(clause, out))
            return refuse(text, err);
    }
    return 0;
}

/* Bits a change may touch. The sticky bit belongs to nobody: only "t" names it, and not for others
 * alone; a copy leaves the set-id bits as they are. */
static uint32_t change_mask(const struct chmod_change *c)
{
    uint32_t mask = (c->who & 4 ? 04700u : 0) | (c->who & 2 ? 02070u : 0) |
                    (c->who & 1 ? 00007u : 0) | (c->sticky && c->who != 1 ? 01000u : 0);

    return c->copy ? mask & 0777 : mask;
}

/* One octal digit's worth of permissions, and set-id and sticky bits, for those who are meant. X
 * looks at `before`, the mode before any change. */
static uint32_t change_value(const struct chmod_change *c, uint32_t before, uint32_t mode,
                             bool is_dir)
{
    uint32_t rwx = c->rwx;

    if (c->copy)
        rwx = mode >> (c->copy == 'u' ? 6 : c->copy == 'g' ? 3 : 0) & 7;
    if (c->cond_x && (c->op == '-' || is_dir || before & 0111))
        rwx |= 1;
    return (rwx * 0111 | (c->set_id ? 06000 : 0) | (c->sticky ? 01000 : 0)) & change_mask(c);
}

uint32_t chmod_apply(const struct chmod *c, uint32_t mode, bool is_dir)
{
    uint32_t before = mode & 07777;

    if (c->is_octal)
        return c->octal;
    mode = before;
    for (size_t i = 0; i < c->count; i++) {
        const struct chmod_change *change = &c->changes[i];
        uint32_t value = change_value(change, before, mode, is_dir);

        if (change->op == '+')
            mode |= value;
        else if (change->op == '-')
            mode &= ~value;
        else
            mode = (mode & ~change_mask(change)) | value;
    }
    return mode;
}
