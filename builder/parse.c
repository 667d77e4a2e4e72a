/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/parse.h"

#include <stdarg.h>
#include <string.h>

#include "base/alloc.h"
#include "base/scope.h"
#include "builder/arguments.h"
#include "builder/lex.h"
#include "builder/text.h"
#include "builder/words.h"

struct parser {
    struct dockerfile *doc;
    struct lex lex;
    struct lex_line line;
    size_t capacity;
    bool has_from;
    bool triggers; /* of an image: no FROM among them */
};

int dockerfile_error(const struct dockerfile *doc, unsigned line, struct err *err, const char *fmt,
                     ...)
{
    AUTO_FREE char *text = NULL;
    va_list ap;

    va_start(ap, fmt);
    text = xvasprintf(fmt, ap);
    va_end(ap);
    if (line == 0)
        return err_set(err, ERR_INPUT, 0, "%s: %s", doc->name, text);
    return err_set(err, ERR_INPUT, 0, "%s:%u: %s", doc->name, line, text);
}

/* "NAME:12: …" already? Errors pass through several rooms, and each may know the place. */
static bool has_place(const struct dockerfile *doc, struct str text)
{
    size_t digits = 0;

    if (!str_starts(text, doc->name))
        return false;
    text = str_slice(text, strlen(doc->name), text.size);
    if (!str_starts(text, ":"))
        return false;
    text = str_slice(text, 1, text.size);
    while (digits < text.size && text.ptr[digits] >= '0' && text.ptr[digits] <= '9')
        digits++;
    return digits > 0 && str_starts(str_slice(text, digits, text.size), ": ");
}

int dockerfile_wrap(const struct dockerfile *doc, unsigned line, struct err *err)
{
    if (has_place(doc, str_of(err->text)))
        return -1;
    return err_wrap(err, "%s:%u", doc->name, line);
}

static int wrong(struct parser *p, unsigned first, unsigned last, struct err *err)
{
    p->doc->failed = (struct span){first, last};
    return dockerfile_wrap(p->doc, first, err);
}

/* --name or --name=value; the table says whether it takes one. */
static int take_flag(struct instruction *in, const struct word *word, struct err *err)
{
    SCOPED(buf_release) struct buf shown = {0};
    struct str name, value;
    const char *suggestion;
    bool has_value = str_cut(str_slice(str_of(word->text), 2, SIZE_MAX), '=', &name, &value);
    const struct flag_rule *rule = instr_flag_rule(in->kind, name, &suggestion);

    buf_add_escaped(&shown,
                    rule && !rule->is_bool ? name : str_slice(str_of(word->text), 2, SIZE_MAX));
    if (!rule) {
        buf_clear(&shown);
        buf_add_escaped(&shown, name);
        err_set(err, ERR_INPUT, 0, "unknown flag --%s of %s", buf_cstr(&shown), in->keyword);
        return suggestion ? err_add(err, "; did you mean --%s?", suggestion) : -1;
    }
    AUTO_FREE char *copy = str_dup(name);
    if (!rule->repeats && instr_flag(in, copy))
        return err_set(err, ERR_INPUT, 0, "%s --%s is given twice", in->keyword, rule->name);
    if (rule->is_bool && !has_value)
        value = STR("true");
    if (rule->is_bool && !str_is_nocase(value, "true") && !str_is_nocase(value, "false"))
        return err_set(err, ERR_INPUT, 0, "--%s is neither true nor false", buf_cstr(&shown));
    if (!has_value && !rule->is_bool)
        return err_set(err, ERR_INPUT, 0, "%s --%s needs a value: --%s=…", in->keyword, rule->name,
                       rule->name);
    in->flags = xreallocarray(in->flags, in->flags_count + 1, sizeof(*in->flags));
    in->flags[in->flags_count++] = (struct flag){
        steal_ptr(&copy),
        rule->is_bool ? xstrdup(str_is_nocase(value, "true") ? "true" : "false") : str_dup(value),
        word->line};
    return 0;
}

static int unknown_instruction(struct parser *p, struct str keyword, const char *suggestion,
                               struct err *err)
{
    SCOPED(buf_release) struct buf shown = {0};
    const struct dockerfile *doc = p->doc;
    const struct instruction *last = doc->count ? &doc->instructions[doc->count - 1] : NULL;

    buf_add_escaped(&shown, str_slice(keyword, 0, 60));
    err_set(err, ERR_INPUT, 0, "unknown instruction \"%s\"", buf_cstr(&shown));
    if (suggestion)
        return err_add(err, "; did you mean %s?", suggestion);
    if (last && last->kind == INSTR_RUN && last->last_line + 1 == p->line.first_line)
        return err_add(err, "; should line %u end in %c?", last->last_line, doc->escape);
    return -1;
}

/* Keyword and flags; *rest is what the instruction itself is about. */
static int take_head(struct parser *p, struct str text, struct instruction *in, struct str *rest,
                     struct err *err)
{
    SCOPED(words_release) struct words flags = {0};
    const char *suggestion;
    size_t n = 0;

    text = text_trim(text);
    while (n < text.size && !strchr(" \t\v\f\r", text.ptr[n]))
        n++;
    int kind = instr_kind_of(str_slice(text, 0, n), &suggestion);
    if (n == 0)
        return err_set(err, ERR_INPUT, 0, "a line continuation that continues nothing");
    if (kind < 0)
        return unknown_instruction(p, str_slice(text, 0, n), suggestion, err);
    in->kind = (enum instr_kind)kind;
    in->keyword = instr_keyword(in->kind);
    in->written = str_dup(str_slice(text, 0, n));
    text = text_trim(str_slice(text, n, text.size));
    in->canonical = xasprintf("%s%s" STR_FMT, in->keyword, text.size ? " " : "", STR_ARG(text));
    in->first_line = p->line.first_line;
    in->last_line = p->line.last_line;
    in->empty_line = p->line.empty_line;
    in->comments_first = p->line.comments_first;
    in->comments_end = p->line.comments_end;
    if (words_flags(&flags, &p->line, text, p->lex.escape, rest, err) < 0)
        return -1;
    for (size_t i = 0; i < flags.count; i++)
        if (take_flag(in, &flags.items[i], err) < 0)
            return -1;
    in->text = str_dup(*rest);
    return 0;
}

static bool may_have_heredocs(const struct instruction *in)
{
    return !in->json && (in->kind == INSTR_RUN || in->kind == INSTR_COPY || in->kind == INSTR_ADD);
}

/* The bodies follow the logical line, in the order of their words. */
static int take_heredocs(struct parser *p, struct instruction *in, struct err *err)
{
    if (!may_have_heredocs(in))
        return 0;
    words_heredocs(str_of(in->text), in->kind == INSTR_RUN, &in->heredocs, &in->heredocs_count);
    for (size_t i = 0; i < in->heredocs_count; i++) {
        struct heredoc *doc = &in->heredocs[i];

        doc->first_line = p->lex.line + 1;
        int found = lex_heredoc(&p->lex, doc->name, doc->strip_tabs, &doc->body, err);

        if (found < 0)
            return -1;
        if (found == 0) {
            SCOPED(buf_release) struct buf shown = {0};

            buf_add_escaped(&shown, str_of(doc->name));
            return err_set(err, ERR_INPUT, 0, "heredoc <<%s has no line \"%s\" that ends it",
                           buf_cstr(&shown), buf_cstr(&shown));
        }
        in->last_line = doc->last_line = p->lex.line;
    }
    return 0;
}

/* JSON form where the instruction has one; a text that looks like it and is none earns a warning.
 */
static int take_json(struct parser *p, struct instruction *in, struct str rest, struct err *err)
{
    int json;

    if (!arguments_may_be_json(in->kind))
        return 0;
    json = words_json(rest, &in->args, err);
    in->json = json > 0;
    if (json == 0 && str_starts(rest, "[") && str_ends(rest, "]") && in->kind != INSTR_SHELL)
        strv_addf(&p->doc->warnings,
                  "%s:%u: %s […] is not JSON (strings need double quotes); taken as plain text",
                  p->doc->name, in->first_line, in->keyword);
    return json < 0 ? -1 : 0;
}

static int check_trigger_kind(const struct instruction *in, struct err *err)
{
    if (in->kind == INSTR_ONBUILD || in->kind == INSTR_FROM || in->kind == INSTR_MAINTAINER)
        return err_set(err, ERR_INPUT, 0, "%s may not be an ONBUILD trigger", in->keyword);
    return 0;
}

static int take_instruction(struct parser *p, struct str text, bool is_trigger,
                            struct instruction *in, struct err *err);

/* ONBUILD: an instruction in an instruction. Its stored text holds the heredoc bodies. */
static int take_trigger(struct parser *p, struct instruction *in, struct str rest, struct err *err)
{
    SCOPED(buf_release) struct buf text = {0};
    struct instruction *trigger;

    if (rest.size == 0)
        return err_set(err, ERR_INPUT, 0, "ONBUILD needs an instruction");
    in->trigger = trigger = xcalloc(1, sizeof(*trigger));
    if (take_instruction(p, rest, true, trigger, err) < 0)
        return -1;
    if (check_trigger_kind(trigger, err) < 0)
        return -1;
    buf_add_str(&text, rest);
    for (size_t i = 0; i < trigger->heredocs_count; i++) {
        buf_addc(&text, '\n');
        buf_add_str(&text, trigger->heredocs[i].body);
        buf_adds(&text, trigger->heredocs[i].name);
    }
    free(in->text);
    in->text = buf_steal(&text);
    in->last_line = trigger->last_line;
    return 0;
}

static int take_instruction(struct parser *p, struct str text, bool is_trigger,
                            struct instruction *in, struct err *err)
{
    struct str rest = {0};

    if (take_head(p, text, in, &rest, err) < 0)
        return -1;
    if (in->kind == INSTR_ONBUILD)
        return is_trigger ? 0 : take_trigger(p, in, rest, err);
    if (take_json(p, in, rest, err) < 0 || take_heredocs(p, in, err) < 0)
        return -1;
    return arguments_parse(in, &p->line, rest, p->lex.escape, err);
}

static int check_place(struct parser *p, const struct instruction *in, struct err *err)
{
    if (p->triggers)
        return check_trigger_kind(in, err);
    p->has_from = p->has_from || in->kind == INSTR_FROM;
    if (!p->has_from && in->kind != INSTR_ARG)
        return err_set(err, ERR_INPUT, 0, "%s before the first FROM; only ARG may stand there",
                       in->keyword);
    return 0;
}

static int add_instruction(struct parser *p, struct err *err)
{
    struct dockerfile *doc = p->doc;
    struct instruction in = {0};
    const char *start = p->line.source.ptr;

    if (take_instruction(p, (struct str){p->line.text, p->line.size}, false, &in, err) < 0) {
        unsigned last = in.last_line > p->line.last_line ? in.last_line : p->line.last_line;

        instr_release(&in);
        return wrong(p, p->line.first_line, last, err);
    }
    in.source = (struct str){start, (size_t)(doc->source.ptr + p->lex.at - start)};
    while (in.source.size > 0 && strchr("\r\n", in.source.ptr[in.source.size - 1]))
        in.source.size--;
    if (check_place(p, &in, err) < 0) {
        instr_release(&in);
        return wrong(p, p->line.first_line, p->line.last_line, err);
    }
    in.doc = doc;
    VEC_GROW(doc->instructions, doc->count, p->capacity);
    doc->instructions[doc->count++] = in;
    return 0;
}

/* docker/dockerfile, on whatever host and in whatever version: that is the language read here. */
static bool is_our_syntax(struct str value)
{
    struct str first, ignored;

    str_cut(value, ' ', &first, &ignored);
    ptrdiff_t at = str_search(first, "docker/dockerfile");
    if (at < 0 || (at > 0 && first.ptr[at - 1] != '/'))
        return false;
    struct str rest = str_slice(first, (size_t)at + strlen("docker/dockerfile"), first.size);
    if (str_starts(rest, "-upstream"))
        rest = str_slice(rest, strlen("-upstream"), rest.size);
    return rest.size == 0 || rest.ptr[0] == ':' || rest.ptr[0] == '@';
}

int dockerfile_check_syntax(struct str value, struct err *err)
{
    SCOPED(buf_release) struct buf shown = {0};

    if (is_our_syntax(value))
        return 0;
    buf_add_escaped(&shown, str_slice(value, 0, 200));
    return err_set(err, ERR_INPUT, 0, "syntax \"%s\" is not supported; only docker/dockerfile is",
                   buf_cstr(&shown));
}

static int check_syntax(struct parser *p, struct err *err)
{
    const struct directive *syntax = lex_directive(&p->lex, "syntax");

    if (!syntax || dockerfile_check_syntax(syntax->value, err) == 0)
        return 0;
    return wrong(p, syntax->line, syntax->line, err);
}

static int parse_lines(struct parser *p, struct err *err)
{
    for (;;) {
        int got = lex_next(&p->lex, &p->line, err);

        if (got < 0)
            return wrong(p, p->lex.line, p->lex.line, err);
        if (p->doc->count == 0 && check_syntax(p, err) < 0) {
            lex_line_release(&p->line);
            return -1;
        }
        if (got == 0)
            return 0;
        int failed = add_instruction(p, err);
        lex_line_release(&p->line);
        if (failed < 0)
            return -1;
    }
}

/* What the lexer gathered goes over to the document, however far it came. */
static void keep(struct parser *p)
{
    struct dockerfile *doc = p->doc;

    doc->escape = p->lex.escape;
    doc->directives_count = p->lex.directives_count;
    doc->directives = steal_ptr(&p->lex.directives);
    doc->comments_count = p->lex.comments_count;
    doc->comments = steal_ptr(&p->lex.comments);
}

/* What dockerfile_parse() and dockerfile_parse_triggers() share: bytes to instructions. */
static int parse(struct parser *p, struct str bytes, const char *name, struct err *err)
{
    struct dockerfile *doc = p->doc;
    unsigned line;

    *doc = (struct dockerfile){.name = xstrdup(name), .escape = '\\'};
    if (bytes.size > DOCKERFILE_MAX)
        return dockerfile_error(doc, 0, err, "larger than %d bytes", DOCKERFILE_MAX);
    buf_add_str(&doc->source, bytes);
    if (lex_begin(&p->lex, buf_str(&doc->source), &line, err) < 0)
        return wrong(p, line, line, err);
    int failed = parse_lines(p, err);
    keep(p);
    lex_release(&p->lex);
    return failed;
}

int dockerfile_parse(struct str bytes, const char *name, struct dockerfile *doc, struct err *err)
{
    struct parser p = {.doc = doc};

    if (parse(&p, bytes, name, err) < 0)
        return -1;
    if (doc->count == 0)
        return dockerfile_error(doc, 0, err, "no instructions in it");
    if (!p.has_from)
        return dockerfile_error(doc, 0, err, "no FROM in it, so there is nothing to build");
    doc->whole = true;
    return 0;
}

int dockerfile_parse_triggers(struct str bytes, const char *name, struct dockerfile *doc,
                              struct err *err)
{
    struct parser p = {.doc = doc, .triggers = true};

    return parse(&p, bytes, name, err);
}

void dockerfile_release(struct dockerfile *doc)
{
    free(doc->name);
    buf_release(&doc->source);
    free(doc->directives);
    free(doc->comments);
    for (size_t i = 0; i < doc->count; i++)
        instr_release(&doc->instructions[i]);
    free(doc->instructions);
    strv_release(&doc->warnings);
    *doc = (struct dockerfile){0};
}

struct str dockerfile_directive(const struct dockerfile *doc, const char *name)
{
    for (size_t i = 0; i < doc->directives_count; i++)
        if (strcmp(doc->directives[i].name, name) == 0)
            return doc->directives[i].value;
    return (struct str){0};
}

size_t dockerfile_comments_above(const struct dockerfile *doc, const struct instruction *in)
{
    size_t first = in->comments_end;

    for (unsigned line = in->first_line; first > in->comments_first; first--)
        if (doc->comments[first - 1].line != --line)
            break;
    return first;
}

struct str dockerfile_description(const struct dockerfile *doc, const struct instruction *in,
                                  const char *name)
{
    for (size_t i = dockerfile_comments_above(doc, in); i < in->comments_end; i++) {
        struct str text = doc->comments[i].text;

        if (str_starts(text, name) && text.size > strlen(name) && text.ptr[strlen(name)] == ' ')
            return str_trim(str_slice(text, strlen(name), text.size));
    }
    return (struct str){0};
}
