/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/config.h"

#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "base/scope.h"

#define LAYERS_MAX 2000 /* as in registry/manifest.h */

json_t *config_new(const struct platform *p)
{
    json_t *doc =
        json_pack("{s:{}, s:{s:s, s:[]}}", "config", "rootfs", "type", "layers", "diff_ids");

    platform_set_json(doc, p);
    return doc;
}

static int bad(struct err *err, const char *where, const char *what)
{
    return err_set(err, ERR_INPUT, 0, "image config: \"%s\" is not %s", where, what);
}

static bool absent(const json_t *value)
{
    return !value || json_is_null(value);
}

static bool is_string_list(const json_t *value)
{
    if (!json_is_array(value))
        return false;
    for (size_t i = 0; i < json_array_size(value); i++)
        if (!json_is_string(json_array_get(value, i)))
            return false;
    return true;
}

static bool is_string_map(const json_t *value)
{
    json_t *object = (json_t *)(uintptr_t)value;

    if (!json_is_object(value))
        return false;
    for (void *it = json_object_iter(object); it; it = json_object_iter_next(object, it))
        if (!json_is_string(json_object_iter_value(it)) &&
            !json_is_null(json_object_iter_value(it)))
            return false;
    return true;
}

static int check_inner(const json_t *inner, struct err *err)
{
    static const char *const strings[] = {"User", "WorkingDir", "StopSignal"};
    static const char *const lists[] = {"Env", "Cmd", "Entrypoint", "Shell", "OnBuild"};
    static const char *const objects[] = {"ExposedPorts", "Volumes", "Labels", "Healthcheck"};

    if (absent(inner))
        return 0;
    if (!json_is_object(inner))
        return bad(err, "config", "an object");
    for (size_t i = 0; i < ARRAY_SIZE(strings); i++) {
        const json_t *value = json_object_get(inner, strings[i]);

        if (!absent(value) && !json_is_string(value))
            return bad(err, strings[i], "a string");
    }
    for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
        const json_t *value = json_object_get(inner, lists[i]);

        if (!absent(value) && !is_string_list(value))
            return bad(err, lists[i], "a list of strings");
    }
    for (size_t i = 0; i < ARRAY_SIZE(objects); i++) {
        const json_t *value = json_object_get(inner, objects[i]);

        if (!absent(value) && !json_is_object(value))
            return bad(err, objects[i], "an object");
    }
    if (!absent(json_object_get(inner, "Labels")) &&
        !is_string_map(json_object_get(inner, "Labels")))
        return bad(err, "Labels", "a map of strings");
    return 0;
}

static int check_rootfs(const json_t *rootfs, struct err *err)
{
    const json_t *ids = json_object_get(rootfs, "diff_ids");

    if (!json_is_object(rootfs))
        return bad(err, "rootfs", "an object");
    if (absent(ids))
        return 0;
    if (!is_string_list(ids) || json_array_size(ids) > LAYERS_MAX)
        return bad(err, "diff_ids", "a list of up to 2000 strings");
    for (size_t i = 0; i < json_array_size(ids); i++)
        if (!digest_valid(json_string_value(json_array_get(ids, i))))
            return bad(err, "diff_ids", "a list of sha256 digests");
    return 0;
}

static int check(const json_t *doc, struct err *err)
{
    const json_t *history = json_object_get(doc, "history"),
                 *created = json_object_get(doc, "created");

    if (!json_is_object(doc))
        return err_set(err, ERR_INPUT, 0, "image config: not a JSON object");
    if (!absent(created) && !json_is_string(created))
        return bad(err, "created", "a string");
    if (check_inner(json_object_get(doc, "config"), err) < 0 ||
        check_rootfs(json_object_get(doc, "rootfs"), err) < 0)
        return -1;
    if (absent(history))
        return 0;
    if (!json_is_array(history))
        return bad(err, "history", "a list");
    for (size_t i = 0; i < json_array_size(history); i++)
        if (!json_is_object(json_array_get(history, i)))
            return bad(err, "history", "a list of objects");
    return 0;
}

json_t *config_parse(struct str bytes, struct err *err)
{
    json_auto_t *doc = json_parse(bytes, err);
    struct platform ignored;

    if (!doc) {
        err_wrap(err, "image config");
        return NULL;
    }
    if (check(doc, err) < 0)
        return NULL;
    if (platform_from_json(doc, &ignored, err) < 0) {
        err_wrap(err, "image config");
        return NULL;
    }
    return steal_ptr(&doc);
}

void config_print(const json_t *doc, struct buf *out)
{
    json_print(doc, out);
}

int config_platform(const json_t *doc, struct platform *out, struct err *err)
{
    struct platform p = {0};

    if (platform_from_json(doc, &p, err) < 0)
        return err_wrap(err, "image config");
    if (!p.os[0] || !p.arch[0])
        return err_set(err, ERR_INPUT, 0, "image config: \"%s\" is missing",
                       p.os[0] ? "architecture" : "os");
    *out = p;
    return 0;
}

void config_diff_ids(const json_t *doc, struct strv *out)
{
    const json_t *ids = json_object_get(json_object_get(doc, "rootfs"), "diff_ids");

    for (size_t i = 0; i < json_array_size(ids); i++)
        strv_add(out, json_string_value(json_array_get(ids, i)));
}

/* The member, made anew when it is missing or null. Borrowed. */
static json_t *member(json_t *obj, const char *key, json_t *(*make)(void))
{
    json_t *value = json_object_get(obj, key);

    if (absent(value)) {
        value = make();
        json_object_set_new(obj, key, value);
    }
    return value;
}

void config_add_layer(json_t *doc, const char *diff_id)
{
    json_t *rootfs = member(doc, "rootfs", json_object);

    BUG_ON(!digest_valid(diff_id));
    json_object_set_new(rootfs, "type", json_string("layers"));
    json_array_append_new(member(rootfs, "diff_ids", json_array), json_string(diff_id));
}

/* Command lines may hold any bytes; a JSON document holds UTF-8 only. */
static json_t *text(const char *s)
{
    SCOPED(buf_release) struct buf safe = {0};
    json_t *value = json_string(s);

    if (value)
        return value;
    buf_add_escaped(&safe, str_of(s));
    return json_string(buf_cstr(&safe));
}

void config_add_history(json_t *doc, const char *created, const char *created_by,
                        const char *comment, bool empty)
{
    json_t *entry = json_object();

    if (created)
        json_object_set_new(entry, "created", json_string(created));
    if (created_by)
        json_object_set_new(entry, "created_by", text(created_by));
    if (comment && *comment)
        json_object_set_new(entry, "comment", text(comment));
    if (empty)
        json_object_set_new(entry, "empty_layer", json_true());
    json_array_append_new(member(doc, "history", json_array), entry);
}

const json_t *config_history(const json_t *doc)
{
    const json_t *history = json_object_get(doc, "history");

    return json_is_array(history) ? history : NULL;
}

void config_set_created(json_t *doc, const char *rfc3339)
{
    if (rfc3339)
        json_object_set_new(doc, "created", json_string(rfc3339));
    else
        json_object_del(doc, "created");
}

const char *config_created(const json_t *doc)
{
    return json_str(doc, "created");
}

json_t *config_inner(json_t *doc)
{
    return member(doc, "config", json_object);
}

static const json_t *inner_get(const json_t *doc, const char *key)
{
    return json_object_get(json_object_get(doc, "config"), key);
}

const char *config_get(const json_t *doc, const char *key)
{
    const char *value = json_string_value(inner_get(doc, key));

    return value && *value ? value : NULL;
}

void config_set(json_t *doc, const char *key, const char *value)
{
    if (value)
        json_object_set_new(config_inner(doc), key, text(value));
    else
        json_object_del(config_inner(doc), key);
}

bool config_get_list(const json_t *doc, const char *key, struct strv *out)
{
    const json_t *list = inner_get(doc, key);

    for (size_t i = 0; i < json_array_size(list); i++)
        strv_add(out, json_string_value(json_array_get(list, i)));
    return json_is_array(list);
}

void config_set_list(json_t *doc, const char *key, const struct strv *value)
{
    json_t *list;

    if (!value) {
        json_object_del(config_inner(doc), key);
        return;
    }
    list = json_array();
    for (size_t i = 0; i < value->count; i++)
        json_array_append_new(list, text(value->ptr[i]));
    json_object_set_new(config_inner(doc), key, list);
}

void config_add_key(json_t *doc, const char *key, const char *name)
{
    SCOPED(buf_release) struct buf safe = {0};
    json_t *map = member(config_inner(doc), key, json_object);

    if (json_object_set_new(map, name, json_object()) == 0)
        return;
    buf_add_escaped(&safe, str_of(name));
    json_object_set_new(map, buf_cstr(&safe), json_object());
}

void config_get_keys(const json_t *doc, const char *key, struct strv *out)
{
    SCOPED(strv_release) struct strv names = {0};
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)inner_get(doc, key), name, value)
        strv_add(&names, name);
    strv_sort(&names);
    strv_copy(out, &names);
}

void config_set_label(json_t *doc, const char *name, const char *value)
{
    SCOPED(buf_release) struct buf safe = {0};
    json_t *labels = member(config_inner(doc), "Labels", json_object);

    if (json_object_set_new(labels, name, text(value)) == 0)
        return;
    buf_add_escaped(&safe, str_of(name));
    json_object_set_new(labels, buf_cstr(&safe), text(value));
}

const char *config_label(const json_t *doc, const char *name)
{
    return json_string_value(json_object_get(inner_get(doc, "Labels"), name));
}
