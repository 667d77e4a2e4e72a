/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/instruction.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/scope.h"
#include "builder/download.h"
#include "builder/giturl.h"

static const char *const keywords[INSTR_KINDS] = {
    [INSTR_ADD] = "ADD",
    [INSTR_ARG] = "ARG",
    [INSTR_CMD] = "CMD",
    [INSTR_COPY] = "COPY",
    [INSTR_ENTRYPOINT] = "ENTRYPOINT",
    [INSTR_ENV] = "ENV",
    [INSTR_EXPOSE] = "EXPOSE",
    [INSTR_FROM] = "FROM",
    [INSTR_HEALTHCHECK] = "HEALTHCHECK",
    [INSTR_LABEL] = "LABEL",
    [INSTR_MAINTAINER] = "MAINTAINER",
    [INSTR_ONBUILD] = "ONBUILD",
    [INSTR_RUN] = "RUN",
    [INSTR_SHELL] = "SHELL",
    [INSTR_STOPSIGNAL] = "STOPSIGNAL",
    [INSTR_USER] = "USER",
    [INSTR_VOLUME] = "VOLUME",
    [INSTR_WORKDIR] = "WORKDIR",
};

static const struct flag_rule rules[] = {
    {INSTR_ADD, "checksum", .carried_out = true},
    {INSTR_ADD, "chmod", .carried_out = true},
    {INSTR_ADD, "chown", .carried_out = true},
    {INSTR_ADD, "exclude", .repeats = true, .carried_out = true},
    {INSTR_ADD, "keep-git-dir", .is_bool = true, .carried_out = true},
    {INSTR_ADD, "link", .is_bool = true, .carried_out = true},
    {INSTR_ADD, "unpack", .is_bool = true, .carried_out = true},
    {INSTR_COPY, "chmod", .carried_out = true},
    {INSTR_COPY, "chown", .carried_out = true},
    {INSTR_COPY, "exclude", .repeats = true, .carried_out = true},
    {INSTR_COPY, "from", .carried_out = true},
    {INSTR_COPY, "link", .is_bool = true, .carried_out = true},
    {INSTR_COPY, "parents", .is_bool = true, .carried_out = true},
    {INSTR_FROM, "platform", .carried_out = true},
    {INSTR_HEALTHCHECK, "interval", .carried_out = true},
    {INSTR_HEALTHCHECK, "retries", .carried_out = true},
    {INSTR_HEALTHCHECK, "start-interval", .carried_out = true},
    {INSTR_HEALTHCHECK, "start-period", .carried_out = true},
    {INSTR_HEALTHCHECK, "timeout", .carried_out = true},
    {INSTR_RUN, "device", .repeats = true, .carried_out = true},
    {INSTR_RUN, "mount", .repeats = true, .carried_out = true},
    {INSTR_RUN, "network", .carried_out = true},
    {INSTR_RUN, "security", .carried_out = true},
};

void instr_release(struct instruction *in)
{
    free(in->written);
    free(in->text);
    free(in->canonical);
    strv_release(&in->args);
    free(in->stage_name);
    for (size_t i = 0; i < in->flags_count; i++) {
        free(in->flags[i].name);
        free(in->flags[i].value);
    }
    free(in->flags);
    for (size_t i = 0; i < in->words_count; i++)
        free(in->words[i].text);
    free(in->words);
    for (size_t i = 0; i < in->pairs_count; i++) {
        free(in->pairs[i].name);
        free(in->pairs[i].value);
    }
    free(in->pairs);
    for (size_t i = 0; i < in->heredocs_count; i++)
        free(in->heredocs[i].name);
    free(in->heredocs);
    if (in->trigger)
        instr_release(in->trigger);
    free(in->trigger);
    *in = (struct instruction){0};
}

const char *instr_flag(const struct instruction *in, const char *name)
{
    for (size_t i = in->flags_count; i-- > 0;)
        if (strcmp(in->flags[i].name, name) == 0)
            return in->flags[i].value;
    return NULL;
}

void heredoc_text(const struct heredoc *doc, struct buf *out)
{
    bool at_start = true;

    for (size_t i = 0; i < doc->body.size; i++) {
        char c = doc->body.ptr[i];

        if (doc->strip_tabs && at_start && c == '\t')
            continue;
        buf_addc(out, c);
        at_start = c == '\n';
    }
}

/* Letters in another order: the likeliest slip, though two edits. */
static bool is_anagram(struct str a, struct str b)
{
    int counts[256] = {0};

    for (size_t i = 0; i < a.size && a.size == b.size; i++) {
        counts[(unsigned char)a.ptr[i]]++;
        counts[(unsigned char)b.ptr[i]]--;
    }
    for (size_t i = 0; i < ARRAY_SIZE(counts); i++)
        if (counts[i])
            return false;
    return a.size == b.size;
}

int heredoc_check_name(const char *name, struct err *err)
{
    SCOPED(buf_release) struct buf shown = {0};

    if (!strchr(name, '/') && strcmp(name, ".") != 0 && strcmp(name, "..") != 0)
        return 0;
    buf_add_escaped(&shown, str_of(name));
    return err_set(err, ERR_INPUT, 0, "heredoc name \"%s\" cannot be a file's name",
                   buf_cstr(&shown));
}

/* Near enough for "did you mean": at most two edits, and something of what was written stays. */
static bool is_near(struct str have, const char *want, unsigned *best)
{
    unsigned distance = str_distance(have, str_of(want));
    unsigned rank = distance * 2 - is_anagram(have, str_of(want));

    if (distance > 2 || distance >= have.size || rank >= *best)
        return false;
    *best = rank;
    return true;
}

int instr_kind_of(struct str keyword, const char **suggestion)
{
    AUTO_FREE char *upper = str_dup(keyword);
    unsigned best = 64;

    *suggestion = NULL;
    for (char *p = upper; *p; p++)
        *p = (char)toupper((unsigned char)*p);
    for (int i = 0; i < INSTR_KINDS; i++) {
        if (strcmp(upper, keywords[i]) == 0 && keyword.size == strlen(upper))
            return i;
        if (is_near(str_of(upper), keywords[i], &best))
            *suggestion = keywords[i];
    }
    return -1;
}

const char *instr_keyword(enum instr_kind kind)
{
    return keywords[kind];
}

const struct flag_rule *instr_flag_rule(enum instr_kind kind, struct str name,
                                        const char **suggestion)
{
    unsigned best = 64;

    *suggestion = NULL;
    for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
        if (rules[i].kind != kind)
            continue;
        if (str_is(name, rules[i].name))
            return &rules[i];
        if (is_near(name, rules[i].name, &best))
            *suggestion = rules[i].name;
    }
    return NULL;
}

int instr_check_flags(const struct instruction *in, unsigned *line, struct err *err)
{
    for (size_t i = 0; i < in->flags_count; i++) {
        SCOPED(buf_release) struct buf known = {0};
        const char *suggestion;
        const struct flag_rule *rule =
            instr_flag_rule(in->kind, str_of(in->flags[i].name), &suggestion);

        if (!rule || rule->carried_out ||
            (rule->harmless && strcmp(in->flags[i].value, rule->harmless) == 0))
            continue;
        *line = in->flags[i].line;
        for (size_t k = 0; k < ARRAY_SIZE(rules); k++)
            if (rules[k].kind == in->kind && rules[k].carried_out)
                buf_addf(&known, "%s--%s", known.size ? ", " : "", rules[k].name);
        return err_set(err, ERR_INPUT, 0, "%s --%s is not supported; %s takes %s here", in->keyword,
                       rule->name, in->keyword, known.size ? buf_cstr(&known) : "no flags");
    }
    return 0;
}

int instr_check_source(const struct instruction *in, struct str source, struct err *err)
{
    SCOPED(giturl_release) struct giturl url = {0};
    SCOPED(buf_release) struct buf shown = {0};
    AUTO_FREE char *text = str_dup(source);
    struct err ignored = {0};
    bool git = in->kind == INSTR_COPY && giturl_parse(text, &url, &ignored) != 0;

    if (in->kind != INSTR_COPY || (!git && !download_is_url(text)))
        return 0;
    giturl_show(text, &shown);
    return err_set(err, ERR_INPUT, 0, "COPY cannot fetch %s: %.200s; ADD does",
                   git ? "a git repository" : "a URL", buf_cstr(&shown));
}
