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

/* The stages that are built, no others. The failure that stopped the walk is the build's own. */
static int walk(struct build *b, const struct graph *graph, struct lint *lint, bool load,
                struct span *at, struct err *err)
{
    const struct context *context = contexts_main_opened(b->contexts);
    struct lint_input input = {.graph = graph,
                               .ignore = context ? context_ignore(context) : NULL,
                               .base_config = load ? needed_config : loaded_config,
                               .arg = b};
    lint_file(lint, &b->doc, true);
    lint_from(lint, graph);
    int rc = lint_stages(lint, &input, at, err);
    lint_sort(lint);
    return rc;
}

static void tell(struct build *b, const struct lint *lint)
{
    for (size_t i = 0; i < lint->count; i++) {
        SCOPED(buf_release) struct buf line = {0};

        lint_print_short(&lint->warnings[i], &line);
        strv_add(&b->result->warnings, buf_cstr(&line));
    }
}

int build_lint_first(struct build *build, const struct graph *graph, struct err *err)
{
    SCOPED(lint_release) struct lint lint = {0};
    struct span at = {0};
    int rc = lint_begin(&lint, &build->doc, build->options->build_args, &at, err);

    if (rc == 0 && lint.config.is_error) {
        if (!contexts_main(build->contexts, err) || walk(build, graph, &lint, true, &at, err) < 0)
            rc = -1;
        else
            rc = lint_error(&lint, err);
    }
    if (rc < 0)
        dockerfile_excerpt(&build->doc, at.first, at.last, &build->result->excerpt);
    return rc;
}

void build_lint_last(struct build *build, const struct graph *graph)
{
    SCOPED(lint_release) struct lint lint = {0};
    struct span ignored = {0};
    struct err why = {0};

    if (lint_begin(&lint, &build->doc, build->options->build_args, &ignored, &why) < 0)
        return;
    if (walk(build, graph, &lint, false, &ignored, &why) < 0)
        log_debug("build checks end early: %s", why.text);
    for (size_t i = 0; i < lint.notes.count; i++)
        log_warn("%s", lint.notes.ptr[i]);
    tell(build, &lint);
}
