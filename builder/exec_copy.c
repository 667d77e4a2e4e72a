/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/scope.h"
#include "builder/copy.h"
#include "builder/exec_add.h"
#include "builder/exec_run.h"
#include "builder/exec_step.h"
#include "builder/named.h"

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

/* The key of a copy that is planned. */
static int hash_result(const struct build *build, const struct making *making,
                       const struct instruction *in, struct copy_step *work, struct cache_key *key,
                       struct err *err)
{
    bool deferred = work->added.deferred;

    cache_key_begin(key, copy_key_below(&work->request, deferred ? NULL : &work->plan),
                    work->request.spec->is_add ? "ADD" : "COPY");
    step_hash_common(build, making, key);
    if (!deferred)
        return copy_plan_hash(&work->request, &work->plan, &key->hash, err);
    added_hash(&work->added, &work->request, in, &key->hash);
    return 0;
}

static int settle_copy(struct step *s, struct cache_key *key, struct err *err)
{
    return hash_result(s->build, s->making, s->in, s->arg, key, err);
}

/* Files that nobody read yet are read once, by the layer; only then is it known what they are. The
 * key is for this build alone: the same words, the same sources of one context, in the same image.
 */
static int copy_unread(struct step *s, struct err *err)
{
    struct cache_key key;

    s->settle = settle_copy;
    cache_key_begin(&key, &s->making->stack, "unread");
    cache_key_text(&key, "definition", s->definition->unread);
    return step_make(s, &key, err);
}

static int copy_as_said(struct build *build, struct making *making, const struct instruction *in,
                        const struct copy_spec *spec, struct err *err)
{
    SCOPED(copy_step_release)
    struct copy_step work = {.request = {.spec = spec,
                                         .target = &making->stack,
                                         .layout = build->tools->layout,
                                         .pool = build->tools->pool}};
    struct step step = {.build = build,
                        .making = making,
                        .in = in,
                        .created_by = spec->created_by,
                        .keep_empty = true,
                        .fn = write_copy,
                        .arg = &work};
    SCOPED(origin_release) struct origin origin = {0};
    char label[80];
    struct cache_key key;
    int recalled = step_recall(&step, err);

    if (recalled)
        return recalled < 0 ? -1 : 0;
    if (added_find(build->sources, spec, &work.added, err) < 0 ||
        (work.added.local &&
         exec_open_origin(build, making, spec->from, &origin, label, err) < 0) ||
        copy_set_owner(&work.request, err) < 0)
        return -1;
    work.request.origin = &origin;
    work.request.now = build->has_epoch ? build->epoch : clock_now().tv_sec;
    if (!work.added.deferred && plan_copy(&work, err) < 0)
        return -1;
    if (step.definition && step.definition->shape[0] && !step.definition->hex[0])
        return copy_unread(&step, err);
    if (hash_result(build, making, in, &work, &key, err) < 0)
        return -1;
    return step_make(&step, &key, err);
}

int exec_copy(struct build *build, struct making *making, const struct instruction *in,
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
