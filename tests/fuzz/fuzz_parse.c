/* SPDX-License-Identifier: Apache-2.0 */
/* A Dockerfile through all of the language: parse, excerpt, graph, and the state of every stage
 * from scratch. */
#include <stdint.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/scope.h"
#include "builder/parse.h"
#include "builder/state.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_err(const struct err *err)
{
    if (!err->text[0])
        abort();
}

static int apply(struct state *s, const struct instruction *in, struct err *err)
{
    SCOPED(run_spec_release) struct run_spec run = {0};
    SCOPED(copy_spec_release) struct copy_spec copy = {0};

    if (in->kind == INSTR_RUN) {
        if (state_run(s, in, &run, err) < 0)
            return -1;
        if (run.argv.count == 0)
            abort();
        state_commit(s, run.created_by, NULL, NULL);
        return 0;
    }
    if (in->kind == INSTR_COPY || in->kind == INSTR_ADD) {
        if (state_copy(s, in, &copy, err) < 0)
            return -1;
        if (copy.dest[0] != '/' || copy.sources.count + copy.files_count == 0)
            abort();
        return 0;
    }
    return state_apply(s, in, NULL, err);
}

static void build(const struct dockerfile *doc, const struct graph *g, struct state *states)
{
    for (size_t i = 0; i < g->order_count; i++) {
        const struct stage *stage = &g->stages[g->order[i]];
        struct state *s = &states[stage->index];
        struct err err = {0};

        if (stage->base.kind == SOURCE_STAGE && !states[stage->base.stage].config)
            continue;
        if (stage->base.kind == SOURCE_STAGE)
            state_inherit(s, g, stage, &states[stage->base.stage]);
        else
            state_begin(s, g, stage, NULL);
        for (size_t k = stage->first; k < stage->end; k++) {
            if (apply(s, &doc->instructions[k], &err) < 0) {
                check_err(&err);
                state_release(s);
                break;
            }
            if (s->workdir[0] != '/')
                abort();
        }
    }
}

/* Places are in the file, in order; what points into the source does. */
static void check_places(const struct dockerfile *doc)
{
    const char *from = buf_cstr(&doc->source), *to = from + doc->source.size;
    unsigned line = 0;

    for (size_t i = 0; i < doc->comments_count; i++)
        if (doc->comments[i].line == 0 || doc->comments[i].text.ptr < from ||
            doc->comments[i].text.ptr + doc->comments[i].text.size > to ||
            (i && doc->comments[i].line <= doc->comments[i - 1].line))
            abort();
    for (size_t i = 0; i < doc->directives_count; i++)
        if (dockerfile_directive(doc, doc->directives[i].name).size == 0)
            abort();
    for (size_t i = 0; i < doc->count; i++) {
        const struct instruction *in = &doc->instructions[i];

        if (in->first_line <= line || in->last_line < in->first_line ||
            in->comments_first > in->comments_end || in->comments_end > doc->comments_count ||
            dockerfile_comments_above(doc, in) < in->comments_first || !*in->written)
            abort();
        if (in->comments_end > in->comments_first &&
            doc->comments[in->comments_end - 1].line >= in->first_line)
            abort();
        for (size_t k = 0; k < in->pairs_count; k++)
            dockerfile_description(doc, in, in->pairs[k].name);
        line = in->last_line;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    SCOPED(dockerfile_release) struct dockerfile doc = {0};
    SCOPED(graph_release) struct graph graph = {0};
    SCOPED(buf_release) struct buf out = {0};
    struct graph_options options = {.build = {.os = "linux", .arch = "amd64"},
                                    .wanted = {.os = "linux", .arch = "arm64"}};
    struct err err = {0};

    if (dockerfile_parse((struct str){(const char *)data, size}, "Dockerfile", &doc, &err) < 0 ||
        graph_make(&doc, &options, &graph, &err) < 0) {
        check_err(&err);
        check_places(&doc);
        dockerfile_excerpt(&doc, doc.failed.first, doc.failed.last, &out);
        return 0;
    }
    check_places(&doc);
    dockerfile_print_json(&doc, &out);
    struct state *states = xcalloc(graph.count, sizeof(*states));
    build(&doc, &graph, states);
    for (size_t i = 0; i < graph.count; i++)
        state_release(&states[i]);
    free(states);
    return 0;
}
