/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include <stdarg.h>
#include <string.h>

#define DEPTH_MAX 64 /* deeper nesting is nobody's manifest */

static size_t depth_of(const json_t *v, size_t depth)
{
    size_t deepest = depth;

    if (depth > DEPTH_MAX)
        return depth;
    if (json_is_object(v)) {
        for (void *it = json_object_iter((json_t *)(uintptr_t)v); it;
             it = json_object_iter_next((json_t *)(uintptr_t)v, it)) {
            size_t d = depth_of(json_object_iter_value(it), depth + 1);

            deepest = d > deepest ? d : deepest;
        }
    } else if (json_is_array(v)) {
        for (size_t i = 0; i < json_array_size(v); i++) {
            size_t d = depth_of(json_array_get(v, i), depth + 1);

            deepest = d > deepest ? d : deepest;
        }
    }
    return deepest;
}

json_t *json_parse(struct str text, struct err *err)
{
    json_error_t why;
    json_t *doc = json_loadb(text.ptr ? text.ptr : "", text.size,
                             JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &why);

    if (!doc) {
        struct buf words = {0};

        buf_add_escaped(&words, str_of(why.text));
        err_set(err, ERR_INPUT, 0, "line %d, column %d: %s", why.line, why.column,
                buf_cstr(&words));
        buf_release(&words);
        return NULL;
    }
    if (depth_of(doc, 0) > DEPTH_MAX) {
        json_decref(doc);
        err_set(err, ERR_INPUT, 0, "nested deeper than %d levels", DEPTH_MAX);
        return NULL;
    }
    return doc;
}

int json_take(json_t *value, struct err *err, const char *fmt, ...)
{
    json_error_t why;
    struct buf words = {0};
    va_list ap;
    int result;

    va_start(ap, fmt);
    result = json_vunpack_ex(value, &why, 0, fmt, ap);
    va_end(ap);
    if (result == 0)
        return 0;
    buf_add_escaped(&words, str_of(why.text));
    if (json_error_code(&why) == json_error_item_not_found) {
        const char *colon =
            strrchr(buf_cstr(&words), ':'); /* jansson: "Object item not found: NAME" */

        err_set(err, ERR_INPUT, 0, "key \"%s\" is missing", colon ? colon + 2 : buf_cstr(&words));
    } else {
        err_set(err, ERR_INPUT, 0, "%s", buf_cstr(&words));
    }
    buf_release(&words);
    return -1;
}

static int append(const char *bytes, size_t size, void *out)
{
    buf_add(out, bytes, size);
    return 0;
}

void json_print(const json_t *value, struct buf *out)
{
    json_dump_callback(value, append, out, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
}

void json_print_pretty(const json_t *value, struct buf *out)
{
    json_dump_callback(value, append, out, JSON_INDENT(2) | JSON_SORT_KEYS | JSON_ENCODE_ANY);
    buf_addc(out, '\n');
}

const char *json_str(const json_t *obj, const char *key)
{
    return json_string_value(json_object_get(obj, key));
}
