/* SPDX-License-Identifier: Apache-2.0 */
/* Build checks of FROM and the ARGs before it. */
#include <stdlib.h>
#include <string.h>

#include "base/scope.h"
#include "builder/expand.h"
#include "builder/lint.h"
#include "builder/text.h"
#include "registry/reference.h"

/* A word of FROM, expanded, and the names that went into it. */
struct word_result {
    struct buf text;
    struct strv used, unset;
    bool failed;
};

static void word_release(struct word_result *w)
{
    buf_release(&w->text);
    strv_release(&w->used);
    strv_release(&w->unset);
}

static void expand_from(const struct graph *g, const struct strv *env, const char *word,
                        struct word_result *out)
{
    struct expand x = {.lookup = expand_from_env,
                       .arg = env,
                       .escape = g->doc->escape,
                       .unset = &out->unset,
                       .used = &out->used};
    struct err ignored; /* graph_make tells it */

    out->failed = expand_word(&x, str_of(word), &out->text, &ignored) < 0;
}

/* "NAME=" of every ARG before the first FROM, then the platform's: what a FROM may name. */
static void global_names(const struct graph *g, struct strv *out)
{
    for (size_t i = 0; i < g->doc->count && g->doc->instructions[i].kind != INSTR_FROM; i++)
        for (size_t k = 0; k < g->doc->instructions[i].pairs_count; k++)
            env_set(out, g->doc->instructions[i].pairs[k].name, "");
    for (size_t i = 0; i < g->globals.count; i++) {
        struct str name, ignored;

        str_cut(str_of(g->globals.ptr[i]), '=', &name, &ignored);
        AUTO_FREE char *copy = str_dup(name);
        env_set(out, copy, "");
    }
}

static void check_undefined(struct lint *lint, const struct graph *g, const struct instruction *in,
                            const struct strv *names, const struct word_result *word)
{
    for (size_t i = 0; i < word->unset.count; i++) {
        const char *name = word->unset.ptr[i];
        struct str near = expand_nearest(names, str_of(name));
        SCOPED(buf_release) struct buf hint = {0};

        if (env_get(names, name))
            continue;
        if (near.size)
            buf_addf(&hint, " (did you mean " STR_FMT "?)", STR_ARG(near));
        lint_add(lint, g->doc, in, LINT_UNDEFINED_ARG_IN_FROM, in->first_line, in->last_line,
                 "FROM argument '%s' is not declared%s", name, buf_cstr(&hint));
    }
}

static void check_platform(struct lint *lint, const struct graph *g, const struct instruction *in,
                           const struct strv *names)
{
    SCOPED(word_release) struct word_result word = {0};
    SCOPED(buf_release) struct buf quoted = {0};
    const char *flag = instr_flag(in, "platform"), *name = in->stage_name ?: "";
    const char *target = env_get(&g->globals, "TARGETPLATFORM");
    struct platform platform;
    struct err ignored;

    if (!flag)
        return;
    expand_from(g, &g->globals, flag, &word);
    check_undefined(lint, g, in, names, &word);
    if (word.used.count == 1 && word.unset.count == 0 &&
        strcmp(word.used.ptr[0], "TARGETPLATFORM") == 0 &&
        strcmp(buf_cstr(&word.text), target ? target : "") == 0)
        lint_add(lint, g->doc, in, LINT_REDUNDANT_TARGET_PLATFORM, in->first_line, in->last_line,
                 "Setting platform to predefined %s in FROM is redundant as this is the default "
                 "behavior",
                 flag);
    /* A constant is fine where the stage's name tells of it. */
    if (word.failed || word.used.count || word.unset.count ||
        platform_parse(buf_cstr(&word.text), &platform, &ignored) < 0 ||
        strstr(name, platform.os) || strstr(name, platform.arch))
        return;
    text_quote(&quoted, buf_str(&word.text));
    lint_add(lint, g->doc, in, LINT_FROM_PLATFORM_FLAG_CONST_DISALLOWED, in->first_line,
             in->last_line, "FROM --platform flag should not use constant value %s",
             buf_cstr(&quoted));
}

/* The globals as they would be without build args. False: a default cannot be expanded. */
static bool default_globals(const struct graph *g, struct strv *out)
{
    static const char *const kept[] = {"BUILDPLATFORM", "BUILDOS",         "BUILDOSVERSION",
                                       "BUILDARCH",     "BUILDVARIANT",    "TARGETPLATFORM",
                                       "TARGETOS",      "TARGETOSVERSION", "TARGETARCH",
                                       "TARGETVARIANT", "TARGETSTAGE"};

    for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
        if (env_get(&g->globals, kept[i]))
            env_set(out, kept[i], env_get(&g->globals, kept[i]));
    for (size_t i = 0; i < g->doc->count && g->doc->instructions[i].kind != INSTR_FROM; i++)
        for (size_t k = 0; k < g->doc->instructions[i].pairs_count; k++) {
            const struct pair *pair = &g->doc->instructions[i].pairs[k];
            SCOPED(word_release) struct word_result word = {0};

            if (!pair->value)
                continue;
            expand_from(g, out, pair->value, &word);
            if (word.failed)
                return false;
            env_set(out, pair->name, buf_cstr(&word.text));
        }
    return true;
}

static bool names_stage(const struct graph *g, const struct instruction *in, const char *name)
{
    for (const struct instruction *other = g->doc->instructions; other < in; other++)
        if (other->stage_name && strcasecmp(other->stage_name, name) == 0)
            return true;
    return false;
}

static void check_defaults(struct lint *lint, const struct graph *g)
{
    SCOPED(strv_release) struct strv defaults = {0};

    if (!default_globals(g, &defaults))
        return;
    for (size_t i = 0; i < g->doc->count; i++) {
        const struct instruction *in = &g->doc->instructions[i];
        SCOPED(word_release) struct word_result word = {0};
        SCOPED(reference_release) struct reference ref = {0};
        struct err ignored;

        if (in->kind != INSTR_FROM)
            continue;
        expand_from(g, &defaults, in->words[0].text, &word);
        if (word.failed)
            return;
        if (names_stage(g, in, buf_cstr(&word.text)) ||
            reference_parse(buf_cstr(&word.text), &ref, &ignored) == 0)
            continue;
        lint_add(lint, g->doc, in, LINT_INVALID_DEFAULT_ARG_IN_FROM, in->first_line, in->last_line,
                 "Default value for ARG %s results in empty or invalid base image name",
                 in->words[0].text);
    }
}

void lint_from(struct lint *lint, const struct graph *graph)
{
    SCOPED(strv_release) struct strv names = {0};

    check_defaults(lint, graph);
    global_names(graph, &names);
    for (size_t i = 0; i < graph->doc->count; i++) {
        const struct instruction *in = &graph->doc->instructions[i];
        SCOPED(word_release) struct word_result word = {0};

        if (in->kind != INSTR_FROM)
            continue;
        expand_from(graph, &graph->globals, in->words[0].text, &word);
        check_undefined(lint, graph, in, &names, &word);
        check_platform(lint, graph, in, &names);
    }
}
