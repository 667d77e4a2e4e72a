/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cache_import.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/progress.h"
#include "base/scope.h"
#include "builder/exec.h"
#include "builder/foreign.h"
#include "builder/lazy.h"
#include "registry/config.h"
#include "registry/layout.h"
#include "registry/manifest.h"
#include "registry/reference.h"
#include "registry/remote.h"

#define RECORDS_MAX 100000 /* ours: of all that is read; a build has some dozens */

/* One --cache-from while it is read. */
struct reading {
    struct imported *imported;
    const struct import_tools *tools;
    const struct cache_spec *spec;
    size_t number;
    struct reference ref; /* CACHE_REGISTRY */
    struct remote_places places;
    size_t place;
    int dir_fd; /* CACHE_LOCAL */
};

static void reading_release(struct reading *r)
{
    reference_release(&r->ref);
    remote_places_release(&r->places);
    scope_close(&r->dir_fd);
}

void imported_release(struct imported *imported)
{
    for (size_t i = 0; i < imported->count; i++)
        cache_record_release(&imported->records[i].record);
    for (size_t i = 0; i < imported->contents_count; i++) {
        free(imported->contents[i].content.id);
        descriptor_release(&imported->contents[i].blob);
    }
    free(imported->records);
    free(imported->contents);
    *imported = (struct imported){0};
}

/* ---- from a document to the table ---- */

static const struct descriptor *layer_called(const struct manifest *m, const char *digest)
{
    for (size_t i = 0; i < m->layers_count; i++)
        if (strcmp(m->layers[i].digest, digest) == 0)
            return &m->layers[i];
    return NULL;
}

/* Inline: the image's config says which layer has that diff id. */
static const struct descriptor *layer_of_diff_id(const struct manifest *m,
                                                 const struct strv *diff_ids, const char *diff_id)
{
    for (size_t i = 0; i < diff_ids->count && i < m->layers_count; i++)
        if (strcmp(diff_ids->ptr[i], diff_id) == 0)
            return &m->layers[i];
    return NULL;
}

static int add_record(struct reading *r, const struct cache_entry *e,
                      const struct descriptor *layer, struct err *err)
{
    struct imported *to = r->imported;

    for (size_t i = 0; i < e->keys.count; i++) {
        struct imported_record *record;

        if (to->count >= RECORDS_MAX)
            return err_set(err, ERR_INPUT, 0, "more than %d records", RECORDS_MAX);
        VEC_GROW(to->records, to->count, to->capacity);
        record = &to->records[to->count++];
        *record = (struct imported_record){.number = r->number};
        memcpy(record->hex, e->keys.ptr[i], SHA256_HEX_SIZE);
        memcpy(record->record.created, e->created, sizeof(e->created));
        if (!layer)
            continue;
        record->record.has_layer = true;
        memcpy(record->record.diff_id, e->diff_id, DIGEST_SIZE);
        descriptor_set(&record->record.blob, layer->media_type, layer->digest, layer->size);
    }
    return 0;
}

/* What names no layer of the manifest is passed over: there would be no place to have it from. */
static int add_doc(struct reading *r, const struct manifest *m, const struct cache_doc *doc,
                   const struct strv *diff_ids, struct err *err)
{
    for (size_t i = 0; i < doc->count; i++) {
        const struct cache_entry *e = &doc->entries[i];
        const struct descriptor *layer = NULL;

        if (e->diff_id[0])
            layer =
                e->layer[0] ? layer_called(m, e->layer) : layer_of_diff_id(m, diff_ids, e->diff_id);
        if (e->diff_id[0] && (!layer || !media_is_layer(layer->media_type)))
            continue;
        if (add_record(r, e, layer, err) < 0)
            return -1;
    }
    for (size_t i = 0; r->spec->mounts && i < doc->contents_count; i++) {
        const struct cache_content *c = &doc->contents[i];
        const struct descriptor *layer = layer_called(m, c->layer);
        struct imported *to = r->imported;

        if (!layer || imported_find_content(to, c->name))
            continue;
        VEC_GROW(to->contents, to->contents_count, to->contents_capacity);
        to->contents[to->contents_count] = (struct imported_content){.content = *c};
        to->contents[to->contents_count].content.id = xstrdup(c->id);
        descriptor_set(&to->contents[to->contents_count++].blob, layer->media_type, layer->digest,
                       layer->size);
    }
    return 0;
}

static int add_blobs(struct reading *r, const struct descriptor *blobs, size_t count,
                     struct err *err)
{
    return r->dir_fd >= 0 ? lazy_add_dir(r->tools->lazy, r->dir_fd, blobs, count, err)
                          : lazy_add_remote(r->tools->lazy, &r->ref, r->place, blobs, count, err);
}

/* A manifest of ours, or of an image whose config holds records. */
static int add_manifest(struct reading *r, const struct manifest *m, struct err *err)
{
    SCOPED(buf_release) struct buf bytes = {0};
    SCOPED(cache_doc_release) struct cache_doc doc = {0};
    SCOPED(strv_release) struct strv diff_ids = {0};
    json_auto_t *config = NULL;
    json_t *value;

    if (m->config.size > CACHE_DOC_MAX)
        return err_set(err, ERR_INPUT, 0, "its config has %" PRIu64 " bytes, more than %d",
                       m->config.size, CACHE_DOC_MAX);
    if (add_blobs(r, &m->config, 1, err) < 0 ||
        layout_read_blob(r->tools->layout, m->config.digest, CACHE_DOC_MAX, &bytes, err) < 0)
        return -1;
    config = json_parse(buf_str(&bytes), err);
    if (!config)
        return err_wrap(err, "config %s", m->config.digest);
    value = config;
    if (strcmp(m->config.media_type, MEDIA_CACHE_CONFIG) != 0) {
        value = json_object_get(config, CACHE_DOC_INLINE);
        config_diff_ids(config, &diff_ids);
        if (!value)
            return err_set(err, ERR_INPUT, 0,
                           "it is an image without a cache (build it with --cache-to type=inline)");
    }
    if (cache_doc_parse(value, &doc, err) < 0)
        return err_wrap(err, "config %s", m->config.digest);
    log_debug("cache: %zu records, %zu cache mounts", doc.count, doc.contents_count);
    return add_blobs(r, m->layers, m->layers_count, err) < 0 ? -1
                                                             : add_doc(r, m, &doc, &diff_ids, err);
}

/* ---- where it is ---- */

typedef int load_fn(struct reading *r, const struct descriptor *d, struct manifest *m,
                    struct err *err);

static int load_remote(struct reading *r, const struct descriptor *d, struct manifest *m,
                       struct err *err)
{
    SCOPED(remote_manifest_release) struct remote_manifest got = {0};

    if (remote_fetch_manifest(r->tools->remote, &r->places, r->ref.tag,
                              d ? d->digest : r->ref.digest, &got, err) <= 0)
        return -1;
    r->place = got.place;
    return manifest_parse(buf_str(&got.bytes), d ? d->media_type : got.media_type, m, err);
}

static int load_local(struct reading *r, const struct descriptor *d, struct manifest *m,
                      struct err *err)
{
    SCOPED(descriptor_release) struct descriptor found = {0};

    if (!d && foreign_find(r->dir_fd, r->spec->tag, r->spec->digest, &found, err) < 0)
        return -1;
    d = d ? d : &found;
    if (d->size > MANIFEST_MAX)
        return err_set(err, ERR_INPUT, 0, "manifest %s is too large", d->digest);
    return foreign_copy_blob(r->tools->layout, r->dir_fd, d, err) < 0
               ? -1
               : layout_load_manifest(r->tools->layout, d, m, err);
}

/* An index has an image for each platform; those that are built are looked at. */
static int add_all(struct reading *r, load_fn *load, struct err *err)
{
    SCOPED(manifest_release) struct manifest root = {0};

    if (load(r, NULL, &root, err) < 0)
        return -1;
    if (!root.is_index)
        return add_manifest(r, &root, err);
    for (size_t i = 0; i < r->tools->platforms_count; i++) {
        SCOPED(manifest_release) struct manifest m = {0};
        const struct descriptor *d = manifest_select(&root, &r->tools->platforms[i], err);

        if (!d || load(r, d, &m, err) < 0)
            return -1;
        if (m.is_index)
            return err_set(err, ERR_INPUT, 0, "it is an index of indexes");
        if (add_manifest(r, &m, err) < 0)
            return -1;
    }
    return 0;
}

static int read_spec(struct reading *r, struct err *err)
{
    if (r->spec->type == CACHE_LOCAL) {
        r->dir_fd = fs_open_dir(AT_FDCWD, r->spec->dir, err);
        return r->dir_fd < 0 ? -1 : add_all(r, load_local, err);
    }
    if (reference_parse(r->spec->ref, &r->ref, err) < 0 ||
        remote_find(r->tools->remote, &r->ref, false, &r->places, err) < 0)
        return -1;
    return add_all(r, load_remote, err);
}

static int by_hex(const void *a, const void *b)
{
    const struct imported_record *x = a, *y = b;
    int order = strcmp(x->hex, y->hex);

    return order ? order : (x->number > y->number) - (x->number < y->number);
}

int imported_read(struct imported *imported, const struct cache_spec *specs, size_t count,
                  const struct import_tools *tools, struct err *err)
{
    for (size_t i = 0; i < count; i++) {
        SCOPED(reading_release)
        struct reading r = {
            .imported = imported, .tools = tools, .spec = &specs[i], .number = i, .dir_fd = -1};
        const char *name = specs[i].type == CACHE_LOCAL ? specs[i].dir : specs[i].ref;
        int step = progress_begin("cache from %s", name);
        struct err why = {0};
        int rc = read_spec(&r, &why);

        progress_finish(step, rc < 0 ? PROGRESS_FAILED : PROGRESS_DONE, NULL);
        if (rc == 0)
            continue;
        if (specs[i].required) {
            *err = why;
            return err_wrap(err, "--cache-from %s", name);
        }
        log_warn("nothing is taken from the cache %s: %s", name, why.text);
    }
    if (imported->count)
        qsort(imported->records, imported->count, sizeof(*imported->records), by_hex);
    return 0;
}

/* ---- what it knows ---- */

static const struct imported_record *first_of(const struct imported *imported, const char *hex)
{
    size_t low = 0, high = imported->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (strcmp(imported->records[middle].hex, hex) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < imported->count && strcmp(imported->records[low].hex, hex) == 0
               ? &imported->records[low]
               : NULL;
}

/* The layer can be had, and is not known to hold something else than the record says. */
static bool is_good(const struct layout *layout, struct lazy *lazy, const struct cache_record *r)
{
    struct err why = {0};

    if (!r->has_layer)
        return true;
    if (!layout_can_have(layout, r->blob.digest) || !lazy_expect(lazy, r->blob.digest, r->diff_id))
        return false;
    if (!layout_has(layout, r->blob.digest) ||
        lazy_check(lazy, r->blob.digest, r->diff_id, &why) > 0)
        return true;
    log_warn("a record of the cache counts as none: layer %s does not hold %s", r->blob.digest,
             r->diff_id);
    return false;
}

/* 1: there is a record for this key, and its layer can be had; 0. */
static int imported_find(const struct imported *imported, const struct layout *layout,
                         struct lazy *lazy, const char *hex, struct cache_record *record)
{
    const struct imported_record *end = imported->records + imported->count;

    for (const struct imported_record *r = first_of(imported, hex);
         r && r < end && strcmp(r->hex, hex) == 0; r++)
        if (is_good(layout, lazy, &r->record)) {
            cache_record_copy(record, &r->record);
            return 1;
        }
    return 0;
}

const struct imported_content *imported_find_content(const struct imported *imported,
                                                     const char *name)
{
    for (size_t i = 0; i < imported->contents_count; i++)
        if (strcmp(imported->contents[i].content.name, name) == 0)
            return &imported->contents[i];
    return NULL;
}

bool cache_names_stage(const struct stage *stage, const char *text)
{
    char number[24];

    snprintf(number, sizeof(number), "%zu", stage->index);
    return strcmp(text, number) == 0 || (stage->name && str_is_nocase(str_of(text), stage->name));
}

bool cache_is_filtered(const struct build *build, const struct making *making)
{
    const struct strv *filter = build->options->no_cache_filter;

    for (size_t i = 0; filter && i < filter->count; i++)
        if (cache_names_stage(making->stage, filter->ptr[i]))
            return true;
    return false;
}

bool cache_may_recall(const struct build *build, const struct making *making)
{
    return !build->options->no_cache && !cache_is_filtered(build, making);
}

int cache_recall(const struct build *build, const struct making *making, const char *hex,
                 struct cache_record *record, struct err *err)
{
    const struct layout *layout = build->tools->layout;
    int found;

    if (!cache_may_recall(build, making))
        return 0;
    found = cache_find(layout, hex, record, err);
    if (found)
        return found;
    return imported_find(&build->imported, layout, build->lazy, hex, record) ? 2 : 0;
}

static bool is_imported(const struct imported *imported, const struct cache_use *use)
{
    const struct imported_record *end = imported->records + imported->count;

    for (const struct imported_record *r = first_of(imported, use->hex);
         r && r < end && strcmp(r->hex, use->hex) == 0; r++)
        if (strcmp(r->record.blob.digest, use->record.blob.digest) == 0 &&
            strcmp(r->record.diff_id, use->record.diff_id) == 0)
            return true;
    return false;
}

/* A record that nobody looked at must not outlive the build: the next one may not trust its
 * source. */
int cache_keep_imported(struct build *build, struct err *err)
{
    const struct layout *layout = build->tools->layout;

    for (size_t i = 0; build->imported.count && i < build->uses.count; i++) {
        const struct cache_use *use = &build->uses.items[i];
        const struct cache_record *r = &use->record;
        struct err why = {0};

        if (!is_imported(&build->imported, use))
            continue;
        if (r->has_layer && (!layout_has(layout, r->blob.digest) ||
                             lazy_check(build->lazy, r->blob.digest, r->diff_id, &why) <= 0))
            continue;
        if (cache_save(layout, use->hex, r, err) < 0)
            return -1;
    }
    return 0;
}
