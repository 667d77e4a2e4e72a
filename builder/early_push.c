/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/early_push.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/pool.h"
#include "base/scope.h"
#include "builder/ahead.h"
#include "builder/commit.h"
#include "builder/exec.h"
#include "builder/outputs_work.h"
#include "registry/uploads.h"

#define UPLOADS_AT_ONCE 4 /* ours: they wait for the network, not for cores */

/* The image of one target to one repository. */
struct destination {
    size_t target;
    struct commit_options options;
    struct uploads *uploads; /* borrowed from early_push.uploads */
};

/* A layer that is known before anything moves. */
struct held {
    struct uploads *to;
    struct descriptor blob;
};

struct early_push {
    struct layout *layout;
    struct remote *remote;
    struct pool *pool;        /* of its own: uploads must not keep compressors waiting */
    struct uploads **uploads; /* one for each repository */
    size_t uploads_count, uploads_capacity;
    struct destination *destinations;
    size_t count, capacity;
    pthread_mutex_t lock; /* of what follows */
    bool started;
    struct held *held;
    size_t held_count, held_capacity;
};

static struct uploads *find(const struct early_push *e, const struct reference *ref)
{
    for (size_t i = 0; i < e->uploads_count; i++)
        if (uploads_lead_to(e->uploads[i], ref))
            return e->uploads[i];
    return NULL;
}

static void add(struct early_push *e, size_t target, const struct output_spec *spec,
                const struct reference *ref)
{
    struct uploads *uploads = find(e, ref);

    if (!uploads) {
        uploads = uploads_open(e->remote, e->layout, e->pool, ref);
        VEC_GROW(e->uploads, e->uploads_count, e->uploads_capacity);
        e->uploads[e->uploads_count++] = uploads;
    }
    VEC_GROW(e->destinations, e->count, e->capacity);
    e->destinations[e->count++] =
        (struct destination){.target = target, .options = commit_options_of(spec), uploads};
}

struct early_push *early_push_open(const struct outputs *o, const struct outputs_target *targets,
                                   size_t count, struct err *err)
{
    SCOPED(works_release) struct works works = {0};
    struct early_push *e;

    if (works_begin(&works, o, targets, count, NULL, err) < 0)
        return NULL;
    e = xcalloc(1, sizeof(*e));
    e->layout = o->layout;
    e->remote = o->remote;
    e->pool = pool_open(UPLOADS_AT_ONCE);
    pthread_mutex_init(&e->lock, NULL);
    for (size_t i = 0; i < works.count; i++)
        for (size_t k = 0; works.items[i].spec->push && k < works.items[i].refs_count; k++)
            add(e, (size_t)(works.items[i].target - targets), works.items[i].spec,
                &works.items[i].refs[k]);
    return e;
}

void early_push_close(struct early_push *e)
{
    if (!e)
        return;
    for (size_t i = 0; i < e->uploads_count; i++)
        uploads_close(e->uploads[i]);
    for (size_t i = 0; i < e->held_count; i++)
        descriptor_release(&e->held[i].blob);
    free(e->held);
    free(e->uploads);
    free(e->destinations);
    pool_close(e->pool);
    pthread_mutex_destroy(&e->lock);
    free(e);
}

struct uploads *early_push_uploads(const struct early_push *e, const struct reference *ref)
{
    struct uploads *uploads = find(e, ref);

    BUG_ON(!uploads);
    return uploads;
}

static void begin(struct early_push *e, struct uploads *to, const struct descriptor *blob)
{
    struct held *held;

    pthread_mutex_lock(&e->lock);
    if (e->started) {
        uploads_begin(to, blob);
    } else {
        VEC_GROW(e->held, e->held_count, e->held_capacity);
        held = &e->held[e->held_count++];
        *held = (struct held){.to = to};
        descriptor_copy(&held->blob, blob);
    }
    pthread_mutex_unlock(&e->lock);
}

void early_push_start(struct early_push *e)
{
    pthread_mutex_lock(&e->lock);
    e->started = true;
    for (size_t i = 0; i < e->held_count; i++) {
        uploads_begin(e->held[i].to, &e->held[i].blob);
        descriptor_release(&e->held[i].blob);
    }
    e->held_count = 0;
    pthread_mutex_unlock(&e->lock);
}

void early_push_layers(const struct build *build, struct making *m)
{
    struct early_push *e = build->early;
    const struct product *p = m->product;
    size_t target = (size_t)(p - build->products) / build->options->platforms_count;

    if (!e->count || !ahead_is_built_on(&p->stages[p->graph.target], m))
        return;
    for (; m->uploaded < m->stack.count; m->uploaded++) {
        const struct stack_layer *layer = &m->stack.layers[m->uploaded];

        for (size_t i = 0; i < e->count; i++)
            if (e->destinations[i].target == target &&
                !commit_recodes(e->layout, layer, &e->destinations[i].options))
                begin(e, e->destinations[i].uploads, &layer->blob);
    }
}
