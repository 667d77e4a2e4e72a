/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/challenge.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/scope.h"

static void release_one(struct challenge *c)
{
    free(c->name);
    free(c->realm);
    free(c->service);
    free(c->scope);
    free(c->error);
    *c = (struct challenge){0};
}

void challenges_release(struct challenges *list)
{
    int saved = errno;

    for (size_t i = 0; i < list->count; i++)
        release_one(&list->items[i]);
    free(list->items);
    *list = (struct challenges){0};
    errno = saved;
}

const struct challenge *challenge_find(const struct challenges *list, enum challenge_scheme scheme)
{
    for (size_t i = 0; i < list->count; i++) {
        if (list->items[i].scheme == scheme)
            return &list->items[i];
    }
    return NULL;
}

/* RFC 9110 §5.6.2 */
static bool is_token_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c && strchr("!#$%&'*+-.^_`|~", c));
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

static void skip_space(struct str *s)
{
    while (s->size > 0 && is_space(s->ptr[0]))
        *s = str_slice(*s, 1, s->size);
}

static struct str take_token(struct str *s)
{
    size_t n = 0;

    while (n < s->size && is_token_char(s->ptr[n]))
        n++;
    struct str token = str_slice(*s, 0, n);

    *s = str_slice(*s, n, s->size);
    return token;
}

/* Credentials-like text after a scheme in place of parameters ("Negotiate YII="); it says nothing
 * to us. */
static bool skip_token68(struct str *s)
{
    size_t n = 0;

    while (n < s->size && (is_token_char(s->ptr[n]) || s->ptr[n] == '/'))
        n++;
    if (n == 0)
        return false;
    while (n < s->size && s->ptr[n] == '=')
        n++;
    struct str rest = str_slice(*s, n, s->size);

    skip_space(&rest);
    if (rest.size > 0 && rest.ptr[0] != ',')
        return false;
    *s = rest;
    return true;
}

static bool take_quoted(struct str *s, struct buf *out)
{
    size_t i = 1;

    while (i < s->size && s->ptr[i] != '"') {
        if (s->ptr[i] == '\\' && ++i == s->size)
            return false;
        buf_addc(out, s->ptr[i++]);
    }
    if (i >= s->size)
        return false;
    *s = str_slice(*s, i + 1, s->size);
    return true;
}

/* A token by the book; realms without quotes occur, so all up to a comma or space is taken. */
static bool take_value(struct str *s, struct buf *out)
{
    size_t n = 0;

    buf_addc(out, 0);
    buf_clear(out);
    if (s->size > 0 && s->ptr[0] == '"')
        return take_quoted(s, out);
    while (n < s->size && s->ptr[n] != ',' && !is_space(s->ptr[n]))
        n++;
    buf_add(out, s->ptr, n);
    *s = str_slice(*s, n, s->size);
    return true;
}

static void set_param(struct challenge *c, struct str name, const struct buf *value)
{
    const struct {
        const char *name;
        char **slot;
    } known[] = {
        {"realm", &c->realm}, {"service", &c->service}, {"scope", &c->scope}, {"error", &c->error}};

    for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
        if (str_is_nocase(name, known[i].name) && !*known[i].slot)
            *known[i].slot = xstrdup(buf_cstr(value));
    }
}

static int take_param(struct str *rest, struct str name, struct challenge *c, struct err *err)
{
    SCOPED(buf_release) struct buf value = {0};

    if (!take_value(rest, &value))
        return err_set(err, ERR_REMOTE, 401,
                       "WWW-Authenticate: the quotes of " STR_FMT " do not close", STR_ARG(name));
    skip_space(rest);
    if (rest->size > 0 && rest->ptr[0] != ',')
        return err_set(err, ERR_REMOTE, 401, "WWW-Authenticate: no comma after " STR_FMT,
                       STR_ARG(name));
    set_param(c, name, &value);
    return 0;
}

static int begin_challenge(struct str name, struct challenges *list, struct err *err)
{
    struct challenge c = {.scheme = CHALLENGE_OTHER};

    if (list->count == CHALLENGE_MAX)
        return err_set(err, ERR_REMOTE, 401, "WWW-Authenticate: more than %d challenges",
                       CHALLENGE_MAX);
    if (str_is_nocase(name, "basic"))
        c.scheme = CHALLENGE_BASIC;
    else if (str_is_nocase(name, "bearer"))
        c.scheme = CHALLENGE_BEARER;
    c.name = str_dup(name);
    VEC_GROW(list->items, list->count, list->capacity);
    list->items[list->count++] = c;
    return 0;
}

static int refuse_byte(struct str rest, struct err *err)
{
    SCOPED(buf_release) struct buf shown = {0};

    buf_add_escaped(&shown, str_slice(rest, 0, 20));
    return err_set(err, ERR_REMOTE, 401, "WWW-Authenticate: no scheme or parameter at \"%s\"",
                   buf_cstr(&shown));
}

static int parse_all(struct str rest, struct challenges *list, struct err *err)
{
    size_t begun = list->count;

    for (;;) {
        while (rest.size > 0 && (is_space(rest.ptr[0]) || rest.ptr[0] == ','))
            rest = str_slice(rest, 1, rest.size);
        if (rest.size == 0)
            return 0;
        struct str name = take_token(&rest);
        struct str after = rest;

        if (name.size == 0)
            return refuse_byte(rest, err);
        skip_space(&after);
        if (after.size > 0 && after.ptr[0] == '=') {
            if (list->count == begun)
                return err_set(err, ERR_REMOTE, 401,
                               "WWW-Authenticate: " STR_FMT " stands before any scheme",
                               STR_ARG(str_slice(name, 0, 100)));
            rest = str_slice(after, 1, after.size);
            skip_space(&rest);
            if (take_param(&rest, str_slice(name, 0, 100), &list->items[list->count - 1], err) < 0)
                return -1;
            continue;
        }
        if (after.size > 0 && after.ptr == rest.ptr && after.ptr[0] != ',')
            return refuse_byte(rest, err);
        if (begin_challenge(name, list, err) < 0)
            return -1;
        rest = after;
        skip_token68(&rest);
    }
}

int challenge_parse(struct str value, struct challenges *out, struct err *err)
{
    size_t before = out->count;

    for (size_t i = 0; i < value.size; i++) {
        unsigned char c = (unsigned char)value.ptr[i];

        if ((c < ' ' && c != '\t') || c == 0x7f)
            return err_set(err, ERR_REMOTE, 401, "WWW-Authenticate holds a control character");
    }
    if (parse_all(value, out, err) == 0)
        return 0;
    while (out->count > before)
        release_one(&out->items[--out->count]);
    return -1;
}
