/* SPDX-License-Identifier: Apache-2.0 */
#include "base/progress_json.h"

#include "base/clock.h"
#include "base/enc.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/scope.h"

static void set_digest(json_t *object, const char *key, const struct progress_vertex *v)
{
    char digest[DIGEST_SIZE];
    struct sha256 hash;

    sha256_begin(&hash);
    sha256_add_u64(&hash, (uint64_t)v->number);
    sha256_add_framed(&hash, str_of(v->name));
    sha256_end_digest(&hash, digest);
    json_object_set_new(object, key, json_string(digest));
}

static void set_time(json_t *object, const char *key, struct timespec t)
{
    char text[CLOCK_TEXT_SIZE];

    json_object_set_new(object, key, json_string(clock_rfc3339(t, text)));
}

static void set_bytes(json_t *object, const char *key, struct str bytes)
{
    SCOPED(buf_release) struct buf text = {0};

    base64_encode(&text, bytes.ptr, bytes.size);
    json_object_set_new(object, key, json_string(buf_cstr(&text)));
}

/* Takes item. */
static void print(struct buf *out, const char *kind, json_t *item)
{
    json_auto_t *doc = json_pack("{s:[o]}", kind, item);

    json_print(doc, out);
    buf_addc(out, '\n');
}

static json_t *vertex(const struct progress_vertex *v)
{
    json_t *object = json_pack("{s:s}", "name", v->name);

    set_digest(object, "digest", v);
    set_time(object, "started", v->started);
    return object;
}

void progress_json_begin(struct buf *out, const struct progress_vertex *v)
{
    print(out, "vertexes", vertex(v));
}

void progress_json_end(struct buf *out, const struct progress_vertex *v, struct timespec now,
                       bool cached, const char *error)
{
    json_t *object = vertex(v);

    set_time(object, "completed", now);
    if (cached)
        json_object_set_new(object, "cached", json_true());
    if (error)
        json_object_set_new(object, "error", json_string(error));
    print(out, "vertexes", object);
}

static json_t *status(const struct progress_vertex *v, struct timespec now, const char *id,
                      uint64_t current)
{
    json_t *object = json_pack("{s:s, s:I}", "id", id, "current", (json_int_t)current);

    set_digest(object, "vertex", v);
    set_time(object, "timestamp", now);
    return object;
}

void progress_json_status(struct buf *out, const struct progress_vertex *v, struct timespec now,
                          uint64_t done, uint64_t total)
{
    json_t *object = status(v, now, "bytes", done);

    if (total)
        json_object_set_new(object, "total", json_integer((json_int_t)total));
    print(out, "statuses", object);
}

void progress_json_usage(struct buf *out, const struct progress_vertex *v, struct timespec now,
                         const char *id, uint64_t value)
{
    print(out, "statuses", status(v, now, id, value));
}

void progress_json_log(struct buf *out, const struct progress_vertex *v, struct timespec now,
                       struct str bytes)
{
    json_t *object = json_pack("{s:i}", "stream", 1);

    set_digest(object, "vertex", v);
    set_bytes(object, "data", bytes);
    set_time(object, "timestamp", now);
    print(out, "logs", object);
}

void progress_json_note(struct buf *out, struct str text)
{
    json_t *object = json_pack("{s:s, s:i}", "vertex", "", "level", 1);

    set_bytes(object, "short", text);
    print(out, "warnings", object);
}
