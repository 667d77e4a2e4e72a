/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/build.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/scope.h"
#include "builder/build_lint.h"
#include "builder/commit.h"
#include "builder/exec.h"
#include "builder/run_options.h"
#include "builder/sources.h"
#include "registry/config.h"
#include "registry/layout.h"

static void build_release(struct build *b)
{
    for (size_t i = 0; b->stages && i < b->graph.count; i++) {
        state_release(&b->stages[i].state);
        stack_release(&b->stages[i].stack);
    }
    free(b->stages);
    for (size_t i = 0; i < b->images_count; i++)
        base_image_free(b->images[i]);
    free(b->images);
    context_close(b->context);
    sources_close(b->sources);
    graph_release(&b->graph);
    dockerfile_release(&b->doc);
}

struct context *build_open_context(const struct build_options *options, struct layout *layout,
                                   struct err *err)
{
    AUTO_FREE char *ignore = xasprintf("%s.dockerignore", options->dockerfile);
    struct context_options context = {
        .path = options->context, .label = "build context", .ignore_path = ignore};

    return context_open(layout, &context, err);
}

static int parse(struct build *b, struct err *err)
{
    const struct build_options *o = b->options;
    struct graph_options graph = {.build_args = o->build_args,
                                  .target = o->target,
                                  .build = platform_host(),
                                  .wanted = o->platform};
    SCOPED(buf_release) struct buf text = {0};
    const char *name = strrchr(o->dockerfile, '/');

    if (fs_read_file(AT_FDCWD, o->dockerfile, &text, DOCKERFILE_MAX, err) < 0)
        return -1;
    if (dockerfile_parse(buf_str(&text), name ? name + 1 : o->dockerfile, &b->doc, err) < 0 ||
        graph_make(&b->doc, &graph, &b->graph, err) < 0) {
        dockerfile_excerpt(&b->doc, b->doc.failed.first, b->doc.failed.last, &b->result->excerpt);
        return -1;
    }
    if (dockerfile_directive(&b->doc, "syntax").size)
        log_debug("syntax " STR_FMT ": read by slipway itself",
                  STR_ARG(dockerfile_directive(&b->doc, "syntax")));
    for (size_t i = 0; i < b->doc.warnings.count; i++)
        log_warn("%s", b->doc.warnings.ptr[i]);
    for (size_t i = 0; i < b->graph.unused.count; i++)
        log_warn("build argument %s is not consumed by any ARG", b->graph.unused.ptr[i]);
    return 0;
}

/* FROM: scratch, an earlier stage, or an image. */
static int begin_stage(struct build *b, struct making *m, struct err *err)
{
    const struct stage *stage = m->stage;
    const struct making *before;
    struct base_image *image;
    struct timespec ignored;

    m->begun = true;
    switch (stage->base.kind) {
    case SOURCE_STAGE:
        before = &b->stages[stage->base.stage];
        stack_push_all(&m->stack, &before->stack);
        memcpy(m->created, before->created, sizeof(m->created));
        return state_inherit(&m->state, &b->graph, stage, &before->state, err);
    case SOURCE_IMAGE:
        image = base_image_get(b, stage->base.image, &stage->platform, err);
        if (!image)
            return -1;
        stack_push_all(&m->stack, &image->stack);
        if (config_created(image->config) &&
            strlen(config_created(image->config)) < sizeof(m->created) &&
            clock_parse_rfc3339(str_of(config_created(image->config)), &ignored))
            memcpy(m->created, config_created(image->config),
                   strlen(config_created(image->config)) + 1);
        return state_begin(&m->state, &b->graph, stage, image->config, err);
    default:
        return state_begin(&m->state, &b->graph, stage, NULL, err);
    }
}

static int make_stage(struct build *b, struct making *m, struct err *err)
{
    const struct stage *stage = m->stage;

    b->number = b->numbers = 1; /* FROM */
    for (size_t i = stage->first; i < stage->end; i++)
        b->numbers += exec_is_step(&b->doc.instructions[i]);
    if (begin_stage(b, m, err) < 0) {
        dockerfile_excerpt(&b->doc, stage->from->first_line, stage->from->last_line,
                           &b->result->excerpt);
        return dockerfile_wrap(&b->doc, stage->from->first_line, err);
    }
    if (b->has_epoch)
        clock_rfc3339((struct timespec){.tv_sec = b->epoch}, m->created);
    for (size_t i = stage->first; i < stage->end; i++)
        if (exec_instruction(b, m, &b->doc.instructions[i], err) < 0)
            return -1;
    return 0;
}

/* The target stage as an image, then the names, all of them or none. */
static int commit(struct build *b, struct err *err)
{
    struct making *m = &b->stages[b->graph.target];
    struct layout *layout = b->tools->layout;
    struct commit_input in = {.config = m->state.config,
                              .stack = &m->stack,
                              .platform = &m->stage->platform,
                              .created = m->created,
                              .labels = b->options->labels};
    SCOPED(commit_release) struct commit made = {0};

    if (commit_image(layout, &in, &made, err) < 0)
        return -1;
    descriptor_copy(&b->result->descriptor, &made.descriptor);
    memcpy(b->result->config_digest, made.config_digest, DIGEST_SIZE);
    if (b->options->tags_count)
        return layout_tag_all(layout, b->options->tags, b->options->tags_count, &made.descriptor,
                              err);
    return layout_tag(layout, NULL, &made.descriptor, err);
}

static int make_stages(struct build *b, struct err *err)
{
    for (size_t i = 0; i < b->graph.order_count; i++) {
        struct making *m = &b->stages[b->graph.order[i]];

        m->stage = &b->graph.stages[b->graph.order[i]];
        if (make_stage(b, m, err) < 0)
            return -1;
    }
    return 0;
}

int build_run(const struct build_options *options, const struct build_tools *tools,
              struct build_result *result, struct err *err)
{
    SCOPED(build_release) struct build b = {.options = options, .tools = tools, .result = result};
    int epoch = clock_source_date_epoch(&b.epoch, err);

    if (epoch < 0)
        return -1;
    b.has_epoch = epoch > 0;
    b.sources = sources_open(&(struct sources_options){
        .layout = tools->layout,
        .remote = tools->remote,
        .secrets = options->run->secret_source.get ? &options->run->secret_source : NULL,
        .commit_time = b.has_epoch});
    if (parse(&b, err) < 0)
        return -1;
    b.stages = xcalloc(b.graph.count, sizeof(*b.stages));
    int made = build_lint_first(&b, &b.graph, err) < 0 ? -1 : make_stages(&b, err);
    build_lint_last(&b, &b.graph);
    return made < 0 ? -1 : commit(&b, err);
}

void build_result_release(struct build_result *result)
{
    descriptor_release(&result->descriptor);
    buf_release(&result->excerpt);
    buf_release(&result->output);
    strv_release(&result->warnings);
    *result = (struct build_result){0};
}
