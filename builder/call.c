/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/call.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/scope.h"
#include "builder/build.h"
#include "builder/context.h"
#include "builder/contexts.h"
#include "builder/foreign.h"
#include "builder/lint.h"
#include "builder/outline.h"
#include "builder/sources.h"
#include "registry/layout.h"
#include "registry/pull.h"
#include "registry/remote.h"

/* The config of a base image, once asked for. */
struct base {
    const struct stage *stage; /* borrowed */
    json_t *config;
};

struct asking {
    const struct build_options *options;
    const struct build_tools *tools;
    struct call_result *result;
    struct dockerfile doc;
    struct graph graph;
    struct sources *sources;
    struct contexts *contexts;
    struct base *bases;
    size_t bases_count, bases_capacity;
    bool may_lack; /* a base image that cannot be had is an unknown one, not an error */
};

static void asking_release(struct asking *a)
{
    for (size_t i = 0; i < a->bases_count; i++)
        json_decref(a->bases[i].config);
    free(a->bases);
    contexts_close(a->contexts);
    sources_close(a->sources);
    graph_release(&a->graph);
    dockerfile_release(&a->doc);
}

static int from_store(const struct asking *a, const struct reference *ref,
                      const struct platform *platform, struct image *image, struct err *err)
{
    SCOPED(descriptor_release) struct descriptor found = {0};
    struct err why = {0};
    int rc = a->options->pull ? 0 : layout_resolve(a->tools->layout, ref, &found, err);

    if (rc <= 0)
        return rc;
    if (layout_load_base(a->tools->layout, &found, platform, image, &why) == 0)
        return 1;
    log_debug("image in the store passed over: %s", why.text);
    return 0;
}

static int fetch(const struct asking *a, const struct stage *stage, struct image *image,
                 struct err *err)
{
    SCOPED(reference_release) struct reference ref = {0};
    SCOPED(descriptor_release) struct descriptor pulled = {0};
    const struct build_tools *tools = a->tools;

    if (str_starts(str_of(stage->base.image), NAMED_LAYOUT_PREFIX))
        return foreign_load(tools->layout, stage->base.image, &stage->platform, &pulled, err) < 0
                   ? -1
                   : layout_load_base(tools->layout, &pulled, &stage->platform, image, err);
    if (reference_parse(stage->base.image, &ref, err) < 0)
        return -1;
    int rc = from_store(a, &ref, &stage->platform, image, err);
    if (rc != 0)
        return rc < 0 ? -1 : 0;
    if (pull_image_with(tools->remote, tools->layout, tools->pool, &ref, &stage->platform,
                        PULL_CONFIG, &pulled, NULL, err) < 0)
        return -1;
    return layout_load_base(tools->layout, &pulled, &stage->platform, image, err);
}

static int base_config(void *arg, const struct stage *stage, const json_t **config, struct err *err)
{
    struct asking *a = arg;
    SCOPED(image_release) struct image image = {0};
    struct err why = {0};

    for (size_t i = 0; i < a->bases_count; i++)
        if (strcmp(a->bases[i].stage->base.image, stage->base.image) == 0 &&
            platform_eq(&a->bases[i].stage->platform, &stage->platform)) {
            *config = a->bases[i].config;
            return 1;
        }
    if (fetch(a, stage, &image, &why) < 0) {
        log_debug("base image %s is not known: %s", stage->base.image, why.text);
        if (a->may_lack)
            return 0;
        *err = why;
        return -1;
    }
    VEC_GROW(a->bases, a->bases_count, a->bases_capacity);
    a->bases[a->bases_count++] = (struct base){stage, json_incref(image.config)};
    *config = image.config;
    return 1;
}

static int fail_at(struct asking *a, struct span at)
{
    dockerfile_excerpt(&a->doc, at.first, at.last, &a->result->excerpt);
    return -1;
}

static int read_file(struct asking *a, struct buf *text, char **name, struct err *err)
{
    a->sources = build_open_sources(a->options, a->tools, false);
    a->contexts = build_open_contexts(a->options, a->tools->layout, a->sources, text, name, err);
    return a->contexts ? 0 : -1;
}

/* One target is asked about; build_call() refused more. NULL: the last stage. */
static const char *target_of(const struct build_options *o)
{
    return o->targets && o->targets->count && *o->targets->ptr[0] ? o->targets->ptr[0] : NULL;
}

static int make_graph(struct asking *a, struct err *err)
{
    struct graph_options options = {.build_args = a->options->build_args,
                                    .target = target_of(a->options),
                                    .build = platform_host(),
                                    .wanted = a->options->platforms[0],
                                    .contexts = a->options->named};

    return graph_make(&a->doc, &options, &a->graph, err);
}

/* Rule by rule, until something cannot be read on. */
static int check(struct asking *a, struct lint *lint, int parsed, struct span *at, struct err *err)
{
    struct lint_input input = {.stages = {&a->graph, base_config, a},
                               .all_stages = !target_of(a->options)};

    if (lint_begin(lint, &a->doc, a->options->build_args, at, err) < 0)
        return -1;
    lint_file(lint, &a->doc);
    *at = a->doc.failed;
    if (parsed < 0)
        return -1;
    int made = make_graph(a, err);
    if (a->graph.globals.count)
        lint_from(lint, &a->graph);
    *at = a->doc.failed;
    if (made < 0)
        return -1;
    struct context *context = contexts_main(a->contexts, err);
    if (!context)
        return -1;
    input.ignore = context_ignore(context);
    int walked = lint_stages(lint, &input, at, err);
    return walked < 0 ? -1 : lint_error(lint, err);
}

static int run_check(struct asking *a, int parsed, bool json, struct err *err)
{
    SCOPED(lint_release) struct lint lint = {0};
    struct call_result *result = a->result;
    struct span at = {0};
    int checked = check(a, &lint, parsed, &at, err);

    lint_sort(&lint);
    strv_copy(&result->notes, &a->doc.warnings);
    strv_copy(&result->notes, &lint.notes);
    result->warnings = lint.count;
    if (json)
        lint_print_json(&lint, &a->doc, checked < 0 ? err : NULL, &at, &result->out);
    else if (lint.count == 1)
        buf_adds(&result->out, "Check complete, 1 warning has been found!\n");
    else if (lint.count > 1)
        buf_addf(&result->out, "Check complete, %zu warnings have been found!\n", lint.count);
    else if (checked == 0)
        buf_adds(&result->out, "Check complete, no warnings found.\n");
    if (!json)
        lint_print(&lint, &a->doc, &result->out);
    return checked < 0 ? fail_at(a, at) : 0;
}

static int run_outline(struct asking *a, bool json, struct err *err)
{
    SCOPED(outline_release) struct outline outline = {0};
    struct rehearsal rehearsal = {&a->graph, base_config, a};
    struct span at = {0};

    a->may_lack = true;
    if (make_graph(a, err) < 0)
        return fail_at(a, a->doc.failed);
    if (outline_make(&outline, &rehearsal, &at, err) < 0)
        return fail_at(a, at);
    if (json)
        outline_print_json(&outline, &a->result->out);
    else
        outline_print(&outline, &a->result->out);
    return 0;
}

int call_run(const struct build_options *options, const struct build_tools *tools, enum call call,
             bool json, struct call_result *result, struct err *err)
{
    SCOPED(asking_release)
    struct asking a = {.options = options, .tools = tools, .result = result};
    SCOPED(buf_release) struct buf text = {0};
    AUTO_FREE char *name = NULL;

    if (read_file(&a, &text, &name, err) < 0)
        return -1;
    int parsed = dockerfile_parse(buf_str(&text), name, &a.doc, err);
    if (call == CALL_CHECK)
        return run_check(&a, parsed, json, err);
    if (parsed < 0)
        return fail_at(&a, a.doc.failed);
    strv_copy(&result->notes, &a.doc.warnings);
    if (call == CALL_OUTLINE)
        return run_outline(&a, json, err);
    if (call == CALL_AST)
        dockerfile_print_json(&a.doc, &result->out);
    else if (json)
        targets_print_json(&a.doc, &result->out);
    else
        targets_print(&a.doc, &result->out);
    return 0;
}

void call_result_release(struct call_result *result)
{
    buf_release(&result->out);
    buf_release(&result->excerpt);
    strv_release(&result->notes);
    *result = (struct call_result){0};
}
