/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/pattern.h"

#include "base/alloc.h"
#include "base/scope.h"
#include "builder/text.h"

#define WORK_MAX (16 << 20) /* ours: steps of one substitution, a tenth of a second */

int pattern_parse(struct pattern *g, struct str text, struct err *err)
{
    for (size_t at = 0; at < text.size;) {
        struct str rest = str_slice(text, at, text.size);
        char kind = rest.ptr[0] == '*' || rest.ptr[0] == '?' ? rest.ptr[0] : 'c';
        size_t size = text_char(rest);

        if (rest.ptr[0] == '\\') {
            size = 1;
            rest = str_slice(rest, 1, rest.size);
            if (rest.size == 0)
                return err_set(err, ERR_INPUT, 0, "pattern ends in a lone \\");
            if (!str_starts(rest, "*") && !str_starts(rest, "?") && !str_starts(rest, "\\") &&
                !str_starts(rest, "}") && !str_starts(rest, "/")) {
                SCOPED(buf_release) struct buf shown = {0};

                buf_add_escaped(&shown, str_slice(rest, 0, text_char(rest)));
                return err_set(err, ERR_INPUT, 0, "pattern: \\%s is none of \\* \\? \\\\ \\} \\/",
                               buf_cstr(&shown));
            }
            at++;
        }
        VEC_GROW(g->tokens, g->count, g->capacity);
        g->tokens[g->count++] = (struct pattern_token){kind, str_slice(rest, 0, size)};
        at += size;
    }
    return 0;
}

void pattern_release(struct pattern *g)
{
    free(g->tokens);
    *g = (struct pattern){0};
}

/* The character before byte `at`. */
static struct str char_before(struct str value, size_t at)
{
    for (size_t n = 2; n <= 4 && n <= at; n++)
        if (text_char(str_slice(value, at - n, at)) == n)
            return str_slice(value, at - n, at);
    return str_slice(value, at - 1, at);
}

struct run {
    const struct pattern *g;
    struct str value;
    bool back; /* read value and pattern from their ends */
    bool longest;
    bool *now, *next; /* states: tokens matched so far, 0 … count */
    size_t work;
};

static const struct pattern_token *token(const struct run *r, size_t i)
{
    return &r->g->tokens[r->back ? r->g->count - 1 - i : i];
}

/* A state, and those it reaches without reading: past each star. */
static void enter(const struct run *r, bool *states, size_t i)
{
    states[i] = true;
    while (i < r->g->count && token(r, i)->kind == '*')
        states[++i] = true;
}

static bool step(struct run *r, struct str c)
{
    size_t count = r->g->count;
    bool alive = false;

    for (size_t i = 0; i <= count; i++)
        r->next[i] = false;
    for (size_t i = 0; i < count; i++) {
        const struct pattern_token *t = token(r, i);

        if (!r->now[i] || (t->kind == 'c' && !str_eq(t->text, c)))
            continue;
        enter(r, r->next, t->kind == '*' ? i : i + 1);
        alive = true;
    }
    bool *swap = r->now;
    r->now = r->next;
    r->next = swap;
    r->work += count + 1;
    return alive;
}

/* Where a match that begins at byte `from` ends; -1: nowhere. */
static ssize_t run_from(struct run *r, size_t from)
{
    ssize_t found = -1;
    size_t at = from;

    for (size_t i = 0; i <= r->g->count; i++)
        r->now[i] = false;
    enter(r, r->now, 0);
    for (;;) {
        if (r->now[r->g->count]) {
            found = (ssize_t)at;
            if (!r->longest)
                return found;
        }
        if ((r->back ? at == 0 : at == r->value.size) || r->work > WORK_MAX)
            return found;
        struct str c = r->back ? char_before(r->value, at)
                               : str_slice(r->value, at,
                                           at + text_char(str_slice(r->value, at, r->value.size)));
        if (!step(r, c))
            return found;
        at = r->back ? at - c.size : at + c.size;
    }
}

static int too_long(struct err *err)
{
    return err_set(err, ERR_INPUT, 0, "pattern takes too long on a value of this size");
}

int pattern_cut(const struct pattern *g, struct str value, bool back, bool longest, struct str *out,
                struct err *err)
{
    AUTO_FREE bool *now = xcalloc(g->count + 1, sizeof(*now)),
                   *next = xcalloc(g->count + 1, sizeof(*next));
    struct run r = {
        .g = g, .value = value, .back = back, .longest = longest, .now = now, .next = next};
    ssize_t end = run_from(&r, back ? value.size : 0);

    if (r.work > WORK_MAX)
        return too_long(err);
    *out = value;
    if (end >= 0)
        *out = back ? str_slice(value, 0, (size_t)end) : str_slice(value, (size_t)end, value.size);
    return 0;
}

int pattern_replace(const struct pattern *g, struct str value, struct str with, bool all,
                    struct buf *out, struct err *err)
{
    AUTO_FREE bool *now = xcalloc(g->count + 1, sizeof(*now)),
                   *next = xcalloc(g->count + 1, sizeof(*next));
    struct run r = {.g = g, .value = value, .longest = true, .now = now, .next = next};
    size_t at = 0, last_end = SIZE_MAX;
    bool more = true;

    while (at <= value.size) {
        ssize_t end = more ? run_from(&r, at) : -1;

        if (r.work > WORK_MAX)
            return too_long(err);
        /* An empty match right after another match does not count. */
        if (end >= 0 && !((size_t)end == at && at == last_end)) {
            buf_add_str(out, with);
            more = all;
            last_end = (size_t)end;
            if ((size_t)end > at) {
                at = (size_t)end;
                continue;
            }
        }
        size_t n = text_char(str_slice(value, at, value.size));
        buf_add_str(out, str_slice(value, at, at + n));
        if (n == 0)
            break;
        at += n;
    }
    return 0;
}
