/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/graph.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/scope.h"
#include "builder/copy_words.h"
#include "builder/expand.h"
#include "builder/graph_limits.h"
#include "builder/mount.h"
#include "builder/run_flags.h"
#include "registry/reference.h"

static int wrong(struct dockerfile *doc, const struct instruction *in, struct err *err)
{
    doc->failed = (struct span){in->first_line, in->last_line};
    return dockerfile_wrap(doc, in->first_line, err);
}

bool graph_is_proxy(struct str name)
{
    static const char *const names[] = {"http_proxy", "https_proxy", "ftp_proxy", "no_proxy",
                                        "all_proxy"};

    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (str_is_nocase(name, names[i]))
            return true;
    return false;
}

/* Build args that speak to the builder, not to the Dockerfile. */
static bool is_control(const char *name)
{
    return strncmp(name, "BUILDKIT_", 9) == 0 || strcmp(name, "SOURCE_DATE_EPOCH") == 0;
}

static void set_global(struct graph *g, const char *name, const char *value)
{
    const char *given = env_get(&g->build_args, name);

    env_set(&g->globals, name, given ? given : value);
}

static void set_platform_args(struct graph *g, const struct graph_options *o, const char *target)
{
    static const char *const prefixes[] = {"BUILD", "TARGET"};
    const struct platform *platforms[] = {&o->build, &o->wanted};

    for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++) {
        const struct platform *p = platforms[i];
        char text[PLATFORM_TEXT_SIZE];
        const struct {
            const char *name, *value;
        } parts[] = {{"PLATFORM", platform_format(p, text)},
                     {"OS", p->os},
                     {"OSVERSION", p->os_version},
                     {"ARCH", p->arch},
                     {"VARIANT", p->variant}};

        for (size_t k = 0; k < ARRAY_SIZE(parts); k++) {
            AUTO_FREE char *name = xasprintf("%s%s", prefixes[i], parts[k].name);

            set_global(g, name, parts[k].value);
        }
    }
    set_global(g, "TARGETSTAGE", target && *target ? target : "default");
}

/* ARGs before the first FROM: build arg, else default, which may use those before it. */
static int set_global_args(struct graph *g, struct dockerfile *doc, size_t first_from,
                           struct err *err)
{
    struct expand x = {.lookup = expand_from_env, .arg = &g->globals, .escape = doc->escape};

    for (size_t i = 0; i < first_from; i++) {
        const struct instruction *in = &doc->instructions[i];

        for (size_t k = 0; k < in->pairs_count; k++) {
            SCOPED(buf_release) struct buf value = {0};
            const struct pair *pair = &in->pairs[k];
            const char *given = env_get(&g->build_args, pair->name);

            if (given)
                env_set(&g->globals, pair->name, given);
            if (given || !pair->value)
                continue;
            if (expand_word(&x, str_of(pair->value), &value, err) < 0)
                return wrong(doc, in, err);
            env_set(&g->globals, pair->name, buf_cstr(&value));
        }
    }
    return 0;
}

/* "VERSON is not set; did you mean VERSION?" */
static void add_unset_hint(const struct graph *g, const char *name, struct buf *out)
{
    struct str near = expand_nearest(&g->globals, str_of(name));

    buf_addf(out, "%s is not set", name);
    if (near.size)
        buf_addf(out, "; did you mean " STR_FMT "?", STR_ARG(near));
    else
        buf_adds(out, " (FROM sees only ARGs before the first FROM)");
}

/* A word of FROM, with the global ARGs; must come to something. */
static int expand_from(struct graph *g, struct dockerfile *doc, const struct instruction *in,
                       const char *what, const char *text, struct buf *out, struct err *err)
{
    SCOPED(strv_release) struct strv unset = {0};
    SCOPED(buf_release) struct buf hint = {0}, shown = {0};
    struct expand x = {
        .lookup = expand_from_env, .arg = &g->globals, .escape = doc->escape, .unset = &unset};

    if (expand_word(&x, str_of(text), out, err) < 0)
        return wrong(doc, in, err);
    if (unset.count)
        add_unset_hint(g, unset.ptr[0], &hint);
    if (out->size == 0) {
        buf_add_escaped(&shown, str_of(text));
        err_set(err, ERR_INPUT, 0, "%s %s of FROM comes to nothing%s%s", what, buf_cstr(&shown),
                unset.count ? ": " : "", buf_cstr(&hint));
        return wrong(doc, in, err);
    }
    return 0;
}

/* The last stage of that name before `before`; or -1. */
static ssize_t find_stage(const struct graph *g, const char *name, size_t before)
{
    for (size_t i = before; i-- > 0;)
        if (g->stages[i].name && strcasecmp(g->stages[i].name, name) == 0)
            return (ssize_t)i;
    return -1;
}

static int set_base(struct graph *g, struct dockerfile *doc, struct stage *s, struct err *err)
{
    SCOPED(buf_release) struct buf image = {0};
    SCOPED(reference_release) struct reference ref = {0};

    /* A context of the stage's own name takes its place, instructions and all. */
    s->base.line = s->from->words[0].line;
    if (s->name && graph_named(g, s->name, &s->base)) {
        s->end = s->first;
        return 0;
    }
    if (expand_from(g, doc, s->from, "image", s->from->words[0].text, &image, err) < 0)
        return -1;
    if (graph_named(g, buf_cstr(&image), &s->base))
        return 0;
    ssize_t stage = find_stage(g, buf_cstr(&image), s->index);
    if (stage >= 0) {
        s->base.kind = SOURCE_STAGE;
        s->base.stage = (size_t)stage;
        return 0;
    }
    s->base.kind = strcmp(buf_cstr(&image), "scratch") == 0 ? SOURCE_SCRATCH : SOURCE_IMAGE;
    if (s->base.kind == SOURCE_IMAGE && reference_parse(buf_cstr(&image), &ref, err) < 0) {
        err->kind = ERR_INPUT;
        return wrong(doc, s->from, err);
    }
    if (s->base.kind == SOURCE_IMAGE)
        s->base.image = buf_steal(&image);
    return 0;
}

static int set_platform(struct graph *g, struct dockerfile *doc, const struct graph_options *o,
                        struct stage *s, struct err *err)
{
    SCOPED(buf_release) struct buf text = {0};
    const char *given = instr_flag(s->from, "platform");
    bool from_stage = s->base.kind == SOURCE_STAGE;

    s->platform = from_stage ? g->stages[s->base.stage].platform : o->wanted;
    s->platform_set = from_stage && g->stages[s->base.stage].platform_set;
    if (!given)
        return 0;
    struct platform asked;
    if (expand_from(g, doc, s->from, "--platform", given, &text, err) < 0)
        return -1;
    if (platform_parse(buf_cstr(&text), &asked, err) < 0) {
        err->kind = ERR_INPUT;
        return wrong(doc, s->from, err);
    }
    if (!from_stage) {
        s->platform = asked;
        s->platform_set = true;
    } else if (!platform_eq(&asked, &s->platform)) {
        char label[32];

        strv_addf(&doc->warnings,
                  "%s:%u: --platform has no effect here: the platform is that of %s", doc->name,
                  s->from->first_line, graph_stage_label(&g->stages[s->base.stage], label));
    }
    return 0;
}

static void add_need(struct stage *s, size_t stage)
{
    for (size_t i = 0; i < s->needs_count; i++)
        if (s->needs[i] == stage)
            return;
    s->needs = xreallocarray(s->needs, s->needs_count + 1, sizeof(*s->needs));
    s->needs[s->needs_count++] = stage;
}

/* A stage that --from may not name from here: itself, or a later one. */
static int refuse_later(const struct graph *g, const struct stage *s, const char *what,
                        size_t stage, struct err *err)
{
    char label[32];

    if (stage == s->index)
        return err_set(err, ERR_INPUT, 0, "%s names the stage it stands in", what);
    return err_set(err, ERR_INPUT, 0, "%s names %s, which begins later, on line %u", what,
                   graph_stage_label(&g->stages[stage], label), g->stages[stage].from->first_line);
}

/* COPY --from, and from= of RUN --mount (what): stage name, stage index or image. Variables are not
 * looked up here. */
static int set_source(const struct graph *g, const struct stage *s, const char *from,
                      const char *what, struct stage_source *source, struct err *err)
{
    SCOPED(reference_release) struct reference ref = {0};
    uint64_t index;

    if (strchr(from, '$'))
        return err_set(err, ERR_INPUT, 0,
                       "variables do not work in --from; write FROM with the variable, AS a name, "
                       "and copy from that");
    if (graph_named(g, from, source))
        return source->kind != SOURCE_SCRATCH
                   ? 0
                   : err_set(err, ERR_INPUT, 0, "%s=%s: there is nothing in scratch", what, from);
    ssize_t stage = find_stage(g, from, s->index);
    if (stage < 0 && str_u64(str_of(from), &index)) {
        if (index >= g->count)
            return err_set(err, ERR_INPUT, 0, "%s=%s: there is no such stage; the last is %zu",
                           what, from, g->count - 1);
        stage = (ssize_t)index;
    } else if (stage < 0) {
        stage = find_stage(g, from, g->count);
    }
    if (stage >= (ssize_t)s->index)
        return refuse_later(g, s, what, (size_t)stage, err);
    if (stage >= 0) {
        source->kind = SOURCE_STAGE;
        source->stage = (size_t)stage;
        return 0;
    }
    if (strcmp(from, "scratch") == 0)
        return err_set(err, ERR_INPUT, 0, "%s=scratch: there is nothing in scratch", what);
    if (reference_parse(from, &ref, err) < 0) {
        err->kind = ERR_INPUT;
        return -1;
    }
    source->kind = SOURCE_IMAGE;
    source->image = xstrdup(from);
    return 0;
}

/* The stages and images that RUN mounts from. What is wrong with a mount otherwise is told only
 * when its stage is needed. */
static int set_mount_sources(struct graph *g, struct stage *s, const struct instruction *in,
                             struct err *err)
{
    for (size_t i = 0; i < in->flags_count; i++) {
        SCOPED(mount_release) struct mount mount = {0};
        struct mount_source *m;
        struct err later = {0};

        if (strcmp(in->flags[i].name, "mount") != 0 ||
            mount_parse(str_of(in->flags[i].value), NULL, NULL, &mount, &later) < 0 || !mount.from)
            continue;
        VEC_GROW(s->mounts, s->mounts_count, s->mounts_capacity);
        m = &s->mounts[s->mounts_count];
        *m = (struct mount_source){.in = in, .flag = i, .source.line = in->flags[i].line};
        if (set_source(g, s, mount.from, "RUN --mount: from", &m->source, err) < 0)
            return -1;
        s->mounts_count++;
        if (m->source.kind == SOURCE_STAGE)
            add_need(s, m->source.stage);
    }
    return 0;
}

/* Where one instruction reads, judged from the place of its stage. */
static int set_step_source(struct graph *g, struct stage *s, const struct instruction *in,
                           struct stage_source *source, struct err *err)
{
    const char *from = in->kind == INSTR_COPY ? instr_flag(in, "from") : NULL;

    source->line = in->first_line;
    if (in->kind == INSTR_RUN)
        return set_mount_sources(g, s, in, err);
    if (!from || set_source(g, s, from, "COPY --from", source, err) < 0)
        return from ? -1 : 0;
    if (source->kind == SOURCE_STAGE)
        add_need(s, source->stage);
    return 0;
}

static int set_body(struct graph *g, struct dockerfile *doc, struct stage *s, struct err *err)
{
    s->count = s->end - s->first;
    s->body = xcalloc(s->count + 1, sizeof(const struct instruction *));
    s->sources = xcalloc(s->count + 1, sizeof(*s->sources));
    if (s->base.kind == SOURCE_STAGE)
        add_need(s, s->base.stage);
    for (size_t i = 0; i < s->count; i++) {
        s->body[i] = &doc->instructions[s->first + i];
        if (set_step_source(g, s, s->body[i], &s->sources[i], err) < 0)
            return wrong(doc, s->body[i], err);
    }
    return 0;
}

static int compare_sizes(const void *a, const void *b)
{
    size_t x = *(const size_t *)a, y = *(const size_t *)b;

    return (x > y) - (x < y);
}

static void find_stages(struct graph *g, const struct dockerfile *doc)
{
    size_t capacity = 0;

    for (size_t i = 0; i < doc->count; i++) {
        const struct instruction *in = &doc->instructions[i];

        if (in->kind == INSTR_FROM) {
            VEC_GROW(g->stages, g->count, capacity);
            g->stages[g->count] = (struct stage){.index = g->count,
                                                 .name = in->stage_name,
                                                 .from = in,
                                                 .first = i + 1,
                                                 .end = i + 1};
            g->count++;
        } else if (g->count) {
            g->stages[g->count - 1].end = i + 1;
        }
    }
}

static int find_target(struct graph *g, const struct dockerfile *doc, const char *target,
                       struct err *err)
{
    SCOPED(buf_release) struct buf shown = {0};
    unsigned best = 3;
    const char *near = NULL;
    uint64_t index;

    g->target = g->count - 1;
    if (!target || !*target)
        return 0;
    ssize_t stage = find_stage(g, target, g->count);
    if (stage < 0 && str_u64(str_of(target), &index) && index < g->count)
        stage = (ssize_t)index;
    if (stage >= 0) {
        g->target = (size_t)stage;
        return 0;
    }
    for (size_t i = 0; i < g->count; i++) {
        unsigned distance =
            g->stages[i].name ? str_distance(str_of(target), str_of(g->stages[i].name)) : best;

        if (distance < best) {
            best = distance;
            near = g->stages[i].name;
        }
    }
    buf_add_escaped(&shown, str_of(target));
    err_set(err, ERR_USAGE, 0, "%s has no stage \"%s\"", doc->name, buf_cstr(&shown));
    return near ? err_add(err, "; did you mean \"%s\"?", near) : -1;
}

/* All that a stage needs stands before it, so one pass from the target backwards is enough. */
static void find_needed(struct graph *g)
{
    g->stages[g->target].needed = true;
    for (size_t i = g->target + 1; i-- > 0;) {
        struct stage *s = &g->stages[i];

        if (s->needs_count > 1)
            qsort(s->needs, s->needs_count, sizeof(*s->needs), compare_sizes);
        for (size_t k = 0; s->needed && k < s->needs_count; k++)
            g->stages[s->needs[k]].needed = true;
    }
    g->order = xcalloc(g->count, sizeof(*g->order));
    for (size_t i = 0; i < g->count; i++)
        if (g->stages[i].needed)
            g->order[g->order_count++] = i;
}

/* What we do not carry out is refused before anything is built. */
static int check_instruction(struct dockerfile *doc, const struct instruction *in, struct err *err)
{
    unsigned line = in->first_line;

    if (instr_check_flags(in, &line, err) < 0) {
        wrong(doc, in, err);
        return -1;
    }
    if (in->kind == INSTR_RUN) {
        SCOPED(run_flags_release) struct run_flags flags = {0};

        return run_flags_parse(in, &flags, NULL, err) < 0 ? wrong(doc, in, err) : 0;
    }
    if (in->kind != INSTR_ADD && in->kind != INSTR_COPY)
        return 0;
    if (copy_words_check(in, err) < 0)
        return wrong(doc, in, err);
    for (size_t i = 0; i + 1 < in->words_count; i++)
        if (instr_check_source(in, str_of(in->words[i].text), err) < 0)
            return wrong(doc, in, err);
    return 0;
}

static int check_needed(const struct graph *g, struct dockerfile *doc, struct err *err)
{
    for (size_t i = 0; i < g->order_count; i++) {
        const struct stage *s = &g->stages[g->order[i]];

        for (size_t k = s->first; k < s->end; k++)
            if (check_instruction(doc, &doc->instructions[k], err) < 0)
                return -1;
    }
    return 0;
}

/* Build args that no ARG takes. */
static void find_unused(struct graph *g, const struct dockerfile *doc)
{
    SCOPED(strv_release) struct strv declared = {0};

    for (size_t i = 0; i < doc->count; i++)
        for (size_t k = 0;
             doc->instructions[i].kind == INSTR_ARG && k < doc->instructions[i].pairs_count; k++)
            env_set(&declared, doc->instructions[i].pairs[k].name, "");
    for (size_t i = 0; i < g->build_args.count; i++) {
        AUTO_FREE char *name = xstrndup(g->build_args.ptr[i], strcspn(g->build_args.ptr[i], "="));

        if (!env_get(&declared, name) && !graph_is_proxy(str_of(name)) && !is_control(name) &&
            !env_get(&g->globals, name))
            strv_add(&g->unused, name);
    }
}

int graph_make(struct dockerfile *doc, const struct graph_options *options, struct graph *graph,
               struct err *err)
{
    *graph = (struct graph){.doc = doc, .contexts = options->contexts};
    for (size_t i = 0; options->build_args && i < options->build_args->count; i++) {
        struct str name, value;

        if (!str_cut(str_of(options->build_args->ptr[i]), '=', &name, &value))
            continue;
        AUTO_FREE char *key = str_dup(name);
        env_set(&graph->build_args, key, value.ptr);
    }
    const char *syntax = env_get(&graph->build_args, "BUILDKIT_SYNTAX");
    if (syntax && dockerfile_check_syntax(str_of(syntax), err) < 0)
        return err_wrap(err, "build argument BUILDKIT_SYNTAX");
    find_stages(graph, doc);
    if (graph_check_count(graph, doc, err) < 0 || find_target(graph, doc, options->target, err) < 0)
        return -1;
    set_platform_args(graph, options,
                      options->target && *options->target ? options->target
                                                          : graph->stages[graph->target].name);
    if (set_global_args(graph, doc, graph->stages[0].first - 1, err) < 0)
        return -1;
    for (size_t i = 0; i < graph->count; i++) {
        struct stage *s = &graph->stages[i];

        if (set_base(graph, doc, s, err) < 0 || set_platform(graph, doc, options, s, err) < 0 ||
            set_body(graph, doc, s, err) < 0)
            return -1;
    }
    if (graph_check_inherited(graph, doc, err) < 0)
        return -1;
    find_needed(graph);
    find_unused(graph, doc);
    return check_needed(graph, doc, err);
}

static int fire(struct graph *g, struct stage *s, struct dockerfile *doc, struct err *err)
{
    size_t count = doc->count + s->count;
    const struct instruction **body = xcalloc(count + 1, sizeof(const struct instruction *));
    struct stage_source *sources = xcalloc(count + 1, sizeof(*sources));
    int rc = 0;

    for (size_t i = 0; i < doc->count && rc == 0; i++) {
        unsigned line = doc->instructions[i].first_line;

        body[i] = &doc->instructions[i];
        rc = instr_check_flags(body[i], &line, err);
        if (rc == 0)
            rc = set_step_source(g, s, body[i], &sources[i], err);
        if (rc < 0)
            dockerfile_wrap(doc, line, err);
    }
    if (s->count) {
        memcpy(body + doc->count, s->body, s->count * sizeof(*body));
        memcpy(sources + doc->count, s->sources, s->count * sizeof(*sources));
    }
    free(s->body);
    free(s->sources);
    s->body = body;
    s->sources = sources;
    s->count = count;
    return rc;
}

int graph_fire(struct graph *graph, struct stage *stage, const struct strv *triggers,
               struct err *err)
{
    SCOPED(buf_release) struct buf text = {0}, name = {0};
    char label[32];

    BUG_ON(stage->triggers);
    for (size_t i = 0; i < triggers->count; i++) {
        buf_adds(&text, triggers->ptr[i]);
        buf_addc(&text, '\n');
    }
    if (stage->base.kind == SOURCE_STAGE)
        buf_adds(&name, graph_stage_label(&graph->stages[stage->base.stage], label));
    else
        buf_add_escaped(&name, str_of(stage->base.image));
    buf_adds(&name, "'s ONBUILD");
    stage->triggers = xcalloc(1, sizeof(*stage->triggers));
    if (dockerfile_parse_triggers(buf_str(&text), buf_cstr(&name), stage->triggers, err) < 0)
        return -1;
    return fire(graph, stage, stage->triggers, err);
}

static void stage_release(struct stage *s)
{
    free(s->base.image);
    for (size_t i = 0; s->sources && i < s->count; i++)
        free(s->sources[i].image);
    free(s->sources);
    free(s->body);
    for (size_t i = 0; i < s->mounts_count; i++)
        free(s->mounts[i].source.image);
    free(s->mounts);
    free(s->needs);
    if (s->triggers)
        dockerfile_release(s->triggers);
    free(s->triggers);
}

void graph_release(struct graph *graph)
{
    for (size_t i = 0; i < graph->count; i++)
        stage_release(&graph->stages[i]);
    free(graph->stages);
    free(graph->order);
    strv_release(&graph->globals);
    strv_release(&graph->build_args);
    strv_release(&graph->unused);
    *graph = (struct graph){0};
}
