/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/expand.h"

#include <string.h>

#include "base/scope.h"
#include "builder/pattern.h"
#include "builder/text.h"

#define DEPTH_MAX 32 /* ours: ${a:-${b:-…}} */

struct scan {
    const struct expand *x;
    struct str s;
    size_t at;
    unsigned depth;
};

/* The word being made and, for expand_words, those that are done. */
struct words {
    struct strv *done;
    struct buf current;
};

static int until(struct scan *s, int stop, bool raw_escapes, struct buf *out, struct words *words,
                 struct err *err);

static int peek(const struct scan *s)
{
    return s->at < s->s.size ? (unsigned char)s->s.ptr[s->at] : -1;
}

static struct str rest(const struct scan *s)
{
    return str_slice(s->s, s->at, s->s.size);
}

static int fail(struct err *err, const char *what)
{
    return err_set(err, ERR_INPUT, 0, "%s", what);
}

/* Letters, digits and "_"; or digits alone; or one special parameter. Empty: no name. */
static struct str take_name(struct scan *s)
{
    size_t start = s->at;
    int c = peek(s);

    if (c >= '0' && c <= '9') {
        while (peek(s) >= '0' && peek(s) <= '9')
            s->at++;
    } else if (c > 0 && strchr("@*#?-$!", c)) {
        s->at++;
    } else {
        for (size_t n; (n = text_letter(rest(s))) > 0 || (peek(s) >= '0' && peek(s) <= '9');)
            s->at += n ? n : 1;
    }
    return str_slice(s->s, start, s->at);
}

static const char *look_up(const struct scan *s, struct str name)
{
    const char *value = s->x->lookup(s->x->arg, name);
    struct strv *names = value ? s->x->used : s->x->unset;
    AUTO_FREE char *copy = names ? str_dup(name) : NULL;

    if (names && !strv_has(names, copy))
        strv_add(names, copy);
    return value;
}

/* ${name?word} of a name without value. */
static int refuse(struct str name, struct str word, bool null_is_unset, struct err *err)
{
    SCOPED(buf_release) struct buf shown = {0};

    buf_add_escaped(&shown, name);
    buf_adds(&shown, ": ");
    if (word.size)
        buf_add_escaped(&shown, word);
    else
        buf_adds(&shown, null_is_unset ? "may not be empty" : "is not set");
    return fail(err, buf_cstr(&shown));
}

/* ${name#p} ##  % %% : word still has its escapes. */
static int cut(struct str value, struct str word, char op, struct buf *out, struct err *err)
{
    SCOPED(pattern_release) struct pattern g = {0};
    bool longest = word.size > 0 && word.ptr[0] == op;
    struct str left;

    if (pattern_parse(&g, str_slice(word, longest, word.size), err) < 0 ||
        pattern_cut(&g, value, op == '%', longest, &left, err) < 0)
        return -1;
    buf_add_str(out, left);
    return 0;
}

/* After ${name/ : pattern/replacement} */
static int replace(struct scan *s, struct str name, struct buf *out, struct err *err)
{
    SCOPED(buf_release) struct buf pattern = {0}, with = {0};
    SCOPED(pattern_release) struct pattern g = {0};
    bool all = peek(s) == '/';

    s->at += all;
    if (until(s, '/', true, &pattern, NULL, err) < 0 || until(s, '}', true, &with, NULL, err) < 0)
        return -1;
    const char *value = look_up(s, name);
    if (pattern_parse(&g, buf_str(&pattern), err) < 0)
        return -1;
    return pattern_replace(&g, str_of(value), buf_str(&with), all, out, err);
}

/* ${name} and its operators; the scan stands after "${". */
static int braces(struct scan *s, struct buf *out, struct err *err)
{
    SCOPED(buf_release) struct buf word = {0};
    struct str name = take_name(s);
    bool null_is_unset = false;
    int op = peek(s);

    if (op < 0)
        return fail(err, "missing } of a ${");
    if (name.size == 0)
        return fail(err, "bad substitution: no name after ${");
    s->at++;
    if (op == '}') {
        buf_adds(out, look_up(s, name) ?: "");
        return 0;
    }
    if (op == '/')
        return replace(s, name, out, err);
    if (op == ':') {
        null_is_unset = true;
        op = peek(s);
        s->at += op >= 0;
    }
    if (op < 0 || !strchr(null_is_unset ? "-+?" : "-+?#%", op)) {
        SCOPED(buf_release) struct buf shown = {0};

        s->at -= op >= 0;
        buf_add_escaped(&shown, str_slice(rest(s), 0, text_char(rest(s))));
        return err_set(err, ERR_INPUT, 0, "unknown operator %s%s after ${" STR_FMT,
                       null_is_unset ? ":" : "", buf_cstr(&shown), STR_ARG(name));
    }
    bool is_cut = op == '#' || op == '%';
    if (until(s, '}', is_cut, &word, NULL, err) < 0)
        return -1;
    const char *value = look_up(s, name);
    bool set = value && !(null_is_unset && !*value);
    if (is_cut)
        return cut(str_of(value), buf_str(&word), (char)op, out, err);
    if (op == '?' && !set)
        return refuse(name, buf_str(&word), null_is_unset && value, err);
    if (op == '+' ? set : !set)
        buf_add_str(out, buf_str(&word));
    else if (op != '+')
        buf_adds(out, value);
    return 0;
}

static int dollar(struct scan *s, struct buf *out, struct err *err)
{
    s->at++;
    if (peek(s) == '{') {
        s->at++;
        if (braces(s, out, err) < 0)
            return -1;
    } else {
        struct str name = take_name(s);

        buf_adds(out, name.size ? look_up(s, name) ?: "" : "$");
    }
    if (out->size > EXPAND_MAX)
        return err_set(err, ERR_INPUT, 0, "expands to more than %d bytes", EXPAND_MAX);
    return 0;
}

static int single_quote(struct scan *s, struct buf *out, struct err *err)
{
    ptrdiff_t end = str_find(str_slice(s->s, s->at + 1, s->s.size), '\'');

    if (end < 0)
        return fail(err, "a ' is not closed");
    buf_add_str(out, str_slice(s->s, s->at + 1, s->at + 1 + (size_t)end));
    s->at += (size_t)end + 2;
    return 0;
}

static int double_quote(struct scan *s, bool raw_escapes, struct buf *out, struct err *err)
{
    int escape = (unsigned char)s->x->escape;

    s->at++;
    for (;;) {
        int c = peek(s);

        if (c < 0)
            return fail(err, "a \" is not closed");
        if (c == '$') {
            if (dollar(s, out, err) < 0)
                return -1;
            continue;
        }
        s->at++;
        if (c == '"')
            return 0;
        if (c == escape) {
            int next = peek(s);

            if (raw_escapes)
                buf_addc(out, (char)c);
            if (next < 0)
                continue;
            if (next == '"' || next == '$' || next == escape) {
                c = next;
                s->at++;
            }
        }
        buf_addc(out, (char)c);
    }
}

static void end_word(struct words *w)
{
    if (w->current.size > 0)
        strv_add_str(w->done, buf_str(&w->current));
    buf_clear(&w->current);
}

/* What was just appended to out, from byte `from`, goes to the words too; white space in it divides
 * them if it may. */
static void add_words(struct words *w, const struct buf *out, size_t from, bool divides)
{
    struct str s = str_slice(buf_str(out), from, out->size);

    while (w && s.size > 0) {
        size_t space = divides ? text_space(s) : 0, n = space ? space : text_char(s);

        if (space)
            end_word(w);
        else
            buf_add(&w->current, s.ptr, n);
        s = str_slice(s, n, s.size);
    }
}

/* One character that is neither quote nor $. *quoted: it was escaped. */
static void plain(struct scan *s, bool raw_escapes, struct buf *out, bool *quoted)
{
    *quoted = peek(s) == (unsigned char)s->x->escape;
    if (*quoted) {
        if (raw_escapes)
            buf_addc(out, s->x->escape);
        s->at++;
    }
    size_t n = text_char(rest(s));
    buf_add_str(out, str_slice(rest(s), 0, n));
    s->at += n;
}

/* Up to the character `stop`, which is eaten; stop -1: to the end. */
static int until(struct scan *s, int stop, bool raw_escapes, struct buf *out, struct words *words,
                 struct err *err)
{
    if (++s->depth > DEPTH_MAX)
        return err_set(err, ERR_INPUT, 0, "substitutions nested deeper than %d", DEPTH_MAX);
    for (int c; (c = peek(s)) >= 0;) {
        size_t from = out->size;
        bool quoted = false;
        int result = 0;

        if (c == stop) {
            s->at++;
            s->depth--;
            return 0;
        }
        if (c == '$') {
            result = dollar(s, out, err);
        } else if ((c == '\'' || c == '"') && !s->x->keep_quotes) {
            quoted = true;
            result = c == '"' ? double_quote(s, raw_escapes, out, err) : single_quote(s, out, err);
        } else {
            plain(s, raw_escapes, out, &quoted);
        }
        if (result < 0)
            return -1;
        add_words(words, out, from, !quoted);
    }
    s->depth--;
    if (stop >= 0)
        return err_set(err, ERR_INPUT, 0, "missing %c of a ${", stop);
    return 0;
}

int expand_word(const struct expand *x, struct str word, struct buf *out, struct err *err)
{
    SCOPED(buf_release) struct buf result = {0};
    struct scan s = {.x = x, .s = word};

    if (until(&s, -1, false, &result, NULL, err) < 0)
        return -1;
    buf_add_str(out, buf_str(&result));
    return 0;
}

int expand_words(const struct expand *x, struct str word, struct strv *out, struct err *err)
{
    SCOPED(buf_release) struct buf result = {0};
    struct words words = {.done = out};
    struct scan s = {.x = x, .s = word};
    int failed = until(&s, -1, false, &result, &words, err);

    if (failed == 0)
        end_word(&words);
    buf_release(&words.current);
    return failed;
}

const char *expand_from_env(const void *arg, struct str name)
{
    const struct strv *env = arg;

    for (size_t i = 0; i < env->count; i++)
        if (strncmp(env->ptr[i], name.ptr, name.size) == 0 && env->ptr[i][name.size] == '=')
            return env->ptr[i] + name.size + 1;
    return NULL;
}

struct str expand_nearest(const struct strv *env, struct str name)
{
    struct str near = {0};
    unsigned best = 3;

    for (size_t i = 0; i < env->count; i++) {
        struct str have = {env->ptr[i], strcspn(env->ptr[i], "=")};
        unsigned distance = str_distance(name, have);

        if (distance == 0)
            return (struct str){0};
        if (distance < best) {
            best = distance;
            near = have;
        }
    }
    return near;
}
