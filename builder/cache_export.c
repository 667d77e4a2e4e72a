/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cache_export.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/progress.h"
#include "base/scope.h"
#include "builder/cache_doc.h"
#include "builder/cache_import.h"
#include "builder/commit.h"
#include "builder/exec.h"
#include "builder/oci_dir.h"
#include "builder/recode.h"
#include "registry/layout.h"
#include "registry/manifest.h"
#include "registry/push.h"
#include "registry/reference.h"

void cache_uses_release(struct cache_uses *uses)
{
    for (size_t i = 0; i < uses->count; i++)
        cache_record_release(&uses->items[i].record);
    free(uses->items);
    *uses = (struct cache_uses){0};
}

void cache_used(struct build *build, const struct making *making, const char *hex,
                const struct cache_record *record)
{
    struct cache_uses *uses = &build->uses;
    struct cache_use *use;

    pthread_mutex_lock(&build->lock);
    VEC_GROW(uses->items, uses->count, uses->capacity);
    use = &uses->items[uses->count++];
    *use = (struct cache_use){.making = making};
    memcpy(use->hex, hex, SHA256_HEX_SIZE);
    cache_record_copy(&use->record, record);
    pthread_mutex_unlock(&build->lock);
}

/* ---- what goes ---- */

struct export
{
    struct build *build;
    const struct cache_spec *spec;
    struct cache_doc doc;
    struct descriptor *layers; /* each once */
    size_t count, capacity;
};

static void export_release(struct export *x)
{
    for (size_t i = 0; i < x->count; i++)
        descriptor_release(&x->layers[i]);
    free(x->layers);
    cache_doc_release(&x->doc);
}

static bool is_of_target(const struct product *p, const struct making *making)
{
    const struct making *m = &p->stages[p->graph.target];

    while (m != making && m->stage->base.kind == SOURCE_STAGE)
        m = &p->stages[m->stage->base.stage];
    return m == making;
}

static void add_layer(struct export *x, const struct descriptor *layer)
{
    for (size_t i = 0; i < x->count; i++)
        if (strcmp(x->layers[i].digest, layer->digest) == 0)
            return;
    VEC_GROW(x->layers, x->count, x->capacity);
    x->layers[x->count] = (struct descriptor){0};
    descriptor_set(&x->layers[x->count++], layer->media_type, layer->digest, layer->size);
}

/* In the codec that was asked for. */
static int add_step(struct export *x, const char *hex, const struct cache_record *record,
                    struct err *err)
{
    const struct cache_spec *spec = x->spec;
    SCOPED(descriptor_release) struct descriptor other = {0};
    const struct descriptor *layer = &record->blob;

    if (!record->has_layer) {
        cache_doc_add(&x->doc, hex, record->created, NULL, NULL);
        return 0;
    }
    if (spec->has_codec && (recode_codec_of(layer) != spec->codec || spec->level)) {
        if (recode_layer(x->build->tools->layout, x->build->tools->pool, record->diff_id, layer,
                         spec->codec, spec->level, &other, err) < 0)
            return -1;
        layer = &other;
    }
    add_layer(x, layer);
    cache_doc_add(&x->doc, hex, record->created, record->diff_id, layer->digest);
    return 0;
}

/* Keys from elsewhere that say the same stay: a step that is taken by one key shows no other. */
static void add_other_keys(struct export *x)
{
    const struct imported *imported = &x->build->imported;

    for (size_t i = 0; i < imported->count; i++) {
        const struct cache_record *r = &imported->records[i].record;

        cache_doc_add_key(&x->doc, imported->records[i].hex, r->created,
                          r->has_layer ? r->diff_id : NULL, r->has_layer ? r->blob.digest : NULL);
    }
}

/* Steps of stages that nobody looked at, since what is made of them was remembered. */
static int add_unseen(struct export *x, const struct product *p, struct err *err)
{
    for (size_t i = 0; i < p->graph.order_count; i++) {
        const struct making *m = &p->stages[p->graph.order[i]];

        for (size_t k = 0; !m->wanted && m->definitions && k < m->stage->count; k++) {
            SCOPED(cache_record_release) struct cache_record record = {0};
            const char *hex = m->definitions[k].recall;

            if (hex[0] && cache_recall(x->build, m, hex, &record, err) > 0 &&
                add_step(x, hex, &record, err) < 0)
                return -1;
        }
    }
    return 0;
}

static int add_used(struct export *x, struct err *err)
{
    const struct cache_uses *uses = &x->build->uses;

    for (size_t i = 0; i < uses->count; i++)
        if ((x->spec->max || is_of_target(uses->items[i].making->product, uses->items[i].making)) &&
            add_step(x, uses->items[i].hex, &uses->items[i].record, err) < 0)
            return -1;
    for (size_t i = 0; x->spec->max && i < x->build->products_count; i++)
        if (add_unseen(x, &x->build->products[i], err) < 0)
            return -1;
    add_other_keys(x);
    return 0;
}

/* ---- where it goes ---- */

static int put(struct export *x, struct descriptor *out, struct err *err)
{
    const struct layout *layout = x->build->tools->layout;
    SCOPED(buf_release) struct buf text = {0}, printed = {0};
    SCOPED(descriptor_release) struct descriptor config = {0};
    json_auto_t *doc = NULL;
    char digest[DIGEST_SIZE];

    cache_doc_sort(&x->doc);
    doc = cache_doc_to_json(&x->doc);
    json_print(doc, &text);
    if (text.size > CACHE_DOC_MAX || x->count > MANIFEST_LAYERS_MAX)
        return err_set(err, ERR_INPUT, 0,
                       "it has %zu layers and %zu bytes of records; %d and %d "
                       "are the most; use mode=min",
                       x->count, text.size, MANIFEST_LAYERS_MAX, CACHE_DOC_MAX);
    if (layout_put(layout, text.ptr, text.size, digest, err) < 0)
        return -1;
    descriptor_set(&config, MEDIA_CACHE_CONFIG, digest, text.size);
    manifest_print_image(&config, x->layers, x->count, NULL, &printed);
    if (layout_put(layout, printed.ptr, printed.size, digest, err) < 0)
        return -1;
    descriptor_set(out, MEDIA_OCI_MANIFEST, digest, printed.size);
    return 0;
}

static int send_away(struct export *x, const struct descriptor *cache, struct err *err)
{
    const struct build_tools *tools = x->build->tools;
    SCOPED(strv_release) struct strv names = {0};
    SCOPED(reference_release) struct reference ref = {0};
    SCOPED(push_result_release) struct push_result pushed = {0};

    if (x->spec->type == CACHE_REGISTRY)
        return reference_parse(x->spec->ref, &ref, err) < 0
                   ? -1
                   : push_image(tools->remote, tools->layout, tools->pool, cache, NULL, &ref, 0,
                                &pushed, err);
    for (size_t i = 0; i < x->count; i++)
        layout_prefetch(tools->layout, x->layers[i].digest);
    strv_add(&names, x->spec->tag ? x->spec->tag : "latest");
    return oci_dir_write(tools->layout, cache, &names, x->spec->dir, err);
}

static const char *place_of(const struct cache_spec *spec)
{
    return spec->type == CACHE_LOCAL ? spec->dir : spec->ref;
}

static void add_content_layer(void *ctx, const struct descriptor *layer)
{
    add_layer(ctx, layer);
}

static int export_one(struct build *build, const struct cache_spec *spec, struct err *err)
{
    SCOPED(export_release) struct export x = {.build = build, .spec = spec};
    SCOPED(descriptor_release) struct descriptor cache = {0};

    if (add_used(&x, err) < 0 ||
        cache_content_export(build, spec, &x.doc, add_content_layer, &x, err) < 0)
        return -1;
    return put(&x, &cache, err) < 0 ? -1 : send_away(&x, &cache, err);
}

int cache_export_check(const struct cache_spec *specs, size_t count, struct err *err)
{
    for (size_t i = 0; i < count; i++) {
        SCOPED(reference_release) struct reference ref = {0};

        if (specs[i].type != CACHE_REGISTRY)
            continue;
        if (reference_parse(specs[i].ref, &ref, err) < 0)
            return err_wrap(err, "--cache-to");
        if (ref.digest)
            return err_set(err, ERR_USAGE, 0, "--cache-to %s: a name to give has no digest",
                           specs[i].ref);
    }
    return 0;
}

int cache_export(struct build *build, struct err *err)
{
    for (size_t i = 0; i < build->options->cache_to_count; i++) {
        const struct cache_spec *spec = &build->options->cache_to[i];
        struct err why = {0};
        int step, rc;

        if (spec->type == CACHE_INLINE)
            continue;
        step = progress_begin("cache to %s", place_of(spec));
        rc = export_one(build, spec, &why);
        progress_finish(step, rc < 0 ? PROGRESS_FAILED : PROGRESS_DONE, NULL);
        if (rc < 0 && !spec->ignore_error) {
            *err = why;
            return err_wrap(err, "--cache-to %s", place_of(spec));
        }
        if (rc < 0)
            log_warn("the cache %s is not written: %s", place_of(spec), why.text);
    }
    return 0;
}

/* The layers are the image's own, whatever codec its output has: diff ids say which. */
json_t *cache_export_inline(struct build *build, const struct product *product)
{
    SCOPED(cache_doc_release) struct cache_doc doc = {0};
    bool wanted = build->control.inline_cache;

    for (size_t i = 0; i < build->options->cache_to_count; i++)
        wanted = wanted || build->options->cache_to[i].type == CACHE_INLINE;
    if (!wanted)
        return NULL;
    for (size_t i = 0; i < build->uses.count; i++) {
        const struct cache_use *use = &build->uses.items[i];

        if (use->making->product == product && is_of_target(product, use->making))
            cache_doc_add(&doc, use->hex, use->record.created,
                          use->record.has_layer ? use->record.diff_id : NULL, NULL);
    }
    cache_doc_sort(&doc);
    return cache_doc_to_json(&doc);
}
