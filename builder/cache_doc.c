/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cache_doc.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/scope.h"

#define VERSION 1
#define MODE_MAX 07777
#define ID_MAX 4096

static void entry_release(struct cache_entry *e)
{
    strv_release(&e->keys);
}

void cache_doc_release(struct cache_doc *doc)
{
    for (size_t i = 0; i < doc->count; i++)
        entry_release(&doc->entries[i]);
    for (size_t i = 0; i < doc->contents_count; i++)
        free(doc->contents[i].id);
    free(doc->entries);
    free(doc->contents);
    *doc = (struct cache_doc){0};
}

static bool is_hex(const char *text)
{
    return strlen(text) == SHA256_HEX_SIZE - 1 &&
           strspn(text, "0123456789abcdef") == SHA256_HEX_SIZE - 1;
}

static int take_digest(const char *text, const char *what, char out[static DIGEST_SIZE],
                       struct err *err)
{
    if (!digest_valid(text))
        return err_set(err, ERR_INPUT, 0, "%s is not a sha256 digest", what);
    memcpy(out, text, DIGEST_SIZE);
    return 0;
}

/* A moment goes into an image's history: only one that is one. */
static int take_created(const char *text, char out[static CLOCK_TEXT_SIZE], struct err *err)
{
    struct timespec ignored;

    if (strlen(text) >= CLOCK_TEXT_SIZE || !clock_parse_rfc3339(str_of(text), &ignored))
        return err_set(err, ERR_INPUT, 0, "created is not a moment");
    memcpy(out, text, strlen(text) + 1);
    return 0;
}

static int take_keys(json_t *list, struct strv *keys, struct err *err)
{
    json_t *value;
    size_t i;

    json_array_foreach(list, i, value)
    {
        const char *text = json_string_value(value);

        if (!text || !is_hex(text))
            return err_set(err, ERR_INPUT, 0, "a key is not 64 hex digits");
        strv_add(keys, text);
    }
    return keys->count ? 0 : err_set(err, ERR_INPUT, 0, "it has no keys");
}

static int take_entry(json_t *value, struct cache_doc *doc, struct err *err)
{
    const char *created, *diff_id = NULL, *layer = NULL;
    struct cache_entry *e;
    json_t *keys;

    if (json_take(value, err, "{s:o, s:s, s?s, s?s}", "keys", &keys, "created", &created, "diffId",
                  &diff_id, "layer", &layer) < 0)
        return -1;
    VEC_GROW(doc->entries, doc->count, doc->capacity);
    e = &doc->entries[doc->count++];
    *e = (struct cache_entry){0};
    if (take_keys(keys, &e->keys, err) < 0 || take_created(created, e->created, err) < 0)
        return -1;
    if (layer && !diff_id)
        return err_set(err, ERR_INPUT, 0, "it has a layer and no diffId");
    if (diff_id && take_digest(diff_id, "diffId", e->diff_id, err) < 0)
        return -1;
    return layer ? take_digest(layer, "layer", e->layer, err) : 0;
}

static int take_content(json_t *value, struct cache_doc *doc, struct err *err)
{
    const char *name, *id, *diff_id, *layer;
    json_int_t mode, uid, gid;
    struct cache_content *c;

    if (json_take(value, err, "{s:s, s:s, s:I, s:I, s:I, s:s, s:s}", "name", &name, "id", &id,
                  "mode", &mode, "uid", &uid, "gid", &gid, "diffId", &diff_id, "layer", &layer) < 0)
        return -1;
    if (!is_hex(name))
        return err_set(err, ERR_INPUT, 0, "name is not 64 hex digits");
    if (!*id || strlen(id) > ID_MAX)
        return err_set(err, ERR_INPUT, 0, "id is empty, or longer than %d bytes", ID_MAX);
    if (mode < 0 || mode > MODE_MAX || uid < 0 || uid >= UINT32_MAX || gid < 0 || gid >= UINT32_MAX)
        return err_set(err, ERR_INPUT, 0, "mode, uid or gid is out of range");
    c = cache_doc_add_content(doc);
    c->id = xstrdup(id);
    memcpy(c->name, name, SHA256_HEX_SIZE);
    c->mode = (uint32_t)mode;
    c->uid = (uint32_t)uid;
    c->gid = (uint32_t)gid;
    return take_digest(diff_id, "diffId", c->diff_id, err) < 0
               ? -1
               : take_digest(layer, "layer", c->layer, err);
}

static int take_all(json_t *doc, struct cache_doc *out, struct err *err)
{
    json_t *records, *mounts = NULL, *value;
    int version;
    size_t i;

    if (json_take(doc, err, "{s:i, s:o, s?o}", "version", &version, "records", &records, "mounts",
                  &mounts) < 0)
        return -1;
    if (version != VERSION)
        return err_set(err, ERR_INPUT, 0, "its version is %d, and %d is read here", version,
                       VERSION);
    if (!json_is_array(records) || (mounts && !json_is_array(mounts)))
        return err_set(err, ERR_INPUT, 0, "records or mounts is no list");
    json_array_foreach(records, i, value) if (take_entry(value, out, err) <
                                              0) return err_wrap(err, "record %zu", i + 1);
    json_array_foreach(mounts, i, value) if (take_content(value, out, err) <
                                             0) return err_wrap(err, "mount %zu", i + 1);
    return 0;
}

int cache_doc_parse(json_t *value, struct cache_doc *out, struct err *err)
{
    *out = (struct cache_doc){0};
    if (take_all(value, out, err) == 0)
        return 0;
    cache_doc_release(out);
    return -1;
}

static json_t *entry_to_json(const struct cache_entry *e)
{
    json_t *object = json_pack("{s:s, s:[]}", "created", e->created, "keys");
    json_t *keys = json_object_get(object, "keys");

    for (size_t i = 0; i < e->keys.count; i++)
        json_array_append_new(keys, json_string(e->keys.ptr[i]));
    if (e->diff_id[0])
        json_object_set_new(object, "diffId", json_string(e->diff_id));
    if (e->layer[0])
        json_object_set_new(object, "layer", json_string(e->layer));
    return object;
}

json_t *cache_doc_to_json(const struct cache_doc *doc)
{
    json_t *object = json_pack("{s:i, s:[]}", "version", VERSION, "records");
    json_t *records = json_object_get(object, "records"), *mounts;

    for (size_t i = 0; i < doc->count; i++)
        json_array_append_new(records, entry_to_json(&doc->entries[i]));
    if (!doc->contents_count)
        return object;
    mounts = json_array();
    for (size_t i = 0; i < doc->contents_count; i++) {
        const struct cache_content *c = &doc->contents[i];

        json_array_append_new(
            mounts, json_pack("{s:s, s:s, s:I, s:I, s:I, s:s, s:s}", "name", c->name, "id", c->id,
                              "mode", (json_int_t)c->mode, "uid", (json_int_t)c->uid, "gid",
                              (json_int_t)c->gid, "diffId", c->diff_id, "layer", c->layer));
    }
    json_object_set_new(object, "mounts", mounts);
    return object;
}

static bool says(const struct cache_entry *e, const char *created, const char *diff_id,
                 const char *layer)
{
    return strcmp(e->created, created) == 0 && strcmp(e->diff_id, diff_id ? diff_id : "") == 0 &&
           strcmp(e->layer, layer ? layer : "") == 0;
}

static struct cache_entry *find(const struct cache_doc *doc, const char *created,
                                const char *diff_id, const char *layer)
{
    for (size_t i = 0; i < doc->count; i++)
        if (says(&doc->entries[i], created, diff_id, layer))
            return &doc->entries[i];
    return NULL;
}

void cache_doc_add_key(struct cache_doc *doc, const char *key, const char *created,
                       const char *diff_id, const char *layer)
{
    struct cache_entry *e = find(doc, created, diff_id, layer);

    if (e && !strv_has(&e->keys, key))
        strv_add(&e->keys, key);
}

void cache_doc_add(struct cache_doc *doc, const char *key, const char *created, const char *diff_id,
                   const char *layer)
{
    struct cache_entry *e;

    if (!find(doc, created, diff_id, layer)) {
        VEC_GROW(doc->entries, doc->count, doc->capacity);
        e = &doc->entries[doc->count++];
        *e = (struct cache_entry){0};
        memcpy(e->created, created, strlen(created) + 1);
        if (diff_id)
            memcpy(e->diff_id, diff_id, DIGEST_SIZE);
        if (layer)
            memcpy(e->layer, layer, DIGEST_SIZE);
    }
    cache_doc_add_key(doc, key, created, diff_id, layer);
}

struct cache_content *cache_doc_add_content(struct cache_doc *doc)
{
    VEC_GROW(doc->contents, doc->contents_count, doc->contents_capacity);
    doc->contents[doc->contents_count] = (struct cache_content){0};
    return &doc->contents[doc->contents_count++];
}

static int by_key(const void *a, const void *b)
{
    const struct cache_entry *x = a, *y = b;

    return strcmp(x->keys.ptr[0], y->keys.ptr[0]);
}

static int by_name(const void *a, const void *b)
{
    const struct cache_content *x = a, *y = b;

    return strcmp(x->name, y->name);
}

void cache_doc_sort(struct cache_doc *doc)
{
    for (size_t i = 0; i < doc->count; i++)
        strv_sort(&doc->entries[i].keys);
    if (doc->count)
        qsort(doc->entries, doc->count, sizeof(*doc->entries), by_key);
    if (doc->contents_count)
        qsort(doc->contents, doc->contents_count, sizeof(*doc->contents), by_name);
}
