/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/arguments.h"

#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/scope.h"
#include "builder/duration.h"
#include "builder/text.h"
#include "builder/words.h"

bool arguments_may_be_json(enum instr_kind kind)
{
    return kind == INSTR_RUN || kind == INSTR_CMD || kind == INSTR_ENTRYPOINT ||
           kind == INSTR_SHELL || kind == INSTR_ADD || kind == INSTR_COPY || kind == INSTR_VOLUME;
}

static void give_words(struct instruction *in, struct words *w)
{
    in->words = steal_ptr(&w->items);
    in->words_count = w->count;
    *w = (struct words){0};
}

/* Elements of the JSON form as words, for instructions that take a list either way. */
static void words_from_args(struct instruction *in, const struct lex_line *line)
{
    in->words = xcalloc(in->args.count ? in->args.count : 1, sizeof(*in->words));
    for (size_t i = 0; i < in->args.count; i++)
        in->words[i] = (struct word){
            .text = xstrdup(in->args.ptr[i]), .line = line->first_line, .heredoc = -1};
    in->words_count = in->args.count;
}

static int need(const struct instruction *in, const char *what, struct err *err)
{
    return err_set(err, ERR_INPUT, 0, "%s needs %s", in->keyword, what);
}

/* A text that goes into an error. */
static int wrong_text(struct err *err, const char *before, struct str text, const char *after)
{
    SCOPED(buf_release) struct buf shown = {0};

    buf_add_escaped(&shown, str_slice(text, 0, 200));
    return err_set(err, ERR_INPUT, 0, "%s\"%s\"%s", before, buf_cstr(&shown), after);
}

static int parse_command(struct instruction *in, struct err *err)
{
    bool empty = in->json ? in->args.count == 0 : in->text[0] == '\0';

    /* CMD [] and ENTRYPOINT [] take away what the base image has. */
    if (empty && (!in->json || in->kind == INSTR_RUN))
        return need(in, "a command", err);
    return 0;
}

static int parse_shell(struct instruction *in, struct err *err)
{
    if (!in->json || in->args.count == 0)
        return err_set(err, ERR_INPUT, 0, "SHELL needs the JSON form: SHELL [\"/bin/sh\", \"-c\"]");
    return 0;
}

static int parse_from(struct instruction *in, struct words *w, struct err *err)
{
    if (w->count == 0)
        return need(in, "an image", err);
    if (w->count == 2 || w->count > 3 || (w->count == 3 && strcasecmp(w->items[1].text, "AS") != 0))
        return err_set(err, ERR_INPUT, 0, "FROM takes an image, or an image, AS and a name");
    if (w->count == 3) {
        char *name = in->stage_name = xstrdup(w->items[2].text);
        bool good = isalpha((unsigned char)name[0]);

        for (char *p = name; *p; p++) {
            *p = (char)tolower((unsigned char)*p);
            good = good && (isalnum((unsigned char)*p) || strchr("-_.", *p));
        }
        if (!good)
            return wrong_text(err, "stage name ", str_of(w->items[2].text),
                              " is not a letter, then letters, digits, \"-\", \"_\" or \".\"");
    }
    give_words(in, w);
    return 0;
}

/* Which of the words are the heredocs that were read; the destination may not be one. */
static int match_heredocs(struct instruction *in, struct err *err)
{
    size_t found = 0;

    for (size_t i = 0; i < in->words_count; i++) {
        if (in->json || !words_is_heredoc(str_of(in->words[i].text)))
            continue;
        if (i + 1 == in->words_count)
            return err_set(err, ERR_INPUT, 0, "the destination of %s may not be a heredoc",
                           in->keyword);
        in->words[i].heredoc = (int)found++;
    }
    if (found != in->heredocs_count)
        return err_set(err, ERR_INPUT, 0, "a heredoc of %s must be one word without blanks: <<NAME",
                       in->keyword);
    return 0;
}

static int parse_copy(struct instruction *in, const struct lex_line *line, struct words *w,
                      struct err *err)
{
    if (in->json)
        words_from_args(in, line);
    else
        give_words(in, w);
    if (in->words_count < 2)
        return need(in, "at least one source and a destination", err);
    if (instr_flag(in, "from") && !*instr_flag(in, "from"))
        return err_set(err, ERR_INPUT, 0, "COPY --from is empty");
    for (size_t i = 0; i < in->heredocs_count && instr_flag(in, "from"); i++)
        return err_set(err, ERR_INPUT, 0, "a heredoc cannot be copied --from elsewhere");
    return match_heredocs(in, err);
}

static int parse_list(struct instruction *in, const struct lex_line *line, struct words *w,
                      struct err *err)
{
    if (in->json)
        words_from_args(in, line);
    else
        give_words(in, w);
    if (in->words_count == 0)
        return need(in, in->kind == INSTR_EXPOSE ? "a port" : "a path", err);
    for (size_t i = 0; i < in->words_count; i++) {
        AUTO_FREE char *old = in->words[i].text;

        in->words[i].text = str_dup(text_trim(str_of(old)));
        if (!*in->words[i].text)
            return err_set(err, ERR_INPUT, 0, "%s: an empty path", in->keyword);
    }
    return 0;
}

static void add_pair(struct instruction *in, struct str name, const char *value, unsigned line)
{
    in->pairs = xreallocarray(in->pairs, in->pairs_count + 1, sizeof(*in->pairs));
    in->pairs[in->pairs_count++] = (struct pair){str_dup(name), xstrdup(value), line};
}

/* ENV NAME the rest is the value */
static int parse_legacy_pair(struct instruction *in, const struct lex_line *line, struct str rest,
                             struct err *err)
{
    size_t n = 0, value;

    while (n < rest.size && !strchr(" \t\v\f\r", rest.ptr[n]))
        n++;
    for (value = n; value < rest.size && strchr(" \t\v\f\r", rest.ptr[value]);)
        value++;
    if (value == rest.size)
        return wrong_text(err, in->kind == INSTR_ENV ? "ENV " : "LABEL ", rest,
                          " has no value; write NAME=VALUE");
    AUTO_FREE char *copy = str_dup(str_slice(rest, value, rest.size));
    in->legacy = true;
    add_pair(in, str_slice(rest, 0, n), copy, lex_line_at(line, (size_t)(rest.ptr - line->text)));
    return 0;
}

static int parse_pairs(struct instruction *in, const struct lex_line *line, struct str rest,
                       struct words *w, struct err *err)
{
    bool is_arg = in->kind == INSTR_ARG;

    if (w->count == 0)
        return need(in, is_arg ? "a name" : "NAME=VALUE", err);
    if (!is_arg && !strchr(w->items[0].text, '='))
        return parse_legacy_pair(in, line, rest, err);
    for (size_t i = 0; i < w->count; i++) {
        struct str name, value, word = str_of(w->items[i].text);
        bool has_value = str_cut(word, '=', &name, &value);

        if (!has_value && !is_arg)
            return wrong_text(err, "", word, " has no \"=\"; must be NAME=VALUE");
        if (name.size == 0)
            return wrong_text(err, "", word, " has no name before \"=\"");
        add_pair(in, name, has_value ? value.ptr : NULL, w->items[i].line);
    }
    return 0;
}

static int parse_healthcheck_flags(const struct instruction *in, struct err *err)
{
    for (size_t i = 0; i < in->flags_count; i++) {
        const struct flag *flag = &in->flags[i];
        int64_t ns = 0;
        uint64_t n;

        if (strcmp(flag->name, "retries") == 0) {
            if (!str_u64(str_of(flag->value), &n) || n > INT32_MAX)
                return wrong_text(err, "HEALTHCHECK --retries=", str_of(flag->value),
                                  " is not a number");
        } else if (!duration_parse(str_of(flag->value), &ns)) {
            return wrong_text(err, "a duration of HEALTHCHECK: ", str_of(flag->value),
                              " is none; write 30s, 1m30s, 500ms");
        } else if (ns != 0 && ns < 1000000) {
            return wrong_text(err, "a duration of HEALTHCHECK: ", str_of(flag->value),
                              " is less than 1ms");
        }
    }
    return 0;
}

static int parse_healthcheck(struct instruction *in, struct words *w, struct str rest,
                             struct err *err)
{
    size_t n = w->count ? strlen(w->items[0].text) : 0;
    bool none = w->count && strcasecmp(w->items[0].text, "NONE") == 0;

    if (w->count == 0 || (!none && strcasecmp(w->items[0].text, "CMD") != 0))
        return err_set(err, ERR_INPUT, 0, "HEALTHCHECK needs CMD and a command, or NONE");
    rest = text_trim(str_slice(rest, n, rest.size));
    if (none && (rest.size || in->flags_count))
        return err_set(err, ERR_INPUT, 0, "HEALTHCHECK NONE takes neither flags nor a command");
    if (!none) {
        int json = words_json(rest, &in->args, err);

        if (json < 0)
            return -1;
        in->json = json;
        if (json ? in->args.count == 0 : rest.size == 0)
            return need(in, "a command after CMD", err);
    }
    free(in->text);
    in->text = str_dup(rest);
    in->words = xcalloc(1, sizeof(*in->words));
    in->words[0] = (struct word){
        .text = xstrdup(none ? "NONE" : "CMD"), .line = w->items[0].line, .heredoc = -1};
    in->words_count = 1;
    return parse_healthcheck_flags(in, err);
}

int arguments_parse(struct instruction *in, const struct lex_line *line, struct str rest,
                    char escape, struct err *err)
{
    SCOPED(words_release) struct words w = {0};

    if (in->kind == INSTR_ENV || in->kind == INSTR_LABEL || in->kind == INSTR_ARG)
        words_quoted(&w, line, rest, escape);
    else
        words_blank(&w, line, rest);
    switch (in->kind) {
    case INSTR_RUN:
    case INSTR_CMD:
    case INSTR_ENTRYPOINT:
        return parse_command(in, err);
    case INSTR_SHELL:
        return parse_shell(in, err);
    case INSTR_FROM:
        return parse_from(in, &w, err);
    case INSTR_ADD:
    case INSTR_COPY:
        return parse_copy(in, line, &w, err);
    case INSTR_EXPOSE:
    case INSTR_VOLUME:
        return parse_list(in, line, &w, err);
    case INSTR_ENV:
    case INSTR_LABEL:
    case INSTR_ARG:
        return parse_pairs(in, line, rest, &w, err);
    case INSTR_HEALTHCHECK:
        return parse_healthcheck(in, &w, rest, err);
    default: /* USER WORKDIR STOPSIGNAL MAINTAINER: the text as it stands */
        return rest.size ? 0 : need(in, "an argument", err);
    }
}
