/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cache.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/log.h"
#include "base/scope.h"
#include "registry/layout.h"

/* Raised whenever a step, given the same fields, may give another layer than before. */
#define VERSION "slipway-step-2"
#define RECORD_MAX 65536

static void begin(struct cache_key *key)
{
    key->fields = NULL;
    sha256_begin(&key->hash);
    sha256_add_framed(&key->hash, STR(VERSION));
}

void cache_key_begin(struct cache_key *key, const struct stack *below, const char *kind)
{
    begin(key);
    sha256_add_u64(&key->hash, below->count);
    for (size_t i = 0; i < below->count; i++)
        sha256_add_framed(&key->hash, str_of(below->layers[i].diff_id));
    sha256_add_framed(&key->hash, str_of(kind));
}

void cache_key_begin_defined(struct cache_key *key, const char *parent, const char *kind,
                             struct strv *fields)
{
    begin(key);
    key->fields = fields;
    sha256_add_framed(&key->hash, STR("defined"));
    sha256_add_framed(&key->hash, str_of(parent));
    sha256_add_framed(&key->hash, str_of(kind));
    if (fields)
        strv_addf(fields, "instruction=%s", kind);
}

void cache_key_text(struct cache_key *key, const char *name, const char *text)
{
    sha256_add_framed(&key->hash, str_of(name));
    sha256_add_u64(&key->hash, text != NULL);
    sha256_add_framed(&key->hash, str_of(text));
    if (key->fields && text && *text)
        strv_addf(key->fields, "%s=%s", name, text);
}

void cache_key_list(struct cache_key *key, const char *name, const struct strv *list)
{
    sha256_add_framed(&key->hash, str_of(name));
    sha256_add_u64(&key->hash, list->count);
    for (size_t i = 0; i < list->count; i++) {
        sha256_add_framed(&key->hash, str_of(list->ptr[i]));
        if (key->fields)
            strv_addf(key->fields, "%s %zu=%s", name, i, list->ptr[i]);
    }
}

void cache_key_u64(struct cache_key *key, const char *name, uint64_t value)
{
    sha256_add_framed(&key->hash, str_of(name));
    sha256_add_u64(&key->hash, value);
    if (key->fields && value)
        strv_addf(key->fields, "%s=%llu", name, (unsigned long long)value);
}

void cache_key_end(struct cache_key *key)
{
    sha256_end_hex(&key->hash, key->hex);
}

void cache_record_release(struct cache_record *record)
{
    descriptor_release(&record->blob);
    survey_release(&record->survey);
    *record = (struct cache_record){0};
}

void cache_record_copy(struct cache_record *to, const struct cache_record *from)
{
    *to = *from;
    to->blob = (struct descriptor){0};
    if (from->has_layer)
        descriptor_copy(&to->blob, &from->blob);
    survey_copy(&to->survey, &from->survey);
}

static int parse_record(struct str text, struct cache_record *record, struct err *err)
{
    json_auto_t *doc = json_parse(text, err);
    const char *created = NULL, *diff_id = NULL;
    json_t *layer = NULL, *elf = NULL, *usage = NULL;

    if (!doc ||
        json_take(doc, err, "{s:s, s?s, s?o, s?o, s?o}", "created", &created, "diffId", &diff_id,
                  "layer", &layer, "elf", &elf, "usage", &usage) < 0 ||
        (elf && survey_from_json(elf, &record->survey, err) < 0) ||
        (usage && step_usage_from_json(usage, &record->usage, err) < 0))
        return -1;
    snprintf(record->created, sizeof(record->created), "%s", created);
    if (!layer)
        return 0;
    if (!diff_id || !digest_valid(diff_id))
        return err_set(err, ERR_INPUT, 0, "diffId is not a sha256 digest");
    memcpy(record->diff_id, diff_id, DIGEST_SIZE);
    record->has_layer = true;
    return descriptor_from_json(layer, &record->blob, err);
}

static void record_path(const char *hex, char out[static 80])
{
    snprintf(out, 80, "steps/%s", hex);
}

int cache_find(const struct layout *layout, const char *hex, struct cache_record *record,
               struct err *err)
{
    SCOPED(buf_release) struct buf text = {0};
    struct err why = {0};
    char path[80];

    record_path(hex, path);
    if (fs_read_file(layout->cache_fd, path, &text, RECORD_MAX, &why) < 0) {
        if (why.kind == ERR_SYSTEM && why.code == ENOENT)
            return 0;
        *err = why;
        return -1;
    }
    if (parse_record(buf_str(&text), record, &why) < 0) {
        log_debug("step record %s counts as none: %s", hex, why.text);
        cache_record_release(record);
        return 0;
    }
    if (record->has_layer && !layout_can_have(layout, record->blob.digest)) {
        log_debug("step record %s counts as none: its layer %s is gone", hex, record->blob.digest);
        cache_record_release(record);
        return 0;
    }
    return 1;
}

int cache_save(const struct layout *layout, const char *hex, const struct cache_record *record,
               struct err *err)
{
    json_auto_t *doc = json_pack("{s:s}", "created", record->created);
    SCOPED(buf_release) struct buf text = {0};
    char path[80];

    if (record->has_layer) {
        json_object_set_new(doc, "diffId", json_string(record->diff_id));
        json_object_set_new(doc, "layer", descriptor_to_json(&record->blob));
    }
    if (record->survey.count)
        json_object_set_new(doc, "elf", survey_to_json(&record->survey));
    if (record->usage.known)
        json_object_set_new(doc, "usage", step_usage_to_json(&record->usage));
    json_print(doc, &text);
    record_path(hex, path);
    if (fs_mkdirs(layout->cache_fd, "steps", 0700, err) < 0)
        return -1;
    return fs_replace(layout->cache_fd, path, text.ptr, text.size, 0600, false, err);
}

static void shape_path(const char *hex, char out[static 80])
{
    snprintf(out, 80, "shapes/%s", hex);
}

bool cache_knows_shape(const struct layout *layout, const char *hex)
{
    char path[80];

    shape_path(hex, path);
    return faccessat(layout->cache_fd, path, F_OK, 0) == 0;
}

int cache_save_shape(const struct layout *layout, const char *hex, struct err *err)
{
    char path[80];

    shape_path(hex, path);
    if (fs_mkdirs(layout->cache_fd, "shapes", 0700, err) < 0)
        return -1;
    return fs_replace(layout->cache_fd, path, "", 0, 0600, false, err);
}
