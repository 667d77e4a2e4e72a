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
#include "builder/contexts.h"
#include "builder/define.h"
#include "builder/early_push.h"
#include "builder/exec.h"
#include "builder/explain.h"
#include "builder/exec_run.h"
#include "builder/lazy.h"
#include "builder/run_flags.h"
#include "builder/run_options.h"
#include "builder/sources.h"
#include "builder/stage.h"
#include "builder/tripwire.h"
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
    early_push_close(b->early);
    for (size_t i = 0; i < b->products_count; i++)
        product_release(&b->products[i]);
    free(b->products);
    for (size_t i = 0; i < b->images_count; i++)
        base_image_free(b->images[i]);
    free(b->images);
    crossing_release(&b->crossing);
    flights_release(&b->flights);
    cache_uses_release(&b->uses);
    cache_contents_release(&b->contents);
    imported_release(&b->imported);
    lazy_close(b->lazy);
    contexts_close(b->contexts);
    sources_close(b->sources);
    ground_close(&b->ground);
    dockerfile_release(&b->doc);
}

struct sources *build_open_sources(const struct build_options *options,
                                   const struct build_tools *tools, bool commit_time)
{
    const struct run_options *run = options->run;

    return sources_open(
        &(struct sources_options){.layout = tools->layout,
                                  .remote = tools->remote,
                                  .secrets = run->secret_source.get ? &run->secret_source : NULL,
                                  .ssh_socket = ssh_agents_find(&run->ssh, "default"),
                                  .commit_time = commit_time});
}

struct contexts *build_open_contexts(const struct build_options *options, struct layout *layout,
                                     struct sources *sources, struct buf *dockerfile, char **name,
                                     struct err *err)
{
    struct contexts_options contexts = {.layout = layout,
                                        .sources = sources,
                                        .context = options->context,
                                        .dockerfile = options->dockerfile,
                                        .input_fd = options->input_fd,
                                        .named = options->named};
    struct control control;

    if (control_read(options->build_args, &control, err) < 0)
        return NULL;
    contexts.keep_git_dir = control.keep_git_dir;
    return contexts_open(&contexts, dockerfile, name, err);
}

static int parse(struct build *b, struct err *err)
{
    SCOPED(buf_release) struct buf text = {0};
    AUTO_FREE char *name = NULL;

    b->contexts = build_open_contexts(b->options, b->tools->layout, b->sources, &text, &name, err);
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

static int check_annotations(const struct build_options *o, const struct output_spec *spec,
                             struct err *err)
{
    for (size_t i = 0; i < spec->annotations.count; i++) {
        const struct annotation *a = &spec->annotations.items[i];
        const char *found = tripwire_find(o->run->wire, str_of(a->key));

        if (!found)
            found = tripwire_find(o->run->wire, str_of(a->value));
        if (found)
            return err_set(err, ERR_USAGE, 0, "the value of secret %s is in an annotation", found);
    }
    return 0;
}

/* What the command line itself puts into the image. */
static int check_labels(const struct build_options *o, struct err *err)
{
    for (size_t i = 0; o->labels && i < o->labels->count; i++) {
        const char *found = tripwire_find(o->run->wire, str_of(o->labels->ptr[i]));

        if (found)
            return err_set(err, ERR_USAGE, 0, "the value of secret %s is in a --label", found);
    }
    for (size_t i = 0; i < o->outputs_count; i++)
        if (check_annotations(o, &o->outputs[i], err) < 0)
            return -1;
    return 0;
}

/* What RUN asks for and may not have is told before anything is built. */
static int check_allowed(struct build *b, struct err *err)
{
    for (size_t i = 0; i < b->products_count; i++) {
        const struct graph *g = &b->products[i].graph;

        for (size_t k = 0; k < g->order_count; k++) {
            const struct instruction *at = NULL;

            if (run_flags_check_stage(&g->stages[g->order[k]], b->options->run, &at, err) == 0)
                continue;
            b->doc.failed = (struct span){at->first_line, at->last_line};
            return dockerfile_wrap(&b->doc, at->first_line, err);
        }
    }
    return 0;
}

static int prepare(struct build *b, struct err *err)
{
    const struct strv *unused;

    if (parse(b, err) < 0 || plan(b, err) < 0 || check_allowed(b, err) < 0) {
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

/* Not while somebody looks at a failed step (--on-error=shell). */
static void cancel(void *arg)
{
    struct build *b = arg;

    pthread_mutex_lock(&b->shell_lock);
    session_cancel(b->tools->session);
    pthread_mutex_unlock(&b->shell_lock);
}

static int make(struct build *b, struct err *err)
{
    unsigned jobs = b->options->jobs ? b->options->jobs : pool_threads(b->tools->pool);

    if (b->tools->session->rung == SESSION_IN_PLACE)
        jobs = 1; /* there is one root */
    b->schedule = (struct schedule){.run = stage_make, .arg = b, .stop = cancel};
    for (size_t i = 0; i < b->products_count; i++) {
        struct product *p = &b->products[i];

        if (define_product(b, p, err) < 0)
            return -1;
        for (size_t k = 0; k < p->graph.count; k++)
            if (p->stages[k].wanted)
                schedule_add(&b->schedule, &p->stages[k].task);
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

static struct outputs outputs_of(const struct build *b)
{
    const struct build_options *o = b->options;
    const struct session *session = b->tools->session;

    return (struct outputs){.specs = o->outputs,
                            .count = o->outputs_count,
                            .owners = session->uid_host == 0 && (session->rung == SESSION_ROOT ||
                                                                 session->rung == SESSION_NONE),
                            .has_epoch = b->has_epoch,
                            .epoch = b->epoch,
                            .multi_platform = b->control.multi_platform,
                            .layout = b->tools->layout,
                            .pool = b->tools->pool,
                            .remote = b->tools->remote,
                            .early = b->early};
}

static size_t targets_count(const struct build_options *o)
{
    return o->targets && o->targets->count ? o->targets->count : 1;
}

/* For free(); images are still missing. */
static struct outputs_target *targets_of(const struct build_options *o)
{
    size_t count = targets_count(o);
    struct outputs_target *targets = xcalloc(count, sizeof(*targets));

    for (size_t i = 0; i < count; i++)
        targets[i] = (struct outputs_target){.name = count > 1 ? o->targets->ptr[i] : NULL,
                                             .names = &o->names[i]};
    return targets;
}

static int prepare_outputs(struct build *b, struct err *err)
{
    const struct build_options *o = b->options;
    struct outputs outputs = outputs_of(b);
    AUTO_FREE struct outputs_target *targets = targets_of(b->options);
    SCOPED(strv_release) struct strv keep = {0};

    strv_add(&keep, "/");
    strv_add(&keep, ".");
    strv_add(&keep, b->tools->layout->root);
    strv_add(&keep, o->context);
    for (size_t i = 0; o->named && i < o->named->count; i++)
        if (o->named->items[i].kind == NAMED_DIR)
            strv_add(&keep, o->named->items[i].value);
    outputs.keep = &keep;
    if (outputs_check(&outputs, targets, targets_count(o), err) < 0)
        return -1;
    b->early = early_push_open(&outputs, targets, targets_count(o), err);
    return b->early ? 0 : -1;
}

/* A stage that nothing is to be remembered of, and that is not there, is a slip of the pen. */
static void check_filter(const struct build *b)
{
    const struct strv *filter = b->options->no_cache_filter;

    for (size_t i = 0; filter && i < filter->count; i++) {
        const struct graph *g = &b->products[0].graph;
        size_t k = 0;

        while (k < g->count && !cache_names_stage(&g->stages[k], filter->ptr[i]))
            k++;
        if (k == g->count)
            log_warn("--no-cache-filter %s: there is no such stage", filter->ptr[i]);
    }
}

static int read_caches(struct build *b, struct err *err)
{
    const struct import_tools tools = {.layout = b->tools->layout,
                                       .remote = b->tools->remote,
                                       .lazy = b->lazy,
                                       .platforms = b->options->platforms,
                                       .platforms_count = b->options->platforms_count};

    check_filter(b);
    if (b->options->no_cache)
        return 0;
    return imported_read(&b->imported, b->options->cache_from, b->options->cache_from_count, &tools,
                         err);
}

/* The stages of all targets to all outputs. */
static int commit(struct build *b, struct err *err)
{
    const size_t platforms = b->options->platforms_count; /* products of a target stand together */
    struct outputs outputs = outputs_of(b);
    AUTO_FREE struct outputs_target *targets = targets_of(b->options);
    AUTO_FREE struct commit_input *in = xcalloc(b->products_count, sizeof(*in));
    size_t count = targets_count(b->options);
    int rc;

    for (size_t i = 0; i < b->products_count; i++) {
        struct product *p = &b->products[i];
        struct making *m = &p->stages[p->graph.target];

        in[i] = (struct commit_input){.config = m->state.config,
                                      .stack = &m->stack,
                                      .platform = &m->stage->platform,
                                      .created = m->created,
                                      .cache = cache_export_inline(b, p),
                                      .labels = b->options->labels};
    }
    for (size_t i = 0; i < count; i++) {
        targets[i].images = in + i * platforms;
        targets[i].count = platforms;
    }
    b->result->outputs = xcalloc(count, sizeof(*b->result->outputs));
    b->result->outputs_count = count;
    rc = outputs_write(&outputs, targets, count, b->result->outputs, err);
    for (size_t i = 0; i < b->products_count; i++)
        json_decref(in[i].cache);
    return rc;
}

static int carry_out(const struct build_options *options, const struct build_tools *tools,
                     struct build_result *result, struct err *err)
{
    SCOPED(build_release)
    struct build b = {
        .options = options, .tools = tools, .result = result, .ground = GROUND_CLOSED};

    if (check_labels(options, err) < 0 ||
        cache_export_check(options->cache_to, options->cache_to_count, err) < 0)
        return -1;
    if (control_read(options->build_args, &b.control, err) < 0)
        return -1;
    b.has_epoch = b.control.has_epoch;
    b.epoch = b.control.epoch;
    if (prepare_outputs(&b, err) < 0)
        return -1;
    b.sources = build_open_sources(options, tools, b.has_epoch);
    b.lazy = lazy_open(tools->layout, tools->remote, tools->pool);
    int ready = prepare(&b, err) < 0 || read_caches(&b, err) < 0 ? -1 : build_lint_first(&b, err);
    int made = ready < 0 ? -1 : make(&b, err);
    ground_close(&b.ground); /* what outputs write is no stage's */
    build_lint_last(&b);
    if (ready == 0)
        explain_build(&b, &result->explanation);
    if (made == 0)
        made = crossing_report(&b, options->strict_platform, err);
    if (made == 0)
        made = commit(&b, err);
    if (made == 0)
        made = cache_export(&b, err);
    if (made == 0)
        made = cache_keep_imported(&b, err);
    base_images_name(&b);
    return made;
}

int build_run(const struct build_options *options, const struct build_tools *tools,
              struct build_result *result, struct err *err)
{
    int made = carry_out(options, tools, result, err);

    exec_clean_result(options, result, err);
    return made;
}

void build_result_release(struct build_result *result)
{
    for (size_t i = 0; i < result->outputs_count; i++)
        outputs_result_release(&result->outputs[i]);
    free(result->outputs);
    buf_release(&result->excerpt);
    buf_release(&result->output);
    buf_release(&result->explanation);
    strv_release(&result->warnings);
    json_decref(result->warnings_metadata);
    *result = (struct build_result){0};
}
