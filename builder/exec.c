/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/exec.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/path.h"
#include "base/progress.h"
#include "base/scope.h"
#include "builder/ahead.h"
#include "builder/cache.h"
#include "builder/contexts.h"
#include "builder/copy.h"
#include "builder/exec_add.h"
#include "builder/exec_run.h"
#include "builder/layer.h"
#include "builder/run_options.h"
#include "builder/tripwire.h"
#include "registry/layout.h"
#include "runtime/user.h"

#define TITLE_MAX 120

bool exec_is_step(const struct instruction *in)
{
    return in->kind == INSTR_RUN || in->kind == INSTR_COPY || in->kind == INSTR_ADD ||
           in->kind == INSTR_WORKDIR;
}

/* As docker shows it: FROM is step 1; a stage without a name goes by its number. */
static char *exec_title(const struct build *build, const struct making *making,
                        const struct instruction *in)
{
    SCOPED(buf_release) struct buf text = {0};
    AUTO_FREE char *label = making->stage->name ? xstrdup(making->stage->name)
                                                : xasprintf("stage-%zu", making->stage->index);

    buf_adds(&text, in->canonical);
    tripwire_clean(build->options->run->wire, &text);
    return xasprintf("[%s %zu/%zu] %.*s%s", label, making->number, making->numbers, TITLE_MAX,
                     buf_cstr(&text), text.size > TITLE_MAX ? "..." : "");
}

struct layer_options exec_layer_options(const struct build *build)
{
    struct layer_options options = LAYER_OPTIONS_DEFAULT;

    options.codec = outputs_codec(build->options->outputs, build->options->outputs_count);
    options.clamp = build->has_epoch;
    options.epoch = build->epoch;
    options.wire = build->options->run->wire;
    return options;
}

/* The moment a step ends, as its history and every later build of it will tell. */
static void stamp(const struct build *build, char out[static CLOCK_TEXT_SIZE])
{
    struct timespec now = clock_now();

    now.tv_nsec -= now.tv_nsec % 1000000; /* milliseconds say enough */
    if (build->has_epoch)
        now = (struct timespec){.tv_sec = build->epoch};
    clock_rfc3339(now, out);
}

/* Fields that every step's key has. */
static void key_common(const struct build *build, const struct making *making,
                       struct cache_key *key)
{
    char platform[PLATFORM_TEXT_SIZE];

    cache_key_text(key, "platform", platform_format(&making->stage->platform, platform));
    cache_key_u64(key, "has epoch", build->has_epoch);
    cache_key_u64(key, "epoch", (uint64_t)build->epoch);
}

typedef int step_fn(struct build *build, struct making *making, void *arg, struct layer *layer,
                    struct err *err);

static void take_layer(struct making *making, const struct cache_record *record,
                       const char *created_by)
{
    if (record->has_layer)
        stack_push(&making->stack, record->diff_id, &record->blob);
    memcpy(making->created, record->created, sizeof(making->created));
    state_commit(&making->state, created_by, record->has_layer ? record->diff_id : NULL,
                 record->created);
}

/* A step that is about to be taken from memory or carried out. */
struct step {
    struct build *build;
    struct making *making;
    const struct cache_key *key;
    const char *title;
    bool keep_empty; /* a layer without entries is a layer all the same */
    step_fn *fn;
    void *arg;
};

/* 1: the disk remembers it. */
static int remembered(const struct step *s, struct cache_record *record, struct err *err)
{
    if (s->build->options->no_cache)
        return 0;
    return cache_find(s->build->tools->layout, s->key, record, err);
}

/* Carries it out, and remembers it. */
static int carry_out(const struct step *s, struct cache_record *record, struct err *err)
{
    SCOPED(layer_release) struct layer layer = {0};
    struct making *m = s->making;

    log_debug("step %s has key %s", s->title, s->key->hex);
    m->forget = false;
    ahead_missed(s->build, m);
    if (s->fn(s->build, m, s->arg, &layer, err) < 0)
        return -1;
    stamp(s->build, record->created);
    record->has_layer = layer.diff_id[0] && (layer.entries || s->keep_empty);
    if (record->has_layer) {
        memcpy(record->diff_id, layer.diff_id, DIGEST_SIZE);
        descriptor_copy(&record->blob, &layer.descriptor);
    }
    return m->forget ? 0 : cache_save(s->build->tools->layout, s->key, record, err);
}

static void count_step(struct build *build, bool cached)
{
    pthread_mutex_lock(&build->lock);
    build->result->steps++;
    build->result->cached += cached;
    pthread_mutex_unlock(&build->lock);
}

/* From this build, from the disk, or made: 1 remembered, 0 made, -1. */
static int obtain(const struct step *s, struct cache_record *record, struct err *err)
{
    struct flights *flights = &s->build->flights;
    int found = flights_begin(flights, s->key->hex, record);

    if (found)
        return 1;
    found = remembered(s, record, err);
    if (found == 0 && carry_out(s, record, err) < 0)
        found = -1;
    flights_end(flights, s->key->hex, found < 0 ? NULL : record);
    return found;
}

/* The one road of every step that may make a layer. A layer without entries is kept when
 * `keep_empty`. */
static int step(struct build *build, struct making *making, const struct instruction *in,
                struct cache_key *key, const char *created_by, bool keep_empty, step_fn *fn,
                void *arg, struct err *err)
{
    AUTO_FREE char *title = exec_title(build, making, in);
    SCOPED(cache_record_release) struct cache_record record = {0};
    struct step s = {build, making, key, title, keep_empty, fn, arg};
    int found;

    /* Nothing of a step that names a secret may be remembered. */
    if (exec_check_text(build, created_by, err) < 0)
        return -1;
    cache_key_end(key);
    making->shown = progress_begin("%s", title);
    found = obtain(&s, &record, err);
    if (found < 0) {
        progress_finish(making->shown, PROGRESS_FAILED, NULL);
        return -1;
    }
    count_step(build, found > 0);
    take_layer(making, &record, created_by);
    progress_finish(making->shown, found ? PROGRESS_CACHED : PROGRESS_DONE, NULL);
    return 0;
}

/* "user[:group]" against the image's own files. */
int exec_lookup_user(struct build *build, struct making *making, const char *text,
                     struct user *user, struct err *err)
{
    SCOPED(buf_release) struct buf passwd = {0}, group = {0};
    struct layout *layout = build->tools->layout;

    if (stack_read(&making->stack, layout, "/etc/passwd", USER_FILE_MAX, &passwd, err) < 0 ||
        stack_read(&making->stack, layout, "/etc/group", USER_FILE_MAX, &group, err) < 0)
        return -1;
    return user_parse(str_of(text), buf_str(&passwd), buf_str(&group), user, err);
}

static int run(struct build *build, struct making *making, const struct instruction *in,
               struct err *err)
{
    SCOPED(run_work_release) struct run_work work = {0};
    struct cache_key key;

    if (run_work_take(build, making, in, &work, err) < 0)
        return -1;
    cache_key_begin(&key, &making->stack, "RUN");
    key_common(build, making, &key);
    if (run_work_hash(build, making, &work, &key, err) < 0)
        return -1;
    return step(build, making, in, &key, work.spec.created_by, true, exec_run, &work, err);
}

/* Where COPY reads; the context is opened when it is first needed. */
int exec_open_origin(struct build *build, const struct making *making,
                     const struct stage_source *from, struct origin *origin, char label[static 80],
                     struct err *err)
{
    char stage[32];

    origin->layout = build->tools->layout;
    origin->label = label;
    if (from->kind == SOURCE_STAGE) {
        origin->stack = &making->product->stages[from->stage].stack;
        snprintf(label, 80, "%s",
                 graph_stage_label(&making->product->graph.stages[from->stage], stage));
    } else if (from->kind == SOURCE_IMAGE) {
        struct base_image *image =
            base_image_get(build, from->image, &making->stage->platform, err);

        if (!image)
            return -1;
        origin->stack = &image->stack;
        snprintf(label, 80, "image %.72s", from->image);
    } else {
        bool named = from->kind == SOURCE_NAMED;

        origin->context = named ? contexts_named(build->contexts, from->named, err)
                                : contexts_main(build->contexts, err);
        if (!origin->context)
            return -1;
        snprintf(label, 80, named ? "context %.70s" : "the build context",
                 named ? build->options->named->items[from->named].name : "");
    }
    return 0;
}

struct copy_step {
    struct copy_request request;
    struct copy_plan plan;
    struct added added;
};

static void copy_step_release(struct copy_step *work)
{
    copy_plan_release(&work->plan);
    added_release(&work->added);
}

static int plan_copy(struct copy_step *work, struct err *err)
{
    if (added_open(&work->added, &work->request, err) < 0)
        return -1;
    return copy_plan_make(&work->request, &work->plan, err);
}

static int write_copy(struct build *build, struct making *making, void *arg, struct layer *layer,
                      struct err *err)
{
    struct copy_step *work = arg;
    struct layer_options options = exec_layer_options(build);

    const char *changed;

    if (work->added.deferred && plan_copy(work, err) < 0)
        return -1;
    if (copy_write(&work->request, &work->plan, build->tools->pool, &options, layer, err) < 0)
        return -1;
    changed = copy_plan_changed(&work->plan);
    making->forget = changed != NULL;
    if (changed)
        log_warn("%s changed while it was copied; this step will not be remembered", changed);
    return 0;
}

static int copy_as_said(struct build *build, struct making *making, const struct instruction *in,
                        const struct copy_spec *spec, struct err *err)
{
    SCOPED(copy_step_release)
    struct copy_step work = {
        .request = {.spec = spec, .target = &making->stack, .layout = build->tools->layout}};
    SCOPED(origin_release) struct origin origin = {0};
    char label[80];
    struct cache_key key;

    if (added_find(build->sources, spec, &work.added, err) < 0 ||
        (work.added.local &&
         exec_open_origin(build, making, spec->from, &origin, label, err) < 0) ||
        copy_set_owner(&work.request, err) < 0)
        return -1;
    work.request.origin = &origin;
    work.request.now = build->has_epoch ? build->epoch : clock_now().tv_sec;
    if (!work.added.deferred && plan_copy(&work, err) < 0)
        return -1;
    cache_key_begin(&key, copy_key_below(&work.request, work.added.deferred ? NULL : &work.plan),
                    spec->is_add ? "ADD" : "COPY");
    key_common(build, making, &key);
    if (work.added.deferred)
        added_hash(&work.added, &work.request, in, &key.hash);
    else if (copy_plan_hash(&work.request, &work.plan, &key.hash, err) < 0)
        return -1;
    return step(build, making, in, &key, spec->created_by, true, write_copy, &work, err);
}

static int copy(struct build *build, struct making *making, const struct instruction *in,
                struct err *err)
{
    SCOPED(copy_spec_release) struct copy_spec spec = {0};

    if (state_copy(&making->state, in, &spec, err) < 0)
        return -1;
    return copy_as_said(build, making, in, &spec, err);
}

int exec_from_context(struct build *build, struct making *making, struct err *err)
{
    const struct stage_source *base = &making->stage->base;
    SCOPED(copy_spec_release) struct copy_spec spec = {.from = base, .dest = xstrdup("/")};

    making->number = making->numbers = 1;
    for (size_t i = 0; i < making->stage->count; i++)
        making->numbers += exec_is_step(making->stage->body[i]);
    strv_add(&spec.sources, "/");
    spec.created_by =
        xasprintf("COPY --from=%s / / # buildkit", build->options->named->items[base->named].name);
    return copy_as_said(build, making, making->stage->from, &spec, err);
}

/* WORKDIR makes what is missing of its directory, owned by USER. */
struct workdir_step {
    char *path; /* entry form, links of the image followed */
    uint32_t uid, gid;
};

static int write_workdir(struct build *build, struct making *making, void *arg, struct layer *layer,
                         struct err *err)
{
    struct workdir_step *work = arg;
    struct layer_options options = exec_layer_options(build);
    struct layout *layout = build->tools->layout;
    const struct view *view = stack_view(&making->stack, layout, err);
    struct layer_writer *w;
    int rc = 0;

    if (!view)
        return -1;
    options.below = view;
    w = layer_writer_open(layout, build->tools->pool, &options, err);
    if (!w)
        return -1;
    for (char *p = work->path; rc == 0; p++) {
        struct entry e = {.path = work->path,
                          .type = ENTRY_DIR,
                          .mode = 0755,
                          .uid = work->uid,
                          .gid = work->gid};
        struct view_entry at;
        char c = *p;

        if (c != '/' && c != 0)
            continue;
        *p = 0;
        e.mtime = build->has_epoch ? build->epoch : clock_now().tv_sec;
        if (!view_lookup(view, work->path, &at))
            rc = layer_add(w, &e, err);
        *p = c;
        if (c == 0)
            break;
    }
    if (rc == 0)
        rc = layer_writer_end(w, layer, err);
    layer_writer_close(w);
    return rc;
}

static int workdir(struct build *build, struct making *making, const struct instruction *in,
                   struct err *err)
{
    SCOPED(buf_release) struct buf resolved = {0};
    AUTO_FREE char *text = NULL, *path = NULL;
    struct workdir_step work = {0};
    const struct view *view;
    struct view_entry at;
    struct cache_key key;
    int found;

    if (state_apply(&making->state, in, making->created[0] ? making->created : NULL, err) < 0)
        return -1;
    if (!state_needs_directory(&making->state, in))
        return 0;
    text = state_workdir_text(&making->state);
    view = stack_view(&making->stack, build->tools->layout, err);
    if (!view)
        return -1;
    found = view_resolve(view, making->state.workdir, VIEW_FOLLOW, &resolved, &at, err);
    if (found < 0)
        return -1;
    if (found && at.entry.type != ENTRY_DIR)
        return err_set(err, ERR_INPUT, ENOTDIR, "WORKDIR %s is a %s in the image, not a directory",
                       making->state.workdir, entry_type_name(at.entry.type));
    if (found) {
        state_commit(&making->state, text, NULL, making->created[0] ? making->created : NULL);
        return 0;
    }
    if (making->state.user[0] && copy_owner(making->state.user, &making->stack,
                                            build->tools->layout, &work.uid, &work.gid, err) < 0)
        return err_wrap(err, "USER %s", making->state.user);
    path = path_beneath(buf_str(&resolved));
    work.path = path;
    cache_key_begin(&key, &making->stack, "WORKDIR");
    key_common(build, making, &key);
    cache_key_text(&key, "path", path);
    cache_key_u64(&key, "owner", (uint64_t)work.uid << 32 | work.gid);
    return step(build, making, in, &key, text, false, write_workdir, &work, err);
}

int exec_failed(struct making *making, const struct instruction *in, struct err *err)
{
    if (!making->excerpt.size)
        dockerfile_excerpt(in->doc, in->first_line, in->last_line, &making->excerpt);
    return dockerfile_wrap(in->doc, in->first_line, err);
}

int exec_instruction(struct build *build, struct making *making, const struct instruction *in,
                     struct err *err)
{
    int rc;

    if (exec_is_step(in))
        making->number++;
    switch (in->kind) {
    case INSTR_RUN:
        rc = run(build, making, in, err);
        break;
    case INSTR_COPY:
    case INSTR_ADD:
        rc = copy(build, making, in, err);
        break;
    case INSTR_WORKDIR:
        rc = workdir(build, making, in, err);
        break;
    default:
        rc = state_apply(&making->state, in, making->created[0] ? making->created : NULL, err);
        break;
    }
    if (rc == 0)
        rc = exec_check_secrets(build, making, err);
    return rc < 0 ? exec_failed(making, in, err) : 0;
}
