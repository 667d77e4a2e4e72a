/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/build_lint.h"

#include <string.h>

#include "base/log.h"
#include "base/scope.h"
#include "builder/contexts.h"
#include "builder/exec.h"
#include "builder/lint.h"

static int loaded_config(void *arg, const struct stage *stage, const json_t **config,
                         struct err *err)
{
    const struct build *b = arg;

    (void)err;
    for (size_t i = 0; i < b->images_count; i++)
        if (strcmp(b->images[i]->name, stage->base.image) == 0 &&
            platform_eq(&b->images[i]->platform, &stage->platform))
            *config = b->images[i]->config;
    return *config != NULL;
}

static int needed_config(void *arg, const struct stage *stage, const json_t **config,
                         struct err *err)
{
    const struct base_image *image = base_image_get(arg, stage->base.image, &stage->platform, err);

    if (image)
        *config = image->config;
    return image ? 1 : -1;
}

/*
 * The stages of one target, no others. The graph is our own: going through it, stages get the
 * triggers of their bases.
 */
static int walk(struct build *b, const char *target, bool load, struct lint *lint, struct span *at,
                struct err *err)
{
    const struct context *context = contexts_main_opened(b->contexts);
    SCOPED(graph_release) struct graph graph = {0};
    struct graph_options options = {.build_args = b->options->build_args,
                                    .target = target,
                                    .build = platform_host(),
                                    .wanted = b->options->platforms[0],
                                    .contexts = b->options->named};
    struct lint_input input = {.stages = {&graph, load ? needed_config : loaded_config, b},
                               .ignore = context ? context_ignore(context) : NULL};
    size_t told = b->doc.warnings.count;

    if (lint_begin(lint, &b->doc, b->options->build_args, at, err) < 0)
        return -1;
    lint_file(lint, &b->doc);
    if (!b->doc.whole)
        return err_set(err, ERR_INPUT, 0, "the file cannot be read to its end");
    int made = graph_make(&b->doc, &options, &graph, err);
    while (b->doc.warnings.count > told)
        strv_remove(&b->doc.warnings, b->doc.warnings.count - 1);
    if (graph.globals.count)
        lint_from(lint, &graph);
    return made < 0 ? -1 : lint_stages(lint, &input, at, err);
}

/* Every target, for the first platform: with another one the same would be said again. */
static int walk_all(struct build *b, bool load, struct lint *lint, struct span *at, struct err *err)
{
    const struct strv *targets = b->options->targets;
    int rc = walk(b, targets && targets->count ? targets->ptr[0] : NULL, load, lint, at, err);

    for (size_t i = 1; rc == 0 && targets && i < targets->count; i++) {
        SCOPED(lint_release) struct lint more = {0};

        rc = walk(b, targets->ptr[i], load, &more, at, err);
        lint_merge(lint, &more);
    }
    lint_sort(lint);
    return rc;
}

static void tell(struct build *b, const struct lint *lint)
{
    for (size_t i = 0; i < lint->notes.count; i++)
        log_warn("%s", lint->notes.ptr[i]);
    for (size_t i = 0; i < lint->count; i++) {
        SCOPED(buf_release) struct buf line = {0};

        lint_print_short(&lint->warnings[i], &line);
        strv_add(&b->result->warnings, buf_cstr(&line));
    }
    if (lint->count)
        b->result->warnings_metadata = lint_metadata(lint, &b->doc);
}

int build_lint_first(struct build *build, struct err *err)
{
    SCOPED(lint_release) struct lint config = {0}, lint = {0};
    struct span at = {0};
    int rc = lint_begin(&config, &build->doc, build->options->build_args, &at, err);

    if (rc == 0 && config.config.is_error) {
        if (!contexts_main(build->contexts, err) || walk_all(build, true, &lint, &at, err) < 0)
            rc = -1;
        else
            rc = lint_error(&lint, err);
    }
    if (rc < 0)
        dockerfile_excerpt(&build->doc, at.first, at.last, &build->result->excerpt);
    return rc;
}

void build_lint_last(struct build *build)
{
    SCOPED(lint_release) struct lint lint = {0};
    struct span ignored = {0};
    struct err why = {0};

    if (!build->doc.name)
        return; /* there was no file */
    if (walk_all(build, false, &lint, &ignored, &why) < 0)
        log_debug("build checks end early: %s", why.text);
    tell(build, &lint);
}
