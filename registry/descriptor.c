/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/descriptor.h"

#include <string.h>

#include "base/alloc.h"
#include "base/scope.h"
#include "base/str.h"

#define MEDIA_TYPE_MAX 255 /* RFC 6838 §4.2: 127 + "/" + 127 */

void descriptor_release(struct descriptor *d)
{
    scope_free(&d->media_type);
    json_decref(d->doc);
    *d = (struct descriptor){0};
}

void descriptor_copy(struct descriptor *to, const struct descriptor *from)
{
    *to = *from;
    to->media_type = xstrdup(from->media_type);
    json_incref(to->doc);
}

void descriptor_set(struct descriptor *d, const char *media_type, const char *digest, uint64_t size)
{
    BUG_ON(!digest_valid(digest));
    *d = (struct descriptor){.media_type = xstrdup(media_type), .size = size};
    memcpy(d->digest, digest, DIGEST_SIZE);
}

void descriptor_set_platform(struct descriptor *d, const struct platform *p)
{
    d->platform = *p;
    d->has_platform = true;
}

static bool media_type_valid(const char *type)
{
    size_t size = strlen(type);

    if (size == 0 || size > MEDIA_TYPE_MAX)
        return false;
    for (size_t i = 0; i < size; i++)
        if (type[i] <= ' ' || type[i] >= 0x7f || type[i] == '"' || type[i] == ',')
            return false;
    return true;
}

static int check_digest(const char *digest, struct err *err)
{
    SCOPED(buf_release) struct buf shown = {0};

    if (digest_valid(digest))
        return 0;
    buf_add_escaped(&shown, str_slice(str_of(digest), 0, 150));
    return err_set(err, ERR_INPUT, 0, "descriptor: digest \"%s\" is not sha256:<64 hex digits>",
                   buf_cstr(&shown));
}

int descriptor_from_json(json_t *value, struct descriptor *out, struct err *err)
{
    struct descriptor d = {0};
    const char *type, *digest;
    json_t *platform = NULL;
    json_int_t size;

    if (!json_is_object(value))
        return err_set(err, ERR_INPUT, 0, "descriptor: not an object");
    if (json_take(value, err, "{s:s, s:s, s:I, s?o}", "mediaType", &type, "digest", &digest, "size",
                  &size, "platform", &platform) < 0)
        return err_wrap(err, "descriptor");
    if (!media_type_valid(type))
        return err_set(err, ERR_INPUT, 0, "descriptor: mediaType is not a media type");
    if (check_digest(digest, err) < 0)
        return -1;
    if (size < 0)
        return err_set(err, ERR_INPUT, 0, "descriptor: size is negative");
    if ((uint64_t)size > DESCRIPTOR_SIZE_MAX)
        return err_set(err, ERR_INPUT, 0, "descriptor: size is beyond all reason");
    if (platform && !json_is_null(platform)) {
        if (platform_from_json(platform, &d.platform, err) < 0)
            return err_wrap(err, "descriptor");
        d.has_platform = true;
    }
    d.media_type = xstrdup(type);
    memcpy(d.digest, digest, DIGEST_SIZE);
    d.size = (uint64_t)size;
    d.doc = json_incref(value);
    *out = d;
    return 0;
}

json_t *descriptor_to_json(const struct descriptor *d)
{
    json_t *obj = d->doc ? json_deep_copy(d->doc) : json_object();
    struct platform written = {0};
    struct err ignored = {0};
    const json_t *platform = json_object_get(obj, "platform");

    json_object_set_new(obj, "mediaType", json_string(d->media_type));
    json_object_set_new(obj, "digest", json_string(d->digest));
    json_object_set_new(obj, "size", json_integer((json_int_t)d->size));
    /* A platform that says the same in other words stays as it was written. */
    if (d->has_platform && (!platform || platform_from_json(platform, &written, &ignored) < 0 ||
                            !platform_eq(&written, &d->platform)))
        json_object_set_new(obj, "platform", platform_to_json(&d->platform));
    return obj;
}

const char *descriptor_annotation(const struct descriptor *d, const char *key)
{
    return json_string_value(json_object_get(json_object_get(d->doc, "annotations"), key));
}

void descriptor_annotate(struct descriptor *d, const char *key, const char *value)
{
    json_t *doc = descriptor_to_json(d), *annotations = json_object_get(doc, "annotations");

    if (!json_is_object(annotations)) {
        annotations = json_object();
        json_object_set_new(doc, "annotations", annotations);
    }
    if (value)
        json_object_set_new(annotations, key, json_string(value));
    else
        json_object_del(annotations, key);
    if (json_object_size(annotations) == 0)
        json_object_del(doc, "annotations");
    json_decref(d->doc);
    d->doc = doc;
}

const json_t *descriptor_urls(const struct descriptor *d)
{
    const json_t *urls = json_object_get(d->doc, "urls");

    return json_is_array(urls) && json_array_size(urls) > 0 ? urls : NULL;
}

const char *descriptor_data(const struct descriptor *d)
{
    return json_string_value(json_object_get(d->doc, "data"));
}

bool descriptor_is_attestation(const struct descriptor *d)
{
    return (d->has_platform && strcmp(d->platform.os, "unknown") == 0) ||
           descriptor_annotation(d, "vnd.docker.reference.type");
}
