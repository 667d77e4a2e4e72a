/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/outline.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/scope.h"
#include "builder/expand.h"
#include "builder/mount.h"
#include "builder/state.h"

/* What one stage asks for, before it is known whether another stage told it already. */
struct stage_view {
    struct rehearsed rehearsed;
    struct outline own; /* args, secrets and ssh of the stage itself */
    struct strv used;   /* names of global ARGs that it or its FROM uses */
    bool visited;
};

static void view_release(struct stage_view *v)
{
    rehearsed_release(&v->rehearsed);
    outline_release(&v->own);
    strv_release(&v->used);
}

static void add_name(struct strv *names, const char *name)
{
    if (!strv_has(names, name))
        strv_add(names, name);
}

static bool has_arg(const struct outline *o, const char *name)
{
    for (size_t i = 0; i < o->args_count; i++)
        if (strcmp(o->args[i].name, name) == 0)
            return true;
    return false;
}

static void add_arg(struct outline *o, const char *name, const char *value, struct str description,
                    const struct instruction *in)
{
    VEC_GROW(o->args, o->args_count, o->args_capacity);
    o->args[o->args_count++] =
        (struct outline_arg){xstrdup(name), xstrdup(value ? value : ""), description, in};
}

static void drop_arg(struct outline *o, const char *name)
{
    for (size_t i = 0; i < o->args_count; i++)
        if (strcmp(o->args[i].name, name) == 0) {
            free(o->args[i].name);
            free(o->args[i].value);
            o->args[i] = o->args[--o->args_count];
            return;
        }
}

static bool has_need(const struct outline_need *needs, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(needs[i].name, name) == 0)
            return true;
    return false;
}

static void add_need(struct outline *o, bool is_ssh, const char *name, bool required,
                     const struct instruction *in)
{
    struct outline_need need = {NULL, required, in};

    if (has_need(is_ssh ? o->ssh : o->secrets, is_ssh ? o->ssh_count : o->secrets_count, name))
        return;
    need.name = xstrdup(name);
    if (is_ssh) {
        VEC_GROW(o->ssh, o->ssh_count, o->ssh_capacity);
        o->ssh[o->ssh_count++] = need;
    } else {
        VEC_GROW(o->secrets, o->secrets_count, o->secrets_capacity);
        o->secrets[o->secrets_count++] = need;
    }
}

/* --- one stage --- */

/* Where it stands in the file: a trigger of the base stands where its FROM is. */
static const struct instruction *here(const struct stage_view *v, const struct instruction *in)
{
    return in->doc == v->rehearsed.state.graph->doc ? in : v->rehearsed.state.stage->from;
}

/* ARG: with a value of its own it is this stage's; without one it is the global of that name. */
static void take_args(struct stage_view *v, const struct instruction *in)
{
    const struct graph *g = v->rehearsed.state.graph;
    const struct instruction *place = here(v, in);

    for (size_t i = 0; i < in->pairs_count; i++) {
        const struct pair *pair = &in->pairs[i];

        if (!pair->value && !env_get(&g->build_args, pair->name) &&
            env_get(&g->globals, pair->name)) {
            add_name(&v->used, pair->name);
            continue;
        }
        drop_arg(&v->own, pair->name);
        add_arg(&v->own, pair->name, env_get(&v->rehearsed.state.env, pair->name),
                dockerfile_description(in->doc, in, pair->name), place);
    }
}

static void take_mount(void *arg, const struct mount *mount, const struct instruction *in)
{
    struct stage_view *v = arg;

    if (mount->type == MOUNT_SECRET || mount->type == MOUNT_SSH)
        add_need(&v->own, mount->type == MOUNT_SSH, mount->id, mount->required, here(v, in));
}

static int take_instruction(struct stage_view *v, const struct instruction *in, struct err *err)
{
    switch (in->kind) {
    case INSTR_RUN:
        return rehearse_mounts(&v->rehearsed, in, take_mount, v, err);
    case INSTR_COPY:
    case INSTR_ADD:
        return 0;
    default:
        if (state_apply(&v->rehearsed.state, in, NULL, err) < 0)
            return -1;
        if (in->kind == INSTR_ARG)
            take_args(v, in);
        return 0;
    }
}

/* The ARGs that go into a word: of FROM, or of another global ARG's default. */
static void take_used(const struct graph *g, const char *word, struct strv *used)
{
    SCOPED(strv_release) struct strv names = {0};
    SCOPED(buf_release) struct buf ignored_text = {0};
    struct expand x = {
        .lookup = expand_from_env, .arg = &g->globals, .escape = g->doc->escape, .used = &names};
    struct err ignored;

    if (!word || expand_word(&x, str_of(word), &ignored_text, &ignored) < 0)
        return;
    for (size_t i = 0; i < names.count; i++)
        add_name(used, names.ptr[i]);
}

static int view_stage(struct stage_view *views, struct stage *stage,
                      const struct rehearsal *rehearsal, struct span *failed, struct err *err)
{
    struct stage_view *v = &views[stage->index];
    const struct rehearsed *base =
        stage->base.kind == SOURCE_STAGE ? &views[stage->base.stage].rehearsed : NULL;

    take_used(rehearsal->graph, stage->from->words[0].text, &v->used);
    take_used(rehearsal->graph, instr_flag(stage->from, "platform"), &v->used);
    *failed = (struct span){stage->from->first_line, stage->from->last_line};
    if (rehearse_begin(rehearsal, stage, base, &v->rehearsed, err) < 0)
        return -1;
    for (size_t i = 0; i < stage->count; i++) {
        const struct instruction *in = stage->body[i];

        if (in->doc == rehearsal->graph->doc)
            *failed = (struct span){in->first_line, in->last_line};
        if (take_instruction(v, in, err) < 0)
            return -1;
    }
    *failed = (struct span){0};
    return 0;
}

/* --- all of them --- */

/* A global ARG that is used, and those that its default uses. */
static void add_global(struct outline *o, const char *name)
{
    const struct graph *g = o->graph;

    for (size_t i = 0; i < g->doc->count && g->doc->instructions[i].kind != INSTR_FROM; i++) {
        const struct instruction *in = &g->doc->instructions[i];

        for (size_t k = 0; k < in->pairs_count; k++) {
            SCOPED(strv_release) struct strv used = {0};

            if (strcmp(in->pairs[k].name, name) != 0 || has_arg(o, name))
                continue;
            add_arg(o, name, env_get(&g->globals, name), dockerfile_description(g->doc, in, name),
                    in);
            if (!env_get(&g->build_args, name))
                take_used(g, in->pairs[k].value, &used);
            for (size_t n = 0; n < used.count; n++)
                add_global(o, used.ptr[n]);
        }
    }
}

/* The stage's own first: what it says of an ARG hides what those it needs say. */
static void visit(struct outline *o, struct stage_view *views, const struct stage *stage)
{
    struct stage_view *v = &views[stage->index];

    if (v->visited)
        return;
    v->visited = true;
    for (size_t i = 0; i < v->own.args_count; i++) {
        const struct outline_arg *arg = &v->own.args[i];

        if (!has_arg(o, arg->name))
            add_arg(o, arg->name, arg->value, arg->description, arg->in);
    }
    for (size_t i = 0; i < v->used.count; i++)
        add_global(o, v->used.ptr[i]);
    for (size_t i = 0; i < v->own.secrets_count; i++)
        add_need(o, false, v->own.secrets[i].name, v->own.secrets[i].required,
                 v->own.secrets[i].in);
    for (size_t i = 0; i < v->own.ssh_count; i++)
        add_need(o, true, v->own.ssh[i].name, v->own.ssh[i].required, v->own.ssh[i].in);
    if (stage->base.kind == SOURCE_STAGE)
        visit(o, views, &o->graph->stages[stage->base.stage]);
    for (size_t i = 0; i < stage->needs_count; i++)
        visit(o, views, &o->graph->stages[stage->needs[i]]);
}

static int by_line(const struct instruction *a, const struct instruction *b)
{
    return (a->first_line > b->first_line) - (a->first_line < b->first_line);
}

static int by_arg(const void *a, const void *b)
{
    const struct outline_arg *x = a, *y = b;
    int order = by_line(x->in, y->in);

    /* ARG a b: the order of the words. */
    for (size_t i = 0; order == 0 && i < x->in->pairs_count; i++)
        order = (strcmp(y->name, x->in->pairs[i].name) == 0) -
                (strcmp(x->name, x->in->pairs[i].name) == 0);
    return order;
}

static int by_need(const void *a, const void *b)
{
    const struct outline_need *x = a, *y = b;
    int order = by_line(x->in, y->in);

    return order ? order : strcmp(x->name, y->name);
}

int outline_make(struct outline *outline, const struct rehearsal *rehearsal, struct span *failed,
                 struct err *err)
{
    struct graph *g = rehearsal->graph;
    struct stage_view *views = xcalloc(g->count, sizeof(*views));
    int result = 0;

    *outline = (struct outline){.graph = g};
    for (size_t i = 0; i < g->order_count && result == 0; i++)
        result = view_stage(views, &g->stages[g->order[i]], rehearsal, failed, err);
    if (result == 0) {
        visit(outline, views, &g->stages[g->target]);
        if (outline->args_count)
            qsort(outline->args, outline->args_count, sizeof(*outline->args), by_arg);
        if (outline->secrets_count)
            qsort(outline->secrets, outline->secrets_count, sizeof(*outline->secrets), by_need);
        if (outline->ssh_count)
            qsort(outline->ssh, outline->ssh_count, sizeof(*outline->ssh), by_need);
    }
    for (size_t i = 0; i < g->count; i++)
        view_release(&views[i]);
    free(views);
    return result;
}

void outline_release(struct outline *outline)
{
    for (size_t i = 0; i < outline->args_count; i++) {
        free(outline->args[i].name);
        free(outline->args[i].value);
    }
    for (size_t i = 0; i < outline->secrets_count; i++)
        free(outline->secrets[i].name);
    for (size_t i = 0; i < outline->ssh_count; i++)
        free(outline->ssh[i].name);
    free(outline->args);
    free(outline->secrets);
    free(outline->ssh);
    *outline = (struct outline){0};
}
