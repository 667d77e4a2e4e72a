/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/build.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/pool.h"
#include "base/scope.h"
#include "builder/build_lint.h"
#include "builder/commit.h"
#include "builder/contexts.h"
#include "builder/exec.h"
#include "builder/run_options.h"
#include "builder/sources.h"
#include "builder/stage.h"
#include "registry/config.h"
#include "registry/layout.h"
#include "runtime/session.h"

static void product_release(struct product *p)
{
    for (size_t i = 0; p->stages && i < p->graph.count; i++)
        stage_release(&p->stages[i]);
    free(p->stages);
    graph_release(&p->graph);
}

static void build_release(struct build *b)
{
    for (size_t i = 0; i < b->products_count; i++)
        product_release(&b->products[i]);
    free(b->products);
    for (size_t i = 0; i < b->images_count; i++)
        base_image_free(b->images[i]);
    free(b->images);
    flights_release(&b->flights);
    contexts_close(b->contexts);
    sources_close(b->sources);
    dockerfile_release(&b->doc);
}

static int parse(struct build *b, struct err *err)
{
    const struct build_options *o = b->options;
    struct contexts_options contexts = {.layout = b->tools->layout,
                                        .sources = b->sources,
                                        .context = o->context,
                                        .dockerfile = o->dockerfile,
                                        .input_fd = o->input_fd,
                                        .named = o->named};
    SCOPED(buf_release) struct buf text = {0};
    AUTO_FREE char *name = NULL;

    b->contexts = contexts_open(&contexts, &text, &name, err);
    if (!b->contexts)
        return -1;
    return dockerfile_parse(buf_str(&text), name, &b->doc, err);
}

static int make_graph(struct build *b, struct product *p, const char *target,
                      const struct platform *platform, struct err *err)
{
    struct graph_options options = {.build_args = b->options->build_args,
                                    .target = target,
                                    .build = platform_host(),
                                    .wanted = *platform,
                                    .contexts = b->options->named};

    p->build = b;
    if (graph_make(&b->doc, &options, &p->graph, err) < 0)
        return -1;
    p->stages = xcalloc(p->graph.count, sizeof(*p->stages));
    for (size_t i = 0; i < p->graph.count; i++) {
        p->stages[i].product = p;
        p->stages[i].stage = &p->graph.stages[i];
    }
    return 0;
}

/* Every target for every platform. */
static int plan(struct build *b, struct err *err)
{
    const struct build_options *o = b->options;
    size_t targets = o->targets && o->targets->count ? o->targets->count : 1;

    b->products = xcalloc(targets * o->platforms_count, sizeof(*b->products));
    for (size_t t = 0; t < targets; t++)
        for (size_t p = 0; p < o->platforms_count; p++)
            if (make_graph(b, &b->products[b->products_count++],
                           o->targets && o->targets->count ? o->targets->ptr[t] : NULL,
                           &o->platforms[p], err) < 0)
                return -1;
    return 0;
}

/* The graphs of several products say the same; once is enough. */
static void show_warnings(const struct strv *warnings)
{
    SCOPED(strv_release) struct strv said = {0};

    for (size_t i = 0; i < warnings->count; i++)
        if (!strv_has(&said, warnings->ptr[i])) {
            strv_add(&said, warnings->ptr[i]);
            log_warn("%s", warnings->ptr[i]);
        }
}

static int prepare(struct build *b, struct err *err)
{
    const struct strv *unused;

    if (parse(b, err) < 0 || plan(b, err) < 0) {
        dockerfile_excerpt(&b->doc, b->doc.failed.first, b->doc.failed.last, &b->result->excerpt);
        return -1;
    }
    if (dockerfile_directive(&b->doc, "syntax").size)
        log_debug("syntax " STR_FMT ": read by slipway itself",
                  STR_ARG(dockerfile_directive(&b->doc, "syntax")));
    show_warnings(&b->doc.warnings);
    unused = &b->products[0].graph.unused;
    for (size_t i = 0; i < unused->count; i++)
        log_warn("build argument %s is not consumed by any ARG", unused->ptr[i]);
    return 0;
}

static void cancel(void *arg)
{
    const struct build *b = arg;

    session_cancel(b->tools->session);
}

static int make(struct build *b, struct err *err)
{
    unsigned jobs = b->options->jobs ? b->options->jobs : pool_threads(b->tools->pool);

    b->schedule = (struct schedule){.run = stage_make, .arg = b, .stop = cancel};
    for (size_t i = 0; i < b->products_count; i++) {
        struct product *p = &b->products[i];

        for (size_t k = 0; k < p->graph.order_count; k++)
            schedule_add(&b->schedule, &p->stages[p->graph.order[k]].task);
    }
    if (schedule_run(&b->schedule, jobs, err) == 0)
        return 0;
    if (b->schedule.failed) {
        struct making *m = (struct making *)b->schedule.failed;

        b->result->excerpt = m->excerpt;
        b->result->output = m->output;
        m->excerpt = m->output = (struct buf){0};
    }
    return -1;
}

/* The target stage as an image, then the names, all of them or none. */
static int commit(struct build *b, struct err *err)
{
    const struct product *p = &b->products[0];
    const struct making *m = &p->stages[p->graph.target];
    struct layout *layout = b->tools->layout;
    struct commit_input in = {.config = m->state.config,
                              .stack = &m->stack,
                              .platform = &m->stage->platform,
                              .created = m->created,
                              .labels = b->options->labels};
    SCOPED(commit_release) struct commit made = {0};

    if (commit_image(layout, b->tools->pool, &in, &COMMIT_OPTIONS_DEFAULT, &made, err) < 0)
        return -1;
    descriptor_copy(&b->result->descriptor, &made.descriptor);
    memcpy(b->result->config_digest, made.config_digest, DIGEST_SIZE);
    if (b->options->tags_count)
        return layout_tag_all(layout, b->options->tags, b->options->tags_count, &made.descriptor,
                              err);
    return layout_tag(layout, NULL, &made.descriptor, err);
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
    if (prepare(&b, err) < 0)
        return -1;
    int made = build_lint_first(&b, &b.products[0].graph, err) < 0 ? -1 : make(&b, err);
    build_lint_last(&b, &b.products[0].graph);
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
