/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/define.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/scope.h"
#include "builder/context_tree.h"
#include "builder/copy.h"
#include "builder/exec_run.h"
#include "builder/explain.h"
#include "builder/exec_step.h"
#include "builder/sources.h"
#include "registry/config.h"

void define_stack(const struct stack *stack, char out[static SHA256_HEX_SIZE])
{
    struct cache_key key;

    cache_key_begin(&key, stack, "layers");
    cache_key_end(&key);
    memcpy(out, key.hex, SHA256_HEX_SIZE);
}

void define_key(const struct definition *d, const struct stack *below,
                char out[static SHA256_HEX_SIZE])
{
    struct cache_key key;

    cache_key_begin(&key, below, "defined");
    cache_key_text(&key, "definition", d->hex);
    cache_key_end(&key);
    memcpy(out, key.hex, SHA256_HEX_SIZE);
}

/* A stage's definition may be completed while another thread asks. */
static bool take_final(struct build *build, const struct making *of,
                       char out[static SHA256_HEX_SIZE])
{
    pthread_mutex_lock(&build->lock);
    memcpy(out, of->final_hex, SHA256_HEX_SIZE);
    pthread_mutex_unlock(&build->lock);
    return out[0] != 0;
}

int define_source(const struct making *making, const struct stage_source *from,
                  const struct origin *origin, struct cache_key *key)
{
    char hex[SHA256_HEX_SIZE];

    if (from->kind != SOURCE_STAGE)
        define_stack(origin->stack, hex);
    else if (!take_final(making->product->build, &making->product->stages[from->stage], hex))
        return 0;
    cache_key_text(key, "source", hex);
    return 1;
}

/* ---- one step ---- */

static int define_run(struct build *build, struct making *making, const struct instruction *in,
                      struct cache_key *key, struct err *err)
{
    SCOPED(run_work_release) struct run_work work = {0};

    if (run_work_take(build, making, in, &work, err) < 0)
        return -1;
    return run_work_define(build, making, &work, key, err);
}

static int has_remote(struct build *build, const struct copy_spec *spec, struct err *err)
{
    int remote = 0;

    for (size_t i = 0; spec->is_add && remote == 0 && i < spec->sources.count; i++) {
        struct source_request request = {.text = spec->sources.ptr[i],
                                         .checksum = spec->checksum,
                                         .keep_git_dir = spec->keep_git_dir};
        struct source *source = NULL;

        remote = sources_find(build->sources, &request, &source, err);
    }
    return remote;
}

static void hash_copy_words(const struct instruction *in, const struct copy_spec *spec,
                            struct cache_key *key)
{
    cache_key_text(key, "text", spec->created_by);
    cache_key_list(key, "source", &spec->sources);
    cache_key_text(key, "destination", spec->dest);
    cache_key_text(key, "owner", spec->chown);
    cache_key_u64(key, "flags", in->flags_count);
    for (size_t i = 0; i < in->flags_count; i++) {
        AUTO_FREE char *name = xasprintf("--%s", in->flags[i].name);

        cache_key_text(key, name, in->flags[i].value);
    }
    cache_key_u64(key, "heredocs", spec->files_count);
    for (size_t i = 0; i < spec->files_count; i++) {
        cache_key_text(key, spec->files[i].name, spec->files[i].text);
        cache_key_u64(key, "size", spec->files[i].size); /* a NUL ends no heredoc */
    }
}

/* The files of a context: by their shape first, which tells whether anybody ever read them. */
static int define_files(struct build *build, const struct copy_request *request, bool read,
                        struct definition *out, struct cache_key *key, struct err *err)
{
    char hex[SHA256_HEX_SIZE];
    struct sha256 h;

    sha256_begin(&h);
    if (copy_define(request, CONTEXT_SHAPE, &h, err) < 0)
        return -1;
    sha256_end_hex(&h, hex);
    /* Who reads records from elsewhere may know files that were never read here. */
    if (!read && !cache_knows_shape(build->tools->layout, hex)) {
        if (!build->imported.count) {
            memcpy(out->shape, hex, sizeof(hex));
            /* Of this build alone, so no fields for --explain. */
            sha256_add_framed(&key->hash, str_of(hex));
            sha256_add_u64(&key->hash, (uintptr_t)request->origin->context);
            return 0;
        }
        if (cache_save_shape(build->tools->layout, hex, err) < 0)
            return -1;
    }
    sha256_begin(&h);
    if (copy_define(request, CONTEXT_CONTENT, &h, err) < 0)
        return -1;
    sha256_end_hex(&h, hex);
    cache_key_text(key, "files", hex);
    explain_keep_files(build->tools->layout, request, hex);
    return 1;
}

static int define_copy(struct build *build, struct making *making, const struct instruction *in,
                       bool read, struct definition *out, struct cache_key *key, struct err *err)
{
    SCOPED(copy_spec_release) struct copy_spec spec = {0};
    SCOPED(origin_release) struct origin origin = {0};
    struct copy_request request = {.spec = &spec,
                                   .origin = &origin,
                                   .layout = build->tools->layout,
                                   .pool = build->tools->pool};
    char label[80];
    int remote;

    if (state_copy(&making->state, in, &spec, err) < 0)
        return -1;
    hash_copy_words(in, &spec, key);
    remote = has_remote(build, &spec, err);
    if (remote)
        return remote < 0 ? -1 : 0;
    if (!spec.sources.count)
        return 1;
    if (exec_open_origin(build, making, spec.from, &origin, label, err) < 0)
        return -1;
    if (origin.stack)
        return define_source(making, spec.from, &origin, key);
    return define_files(build, &request, read, out, key, err);
}

static int define_workdir(const struct making *making, struct cache_key *key)
{
    cache_key_text(key, "path", making->state.workdir);
    cache_key_text(key, "user", making->state.user);
    return 1;
}

int define_step(struct build *build, struct making *making, const struct instruction *in,
                const char *parent, bool read, struct definition *out, struct err *err)
{
    struct cache_key key;
    int known;

    strv_clear(&out->fields);
    cache_key_begin_defined(&key, parent, in->keyword, &out->fields);
    step_hash_common(build, making, &key);
    if (in->kind == INSTR_RUN)
        known = define_run(build, making, in, &key, err);
    else if (in->kind == INSTR_WORKDIR)
        known = define_workdir(making, &key);
    else
        known = define_copy(build, making, in, read, out, &key, err);
    if (known < 0)
        return -1;
    cache_key_end(&key);
    memcpy(known ? out->hex : out->unread, key.hex, sizeof(key.hex));
    return known;
}

/* ---- stages ---- */

/* A stage that m reads from and that is not defined yet; NULL: none. */
static struct making *undefined_source(const struct making *m)
{
    struct making *stages = m->product->stages;
    struct making *of = NULL;

    for (size_t i = 0; i < m->stage->count; i++) {
        if (m->stage->sources[i].kind == SOURCE_STAGE)
            of = &stages[m->stage->sources[i].stage];
        if (of && !of->defined)
            return of;
    }
    for (size_t i = 0; i < m->stage->mounts_count; i++) {
        if (m->stage->mounts[i].source.kind == SOURCE_STAGE)
            of = &stages[m->stage->mounts[i].source.stage];
        if (of && !of->defined)
            return of;
    }
    return NULL;
}

/* The stage's state before its first instruction, what it stands on, and what it leaves to do. */
static int define_base(struct build *build, struct making *m, struct strv *triggers,
                       struct err *err)
{
    const struct graph *graph = &m->product->graph;
    const struct stage_source *base = &m->stage->base;
    const struct stack nothing = {0};
    struct making *before;
    struct base_image *image;

    switch (base->kind) {
    case SOURCE_STAGE:
        before = &m->product->stages[base->stage];
        config_get_list(before->state.config, "OnBuild", triggers);
        state_inherit(&m->state, graph, m->stage, &before->state);
        memcpy(m->base_hex, before->final_hex, sizeof(m->base_hex));
        m->foreseen = before->foreseen;
        if (m->foreseen)
            stack_push_all(&m->ahead, &before->ahead);
        return 0;
    case SOURCE_IMAGE:
        image = base_image_get(build, base->image, &m->stage->platform, err);
        if (!image)
            return exec_failed(m, m->stage->from, err);
        if (platform_match(&m->stage->platform, &image->actual) < 0)
            m->stage->platform = image->actual; /* its commands run as what they are */
        config_get_list(image->config, "OnBuild", triggers);
        state_begin(&m->state, graph, m->stage, image->config);
        define_stack(&image->stack, m->base_hex);
        stack_push_all(&m->ahead, &image->stack);
        m->foreseen = true;
        return 0;
    default:
        state_begin(&m->state, graph, m->stage, NULL);
        m->foreseen = base->kind == SOURCE_SCRATCH;
        if (m->foreseen)
            define_stack(&nothing, m->base_hex);
        return 0;
    }
}

/* One instruction: hex is what is below it, and becomes what is below the next. 1: it is a step. */
static int rehearse(struct build *build, struct making *m, size_t i,
                    char hex[static SHA256_HEX_SIZE], struct err *err)
{
    const struct instruction *in = m->stage->body[i];
    bool is_step = exec_is_step(in);

    if ((!is_step || in->kind == INSTR_WORKDIR) && state_apply(&m->state, in, NULL, err) < 0)
        return -1;
    if (!is_step || (in->kind == INSTR_WORKDIR && !state_needs_directory(&m->state, in)))
        return 0;
    if (hex[0] && define_step(build, m, in, hex, false, &m->definitions[i], err) < 0)
        return -1;
    memcpy(hex, m->definitions[i].hex, SHA256_HEX_SIZE);
    return 1;
}

/* As long as every step is in the cache, it is known what the stage will be. */
static void foresee(struct build *build, struct making *m, size_t i)
{
    SCOPED(cache_record_release) struct cache_record record = {0};
    struct definition *d = &m->definitions[i];
    struct err why = {0};

    if (m->foreseen && d->hex[0])
        define_key(d, &m->ahead, d->recall);
    m->foreseen = m->foreseen && d->hex[0] && cache_recall(build, m, d->recall, &record, &why) > 0;
    if (m->foreseen && record.has_layer)
        stack_push(&m->ahead, record.diff_id, &record.blob);
}

/* What FROM gives, and the triggers in it, which may bring in more stages to read from. */
static int begin_stage(struct build *build, struct making *m, struct err *err)
{
    SCOPED(strv_release) struct strv triggers = {0};

    if (define_base(build, m, &triggers, err) < 0)
        return -1;
    if (triggers.count && graph_fire(&m->product->graph, m->stage, &triggers, err) < 0) {
        dockerfile_excerpt(&build->doc, m->stage->from->first_line, m->stage->from->last_line,
                           &m->excerpt);
        return -1;
    }
    m->definitions = xcalloc(m->stage->count + 1, sizeof(*m->definitions));
    return 0;
}

static void define_steps(struct build *build, struct making *m)
{
    char hex[SHA256_HEX_SIZE];

    memcpy(hex, m->base_hex, sizeof(hex));
    if (cache_is_filtered(build, m))
        hex[0] = 0; /* what comes of it is to be seen */
    for (size_t i = 0; i < m->stage->count; i++) {
        struct err why = {0};
        int step = rehearse(build, m, i, hex, &why);

        /* What is wrong is told when the instruction's turn comes: others before it may help. */
        if (step < 0) {
            log_debug("not defined: %s", why.text);
            hex[0] = 0;
            m->foreseen = false;
            break;
        }
        if (step)
            foresee(build, m, i);
        if (m->foreseen)
            m->recalled = i + 1;
    }
    memcpy(m->final_hex, hex, sizeof(hex));
    m->defined = true;
}

/* The target, and before each stage those that it needs: a file may have a million in a row, so the
 * way back is a list and not this thread's stack. It ends, for a stage needs earlier ones only. */
static int define_stages(struct build *build, struct making *target, struct err *err)
{
    AUTO_FREE struct making **way =
        xcalloc(target->product->graph.count + 1, sizeof(struct making *));
    size_t count = 0;

    way[count++] = target;
    while (count) {
        struct making *m = way[count - 1], *first = NULL;
        const struct stage_source *base = &m->stage->base;

        if (!m->definitions && base->kind == SOURCE_STAGE &&
            !m->product->stages[base->stage].defined)
            first = &m->product->stages[base->stage];
        else if (!m->definitions && begin_stage(build, m, err) < 0)
            return -1;
        if (!first)
            first = undefined_source(m);
        if (first) {
            BUG_ON(count > target->product->graph.count);
            way[count++] = first;
            continue;
        }
        define_steps(build, m);
        count--;
    }
    return 0;
}

static bool is_wanted(const struct making *m, const struct stage_source *source)
{
    return source->kind == SOURCE_STAGE && m->product->stages[source->stage].wanted;
}

bool define_reads_wanted(const struct making *m, size_t i)
{
    if (is_wanted(m, &m->stage->sources[i]))
        return true;
    for (size_t k = 0; k < m->stage->mounts_count; k++)
        if (m->stage->mounts[k].in == m->stage->body[i] &&
            is_wanted(m, &m->stage->mounts[k].source))
            return true;
    return false;
}

bool define_remembers(const struct build *build, const struct making *m, size_t i)
{
    SCOPED(cache_record_release) struct cache_record record = {0};
    const struct definition *d = &m->definitions[i];
    char hex[SHA256_HEX_SIZE];
    struct err why = {0};

    if (!d->hex[0] || define_reads_wanted(m, i))
        return false;
    define_key(d, &m->stack, hex);
    return cache_recall(build, m, hex, &record, &why) > 0;
}

/* Marks the stages whose files a stage will have to look at. */
static void want_sources(struct making *m)
{
    struct making *stages = m->product->stages;

    if (m->stage->base.kind == SOURCE_STAGE)
        stages[m->stage->base.stage].wanted = true;
    for (size_t i = m->recalled; i < m->stage->count; i++) {
        if (m->stage->sources[i].kind == SOURCE_STAGE)
            stages[m->stage->sources[i].stage].wanted = true;
        for (size_t k = 0; k < m->stage->mounts_count; k++)
            if (m->stage->mounts[k].in == m->stage->body[i] &&
                m->stage->mounts[k].source.kind == SOURCE_STAGE)
                stages[m->stage->mounts[k].source.stage].wanted = true;
    }
}

int define_product(struct build *build, struct product *product, struct err *err)
{
    struct making *target = &product->stages[product->graph.target];

    if (define_stages(build, target, err) < 0) {
        for (size_t i = 0; i < product->graph.count; i++)
            if (product->stages[i].excerpt.size && !build->result->excerpt.size) {
                build->result->excerpt = product->stages[i].excerpt;
                product->stages[i].excerpt = (struct buf){0};
            }
        return -1;
    }
    target->wanted = true;
    for (size_t i = product->graph.target + 1; i-- > 0;) /* a stage needs earlier ones only */
        if (product->stages[i].wanted)
            want_sources(&product->stages[i]);
    return 0;
}
