/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Build checks that need to know what an instruction comes to: the stages are gone through as the
 * builder would, config and environment growing, and nothing is carried out.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/path.h"
#include "base/scope.h"
#include "builder/expand.h"
#include "builder/ignore.h"
#include "builder/lint.h"
#include "builder/rehearse.h"
#include "builder/text.h"
#include "registry/config.h"

/* A stage on the way through. */
struct walk {
    struct rehearsed rehearsed;
    bool workdir_set;                                         /* by a WORKDIR of the file */
    const struct instruction *cmd, *entrypoint, *healthcheck; /* the last one so far */
};

struct walker {
    struct lint *lint;
    const struct lint_input *input;
    const struct stage *stage; /* the one on the way */
    struct walk *walks;        /* one for each stage */
};

static const struct dockerfile *doc_of(const struct walker *w)
{
    return w->input->stages.graph->doc;
}

/* Where it stands in this file: a trigger of the base stands where its FROM is. */
static const struct instruction *here(const struct walker *w, const struct instruction *in)
{
    return in->doc == doc_of(w) ? in : w->stage->from;
}

static void add(struct walker *w, const struct instruction *in, enum lint_rule rule,
                const char *before, const char *text, const char *after)
{
    in = here(w, in);
    lint_add(w->lint, doc_of(w), in, rule, in->first_line, in->last_line, "%s%s%s", before, text,
             after);
}

/* Words as the instruction sees them, without noting what is unset: that the state does. */
static bool expand_quietly(const struct instruction *in, const struct strv *env, const char *word,
                           struct buf *out)
{
    struct expand x = {.lookup = expand_from_env, .arg = env, .escape = in->doc->escape};
    struct err ignored;

    return expand_word(&x, str_of(word), out, &ignored) == 0;
}

static bool has_part(const char *name, const char *const *words)
{
    struct str rest = str_of(name), part;
    bool more = true;

    while (more) {
        more = str_cut(rest, '_', &part, &rest);
        for (size_t i = 0; words[i]; i++)
            if (str_is_nocase(part, words[i]))
                return true;
    }
    return false;
}

static void check_secret(struct walker *w, const struct instruction *in, const char *name)
{
    static const char *const secret[] = {"apikey", "auth",     "credential", "credentials",
                                         "key",    "password", "pword",      "passwd",
                                         "secret", "token",    NULL};
    static const char *const harmless[] = {"public", "file", "version", NULL};
    SCOPED(buf_release) struct buf text = {0};

    if (!has_part(name, secret) || has_part(name, harmless))
        return;
    buf_addf(&text, "%s ", in->keyword);
    text_quote(&text, str_of(name));
    add(w, in, LINT_SECRETS_USED_IN_ARG_OR_ENV,
        "Do not use ARG or ENV instructions for sensitive data (", buf_cstr(&text), ")");
}

static void check_pairs(struct walker *w, const struct instruction *in, const struct strv *before)
{
    SCOPED(buf_release) struct buf legacy = {0};

    if (in->legacy) {
        buf_addf(&legacy, "\"%s key=value\" should be used instead of legacy \"%s key value\"",
                 in->written, in->written);
        add(w, in, LINT_LEGACY_KEY_VALUE_FORMAT, "", buf_cstr(&legacy), " format");
    }
    for (size_t i = 0; i < in->pairs_count && in->kind != INSTR_LABEL; i++) {
        SCOPED(buf_release) struct buf name = {0};

        if (in->kind == INSTR_ARG)
            buf_adds(&name, in->pairs[i].name);
        else if (!expand_quietly(in, before, in->pairs[i].name, &name))
            continue;
        check_secret(w, in, buf_cstr(&name));
    }
}

/* Only the last CMD, ENTRYPOINT and HEALTHCHECK of a stage count: the one before is in vain. */
static void check_once(struct walker *w, const struct instruction **last,
                       const struct instruction *in)
{
    SCOPED(buf_release) struct buf text = {0};

    if (*last) {
        buf_addf(&text, "Multiple %s instructions", in->written);
        lint_add(w->lint, doc_of(w), here(w, in), LINT_MULTIPLE_INSTRUCTIONS_DISALLOWED,
                 here(w, *last)->first_line, here(w, *last)->last_line,
                 "%s should not be used in the same stage because only the last one will be used",
                 buf_cstr(&text));
    }
    *last = in;
}

static void check_command(struct walker *w, struct walk *walk, const struct instruction *in)
{
    SCOPED(strv_release) struct strv shell = {0};

    check_once(w, in->kind == INSTR_CMD ? &walk->cmd : &walk->entrypoint, in);
    config_get_list(walk->rehearsed.state.config, "Shell", &shell);
    if (!in->json && shell.count == 0 && !walk->rehearsed.unknown)
        add(w, in, LINT_JSON_ARGS_RECOMMENDED, "JSON arguments recommended for ", in->written,
            " to prevent unintended behavior related to OS signals");
}

static void check_workdir(struct walker *w, struct walk *walk, const struct instruction *in,
                          const struct strv *before)
{
    SCOPED(buf_release) struct buf path = {0}, text = {0};
    bool first = !walk->workdir_set;

    walk->workdir_set = true;
    if (!first || !expand_quietly(in, before, in->text, &path) || str_starts(buf_str(&path), "/"))
        return;
    text_quote(&text, buf_str(&path));
    add(w, in, LINT_WORKDIR_RELATIVE_PATH, "Relative workdir ", buf_cstr(&text),
        " can have unexpected results if the base image changes");
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* [ADDRESS:][HOST PORT:]PORT[/PROTOCOL], which ports.c has found to be well formed. */
static void check_port(struct walker *w, const struct instruction *in, const char *spec)
{
    struct str host, port, protocol;
    bool has_host = str_cut_last(str_of(spec), ':', &host, &port);
    bool lower = true;

    str_cut(has_host ? port : str_of(spec), '/', &port, &protocol);
    for (size_t i = 0; i < protocol.size; i++)
        lower = lower && !isupper((unsigned char)protocol.ptr[i]);
    if (!lower)
        add(w, in, LINT_EXPOSE_PROTO_CASING, "Defined protocol '", spec,
            "' in EXPOSE instruction should be lowercase");
    if (has_host && host.size > 0)
        add(w, in, LINT_EXPOSE_INVALID_FORMAT,
            "EXPOSE instruction should not define an IP address or host-port mapping, found '",
            spec, "'");
}

static void check_ports(struct walker *w, struct walk *walk, const struct instruction *in)
{
    SCOPED(strv_release) struct strv words = {0}, specs = {0};
    struct expand x = {
        .lookup = expand_from_env, .arg = &walk->rehearsed.state.env, .escape = in->doc->escape};
    struct err ignored;

    for (size_t i = 0; i < in->words_count; i++)
        strv_add(&words, in->words[i].text);
    if (words.count > 1)
        qsort(words.ptr, words.count, sizeof(*words.ptr), by_text);
    for (size_t i = 0; i < words.count; i++)
        if (expand_words(&x, str_of(words.ptr[i]), &specs, &ignored) < 0)
            return;
    for (size_t i = 0; i < specs.count; i++)
        check_port(w, in, specs.ptr[i]);
}

/* Sources from the build context that the ignore file leaves out. One that puts something back
 * ("!") is too hard to foresee. */
static void check_sources(struct walker *w, const struct instruction *in,
                          const struct copy_spec *copy)
{
    const struct ignore *ignore = w->input->ignore;

    if (!ignore || ignore->has_negation || copy->from->kind != SOURCE_CONTEXT)
        return;
    for (size_t i = 0; i < copy->sources.count; i++) {
        struct str source = str_of(copy->sources.ptr[i]);
        SCOPED(buf_release) struct buf text = {0};

        if (str_search(source, "://") >= 0 || str_starts(source, "git@"))
            continue;
        AUTO_FREE char *shown = path_clean(source), *path = path_beneath(source);
        if (strcmp(path, ".") == 0 ? !ignore_all(ignore) : !ignore_match(ignore, str_of(path)))
            continue;
        buf_addf(&text, "%s file ", in->kind == INSTR_ADD ? "Add" : "Copy");
        text_quote(&text, str_of(shown));
        add(w, in, LINT_COPY_IGNORED_FILE, "Attempting to ", buf_cstr(&text),
            " that is excluded by .dockerignore");
    }
}

static void check_unset(struct walker *w, struct walk *walk, size_t from)
{
    for (size_t i = from; i < walk->rehearsed.state.unset_count && !walk->rehearsed.unknown; i++) {
        const struct unset_name *unset = &walk->rehearsed.state.unset[i];
        SCOPED(buf_release) struct buf text = {0};

        if (strcmp(unset->name, "BUILDKIT_SBOM_SCAN_CONTEXT") == 0 ||
            strcmp(unset->name, "BUILDKIT_SBOM_SCAN_STAGE") == 0)
            continue;
        buf_addf(&text, "'$%s'", unset->name);
        if (*unset->near)
            buf_addf(&text, " (did you mean $%s?)", unset->near);
        add(w, unset->in, LINT_UNDEFINED_VAR, "Usage of undefined variable ", buf_cstr(&text), "");
    }
}

static int apply_run(struct walk *walk, const struct instruction *in, struct err *err)
{
    SCOPED(run_spec_release) struct run_spec run = {0};

    if (rehearse_mounts(&walk->rehearsed, in, NULL, NULL, err) < 0)
        return -1;
    return state_run(&walk->rehearsed.state, in, &run, err);
}

/* The instruction takes effect on config and environment, as far as it has one without files. */
static int apply(struct walker *w, struct walk *walk, const struct instruction *in, struct err *err)
{
    SCOPED(copy_spec_release) struct copy_spec copy = {0};

    if (in->kind == INSTR_RUN)
        return apply_run(walk, in, err);
    if (in->kind != INSTR_COPY && in->kind != INSTR_ADD)
        return state_apply(&walk->rehearsed.state, in, NULL, err);
    if (state_copy(&walk->rehearsed.state, in, &copy, err) < 0)
        return -1;
    check_sources(w, in, &copy);
    return 0;
}

static int walk_instruction(struct walker *w, struct walk *walk, const struct instruction *in,
                            struct err *err)
{
    SCOPED(strv_release) struct strv before = {0};
    size_t unset = walk->rehearsed.state.unset_count;
    bool reads_before = in->kind == INSTR_ENV || in->kind == INSTR_ARG || in->kind == INSTR_WORKDIR;

    if (reads_before)
        strv_copy(&before, &walk->rehearsed.state.env);
    int failed = apply(w, walk, in, err);
    check_unset(w, walk, unset);
    if (failed < 0)
        return -1;
    switch (in->kind) {
    case INSTR_ENV:
    case INSTR_ARG:
    case INSTR_LABEL:
        check_pairs(w, in, &before);
        break;
    case INSTR_CMD:
    case INSTR_ENTRYPOINT:
        check_command(w, walk, in);
        break;
    case INSTR_HEALTHCHECK:
        check_once(w, &walk->healthcheck, in);
        break;
    case INSTR_WORKDIR:
        check_workdir(w, walk, in, &before);
        break;
    case INSTR_EXPOSE:
        check_ports(w, walk, in);
        break;
    default:
        break;
    }
    return 0;
}

static void check_base_platform(struct walker *w, const struct stage *stage, const json_t *config)
{
    char want[PLATFORM_TEXT_SIZE], have[PLATFORM_TEXT_SIZE];
    SCOPED(buf_release) struct buf quoted = {0};
    struct platform is;
    struct err ignored;

    if (config_platform(config, &is, &ignored) < 0 ||
        (strcmp(is.os, stage->platform.os) == 0 && strcmp(is.arch, stage->platform.arch) == 0))
        return;
    text_quote(&quoted, str_of(platform_format(&is, have)));
    buf_adds(&quoted, ", expected ");
    text_quote(&quoted, str_of(platform_format(&stage->platform, want)));
    lint_add(w->lint, doc_of(w), stage->from, LINT_INVALID_BASE_IMAGE_PLATFORM,
             stage->from->first_line, stage->from->last_line,
             "Base image %s was pulled with platform %s for current build", stage->base.image,
             buf_cstr(&quoted));
}

static int walk_stage(struct walker *w, struct stage *stage, struct span *failed, struct err *err)
{
    bool is_child = stage->base.kind == SOURCE_STAGE;
    struct walk *walk = &w->walks[stage->index];
    const struct walk *base = is_child ? &w->walks[stage->base.stage] : walk;

    w->stage = stage;
    *failed = (struct span){stage->from->first_line, stage->from->last_line};
    if (rehearse_begin(&w->input->stages, stage, &base->rehearsed, &walk->rehearsed, err) < 0)
        return -1;
    walk->workdir_set = is_child && base->workdir_set;
    if (walk->rehearsed.base)
        check_base_platform(w, stage, walk->rehearsed.base);
    for (size_t i = 0; i < stage->count; i++) {
        const struct instruction *in = stage->body[i], *place = here(w, in);

        *failed = (struct span){place->first_line, place->last_line};
        if (walk_instruction(w, walk, in, err) < 0)
            return -1;
    }
    return 0;
}

int lint_stages(struct lint *lint, const struct lint_input *input, struct span *failed,
                struct err *err)
{
    struct graph *graph = input->stages.graph;
    struct walker w = {.lint = lint, .input = input};
    int result = 0;

    w.walks = xcalloc(graph->count, sizeof(*w.walks));
    for (size_t i = 0; i < graph->count && result == 0; i++) {
        if (input->all_stages || graph->stages[i].needed)
            result = walk_stage(&w, &graph->stages[i], failed, err);
    }
    for (size_t i = 0; i < graph->count; i++)
        rehearsed_release(&w.walks[i].rehearsed);
    free(w.walks);
    if (result == 0)
        *failed = (struct span){0};
    return result;
}
