/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/ignore.h"

#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/path.h"
#include "base/scope.h"
#include "builder/text.h"

#define TOKENS_MAX 1024 /* ours: characters of a pattern with wildcards */

enum token_kind {
    TOKEN_CHAR,  /* this character */
    TOKEN_ANY,   /* one character but "/" */
    TOKEN_CLASS, /* one character of [class], never "/" */
    TOKEN_STAR,  /* any run without "/" */
    TOKEN_DEEP,  /* nothing, or any run that ends in "/" */
    TOKEN_ALL,   /* any run */
};

struct token {
    enum token_kind kind;
    struct str text; /* the character, or what stands between [ and ]; into rule->text */
};

struct ignore_rule {
    char *text; /* pattern without "!" */
    bool negated;
    bool literal; /* no wildcards: tokens are not used */
    struct token *tokens;
    size_t count, capacity;
};

static void add_token(struct ignore_rule *rule, enum token_kind kind, struct str text)
{
    VEC_GROW(rule->tokens, rule->count, rule->capacity);
    rule->tokens[rule->count++] = (struct token){kind, text};
}

/* One (possibly escaped) character of a class; false: there is none where one must stand. */
static bool class_char(struct str *s, struct str *c)
{
    if (s->size == 0 || s->ptr[0] == '-' || s->ptr[0] == ']')
        return false;
    if (s->ptr[0] == '\\')
        *s = str_slice(*s, 1, s->size);
    *c = str_slice(*s, 0, text_char(*s));
    *s = str_slice(*s, c->size, s->size);
    return c->size > 0;
}

/* Takes one character or range off a class. */
static bool class_range(struct str *s, struct str *low, struct str *high)
{
    if (!class_char(s, low))
        return false;
    *high = *low;
    if (!str_starts(*s, "-"))
        return true;
    *s = str_slice(*s, 1, s->size);
    return class_char(s, high);
}

/* Behind the "]" of the class that begins at the start of s ("["); 0: malformed. */
static size_t class_end(struct str s)
{
    struct str rest = str_slice(s, 1, s.size), low, high;

    if (str_starts(rest, "^"))
        rest = str_slice(rest, 1, rest.size);
    do {
        if (!class_range(&rest, &low, &high))
            return 0;
    } while (rest.size > 0 && rest.ptr[0] != ']');
    return rest.size > 0 ? (size_t)(rest.ptr + 1 - s.ptr) : 0;
}

/* Well-formed UTF-8 sorts by bytes as it does by code point. */
static bool class_holds(struct str class, struct str c)
{
    bool inverted = str_starts(class, "^"), found = false;
    struct str low, high;

    class = str_slice(class, inverted, class.size);
    while (class.size > 0 && class_range(&class, &low, &high))
        found = found || (str_cmp(low, c) <= 0 && str_cmp(c, high) <= 0);
    return found != inverted;
}

static bool has_special(struct str s)
{
    for (size_t i = 0; i < s.size; i++)
        if (strchr("*?[]\\", s.ptr[i]))
            return true;
    return false;
}

/* "**" at `at`: a trailing one takes all that is left; else it stands for whole components. */
static size_t add_double_star(struct ignore_rule *rule, struct str s, size_t at)
{
    size_t next = at + 2;
    bool slash = next < s.size && s.ptr[next] == '/';
    struct str rest;

    next += slash;
    rest = str_slice(s, next, s.size);
    /* "**name" matches any path that ends so: what patternmatcher's short cut for it does. */
    bool is_suffix = at == 0 && !slash && !has_special(rest);
    add_token(rule, rest.size == 0 || is_suffix ? TOKEN_ALL : TOKEN_DEEP, STR(""));
    return next;
}

static int compile(struct ignore_rule *rule, struct err *err)
{
    struct str s = str_of(rule->text);

    rule->literal = !has_special(s);
    for (size_t at = 0; at < s.size && !rule->literal;) {
        struct str rest = str_slice(s, at, s.size);
        size_t n = text_char(rest);

        if (rule->count == TOKENS_MAX)
            return err_set(err, ERR_INPUT, 0, "pattern is longer than %d characters", TOKENS_MAX);
        if (str_starts(rest, "**")) {
            at = add_double_star(rule, s, at);
            continue;
        }
        if (rest.ptr[0] == '[') {
            n = class_end(rest);
            if (n == 0)
                return err_set(err, ERR_INPUT, 0, "malformed [class]");
            add_token(rule, TOKEN_CLASS, str_slice(rest, 1, n - 1));
        } else if (rest.ptr[0] == '\\') {
            if (rest.size == 1)
                return err_set(err, ERR_INPUT, 0, "ends in a lone \\");
            n = 1 + text_char(str_slice(rest, 1, rest.size));
            add_token(rule, TOKEN_CHAR, str_slice(rest, 1, n));
        } else {
            add_token(rule,
                      rest.ptr[0] == '*'   ? TOKEN_STAR
                      : rest.ptr[0] == '?' ? TOKEN_ANY
                                           : TOKEN_CHAR,
                      str_slice(rest, 0, n));
        }
        at += n;
    }
    return 0;
}

static void rule_release(struct ignore_rule *rule)
{
    free(rule->text);
    free(rule->tokens);
    *rule = (struct ignore_rule){0};
}

static int add_rule(struct ignore *ig, struct str text, bool negated, struct err *err)
{
    struct ignore_rule rule = {.negated = negated};

    if (memchr(text.ptr, 0, text.size))
        return err_set(err, ERR_INPUT, 0, "a NUL byte in a pattern");
    rule.text = path_clean(text);
    if (rule.text[0] == '/' && rule.text[1])
        memmove(rule.text, rule.text + 1, strlen(rule.text));
    if (compile(&rule, err) < 0) {
        SCOPED(buf_release) struct buf shown = {0};

        buf_add_escaped(&shown, str_slice(text, 0, 100));
        rule_release(&rule);
        return err_wrap(err, "pattern \"%s\"", buf_cstr(&shown));
    }
    ig->rules = xreallocarray(ig->rules, ig->count + 1, sizeof(*ig->rules));
    ig->rules[ig->count++] = rule;
    ig->has_negation = ig->has_negation || negated;
    return 0;
}

int ignore_add(struct ignore *ig, struct str pattern, struct err *err)
{
    struct str text = text_trim(pattern);
    bool negated = str_starts(text, "!");

    if (text.size == 0)
        return 0;
    if (negated)
        text = text_trim(str_slice(text, 1, text.size));
    if (text.size == 0)
        return err_set(err, ERR_INPUT, 0, "\"!\" without a pattern");
    return add_rule(ig, text, negated, err);
}

int ignore_add_path(struct ignore *ig, struct str pattern, struct err *err)
{
    return pattern.size ? add_rule(ig, pattern, false, err) : 0;
}

int ignore_parse(struct ignore *ig, struct str bytes, const char *name, struct err *err)
{
    struct str line;

    if (str_starts(bytes, "\xef\xbb\xbf"))
        bytes = str_slice(bytes, 3, bytes.size);
    for (unsigned number = 1; str_line(&bytes, &line); number++)
        if (!str_starts(line, "#") && ignore_add(ig, line, err) < 0)
            return err_wrap(err, "%s:%u", name, number);
    return 0;
}

void ignore_release(struct ignore *ig)
{
    for (size_t i = 0; i < ig->count; i++)
        rule_release(&ig->rules[i]);
    free(ig->rules);
    *ig = (struct ignore){0};
}

/*
 * All ways of reading a pattern at once: states[i] is true when the tokens before i have matched
 * what was read. A path costs its length times the pattern's, whatever the stars.
 */
static void enter(const struct ignore_rule *rule, bool *states, size_t i)
{
    for (; i < rule->count; i++) {
        enum token_kind kind = rule->tokens[i].kind;

        states[i] = true;
        if (kind != TOKEN_STAR && kind != TOKEN_DEEP && kind != TOKEN_ALL)
            return;
    }
    states[i] = true;
}

static bool step(const struct ignore_rule *rule, const bool *now, bool *next, struct str c)
{
    bool slash = str_is(c, "/"), alive = false;

    memset(next, 0, rule->count + 1);
    for (size_t i = 0; i < rule->count; i++) {
        const struct token *t = &rule->tokens[i];

        if (!now[i])
            continue;
        if (t->kind == TOKEN_DEEP) {
            next[i] = alive = true;
            if (slash)
                enter(rule, next, i + 1);
        } else if (t->kind == TOKEN_ALL || (t->kind == TOKEN_STAR && !slash)) {
            enter(rule, next, i);
            alive = true;
        } else if ((t->kind == TOKEN_CHAR && str_eq(t->text, c)) ||
                   (t->kind == TOKEN_ANY && !slash) ||
                   (t->kind == TOKEN_CLASS && !slash && class_holds(t->text, c))) {
            enter(rule, next, i + 1);
            alive = true;
        }
    }
    return alive;
}

/* Reads path; *matched: path or one of its parents is what the pattern says. Returns whether more
 * could still match. */
static bool run(const struct ignore_rule *rule, struct str path, bool *matched)
{
    bool states[2][TOKENS_MAX + 1];
    bool *now = states[0], *next = states[1];

    *matched = false;
    if (rule->tokens[0].kind == TOKEN_CHAR &&
        (path.size == 0 || rule->tokens[0].text.ptr[0] != path.ptr[0]))
        return false;
    memset(now, 0, rule->count + 1);
    enter(rule, now, 0);
    for (size_t at = 0; at < path.size;) {
        size_t n = text_char(str_slice(path, at, path.size));

        if (at > 0 && path.ptr[at] == '/' && now[rule->count])
            *matched = true;
        if (*matched || !step(rule, now, next, str_slice(path, at, at + n)))
            return *matched;
        bool *swap = now;
        now = next;
        next = swap;
        at += n;
    }
    *matched = now[rule->count];
    return true;
}

static bool rule_matches(const struct ignore_rule *rule, struct str path)
{
    bool matched;

    if (rule->literal) {
        size_t size = strlen(rule->text);

        return str_starts(path, rule->text) && (path.size == size || path.ptr[size] == '/');
    }
    run(rule, path, &matched);
    return matched;
}

/* Could the pattern match something below dir? */
static bool rule_reaches_below(const struct ignore_rule *rule, struct str dir)
{
    SCOPED(buf_release) struct buf below = {0};
    bool matched;

    buf_add_str(&below, dir);
    buf_addc(&below, '/');
    if (rule->literal)
        return str_starts(str_of(rule->text), buf_cstr(&below));
    return run(rule, buf_str(&below), &matched);
}

bool ignore_match(const struct ignore *ig, struct str path)
{
    bool left_out = false;

    if (path.size == 0 || str_is(path, "."))
        return false;
    for (size_t i = 0; i < ig->count; i++)
        if (ig->rules[i].negated == left_out && rule_matches(&ig->rules[i], path))
            left_out = !left_out;
    return left_out;
}

bool ignore_may_descend(const struct ignore *ig, struct str dir)
{
    if (!ignore_match(ig, dir))
        return true;
    /* From the end: what comes first decides about all that is below. */
    for (size_t i = ig->count; i-- > 0;) {
        const struct ignore_rule *rule = &ig->rules[i];

        if (!rule->negated && rule_matches(rule, dir))
            return false;
        if (rule->negated && rule_reaches_below(rule, dir))
            return true;
    }
    return false;
}

bool ignore_reaches_below(const struct ignore *ig, struct str dir)
{
    for (size_t i = 0; i < ig->count; i++)
        if (rule_reaches_below(&ig->rules[i], dir))
            return true;
    return false;
}

bool ignore_all(const struct ignore *ig)
{
    static const char *const patterns[] = {"*", "**", "**/*"};

    for (size_t i = 0; i < ig->count; i++)
        for (size_t k = 0; k < ARRAY_SIZE(patterns); k++)
            if (!ig->rules[i].negated && strcmp(ig->rules[i].text, patterns[k]) == 0)
                return true;
    return false;
}
