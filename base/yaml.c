/* SPDX-License-Identifier: Apache-2.0 */
#include "base/yaml.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/library.h"
#include "base/scope.h"

#define FUNCTIONS(X)                                                                               \
    X(yaml_parser_initialize)                                                                      \
    X(yaml_parser_delete)                                                                          \
    X(yaml_parser_set_input_string)                                                                \
    X(yaml_parser_parse)                                                                           \
    X(yaml_event_delete)

struct libyaml {
#define POINTER(name) __typeof__ (&name)(name);
    FUNCTIONS(POINTER)
#undef POINTER
};

#define PLACE(name) {#name, offsetof(struct libyaml, name)},
static const struct library_symbol functions[] = {FUNCTIONS(PLACE)};
#undef PLACE
static const struct library libyaml = {
    .names = {"libyaml-0.so.2"}, .package = "libyaml-0-2", functions, ARRAY_SIZE(functions)};

struct reader {
    struct libyaml lib;
    yaml_parser_t parser;
    yaml_event_t event; /* the one that was read last */
    bool has_event;
};

static int wrong(const yaml_mark_t *at, const char *what, struct err *err)
{
    return err_set(err, ERR_INPUT, 0, "line %zu, column %zu: %s", at->line + 1, at->column + 1,
                   what);
}

static int next(struct reader *r, struct err *err)
{
    if (r->has_event)
        r->lib.yaml_event_delete(&r->event);
    r->has_event = r->lib.yaml_parser_parse(&r->parser, &r->event);
    if (r->has_event)
        return 0;
    return wrong(&r->parser.problem_mark, r->parser.problem ? r->parser.problem : "no YAML", err);
}

/* --- scalars --- */

static json_t *number(const char *text)
{
    const char *digits = text + (*text == '-' || *text == '+');
    char *end = NULL;
    long long integer;
    double real;

    if (digits[0] < '0' || digits[0] > '9')
        return NULL;
    errno = 0;
    if (digits == text && digits[0] == '0' && digits[1] == 'o')
        integer = digits[2] >= '0' && digits[2] <= '7' ? strtoll(digits + 2, &end, 8) : 0;
    else
        integer = strtoll(text, &end, 0); /* 10, 0x10, 010 */
    if (end && !*end && errno == 0)
        return json_integer(integer);
    errno = 0;
    real = strtod(text, &end);
    if (*end || errno != 0 || strpbrk(text, "xXpP"))
        return NULL;
    return json_real(real);
}

static json_t *plain(const char *text, size_t size)
{
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL"};
    static const char *const trues[] = {"true", "True", "TRUE"};
    static const char *const falses[] = {"false", "False", "FALSE"};
    json_t *value;

    for (size_t i = 0; i < ARRAY_SIZE(nulls); i++)
        if (strcmp(text, nulls[i]) == 0)
            return json_null();
    for (size_t i = 0; i < ARRAY_SIZE(trues); i++) {
        if (strcmp(text, trues[i]) == 0)
            return json_true();
        if (strcmp(text, falses[i]) == 0)
            return json_false();
    }
    value = number(text);
    return value ? value : json_stringn(text, size);
}

static int scalar(struct reader *r, json_t **out, struct err *err)
{
    const char *text = (const char *)r->event.data.scalar.value;
    size_t size = r->event.data.scalar.length;

    if (strlen(text) != size) /* as with JSON */
        return wrong(&r->event.start_mark, "text with a NUL byte", err);
    *out = r->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE ? plain(text, size)
                                                                 : json_stringn(text, size);
    return *out ? 0 : wrong(&r->event.start_mark, "text that is not UTF-8", err);
}

/* --- nodes --- */

static int node(struct reader *r, unsigned depth, json_t **out, struct err *err);

static bool has_tag(const yaml_event_t *event)
{
    return (event->type == YAML_SCALAR_EVENT && event->data.scalar.tag) ||
           (event->type == YAML_SEQUENCE_START_EVENT && event->data.sequence_start.tag) ||
           (event->type == YAML_MAPPING_START_EVENT && event->data.mapping_start.tag);
}

static int sequence(struct reader *r, unsigned depth, json_t *list, struct err *err)
{
    for (;;) {
        json_t *value = NULL;

        if (next(r, err) < 0)
            return -1;
        if (r->event.type == YAML_SEQUENCE_END_EVENT)
            return 0;
        if (node(r, depth, &value, err) < 0 || json_array_append_new(list, value) < 0)
            return -1;
    }
}

static int mapping(struct reader *r, unsigned depth, json_t *map, struct err *err)
{
    for (;;) {
        AUTO_FREE char *key = NULL;
        json_t *value = NULL;
        yaml_mark_t at;

        if (next(r, err) < 0)
            return -1;
        at = r->event.start_mark;
        if (r->event.type == YAML_MAPPING_END_EVENT)
            return 0;
        if (r->event.type != YAML_SCALAR_EVENT)
            return wrong(&at, "a key that is no scalar", err);
        if (has_tag(&r->event))
            return wrong(&at, "tags are not supported", err);
        key = xstrdup((const char *)r->event.data.scalar.value);
        if (strlen(key) != r->event.data.scalar.length || json_object_get(map, key))
            return wrong(&at, "a key that stands there twice, or that no key can be", err);
        if (next(r, err) < 0 || node(r, depth, &value, err) < 0)
            return -1;
        if (json_object_set_new(map, key, value) < 0)
            return wrong(&at, "a key that is not UTF-8", err);
    }
}

/* The node that the last event begins. */
static int node(struct reader *r, unsigned depth, json_t **out, struct err *err)
{
    json_auto_t *made = NULL;
    int rc;

    if (depth == 0)
        return wrong(&r->event.start_mark, "nested too deep", err);
    if (has_tag(&r->event))
        return wrong(&r->event.start_mark, "tags are not supported", err);
    switch (r->event.type) {
    case YAML_SCALAR_EVENT:
        return scalar(r, out, err);
    case YAML_SEQUENCE_START_EVENT:
        made = json_array();
        rc = sequence(r, depth - 1, made, err);
        break;
    case YAML_MAPPING_START_EVENT:
        made = json_object();
        rc = mapping(r, depth - 1, made, err);
        break;
    case YAML_ALIAS_EVENT:
        return wrong(&r->event.start_mark, "aliases are not supported", err);
    default:
        return wrong(&r->event.start_mark, "no value", err);
    }
    if (rc == 0)
        *out = json_incref(made);
    return rc;
}

static int document(struct reader *r, json_t **out, struct err *err)
{
    json_auto_t *made = NULL;

    if (next(r, err) < 0 || next(r, err) < 0)
        return -1;
    if (r->event.type != YAML_DOCUMENT_START_EVENT)
        return wrong(&r->event.start_mark, "an empty document", err);
    if (next(r, err) < 0 || node(r, YAML_DEPTH_MAX, &made, err) < 0 || next(r, err) < 0 ||
        next(r, err) < 0)
        return -1;
    if (r->event.type != YAML_STREAM_END_EVENT)
        return wrong(&r->event.start_mark, "a second document", err);
    *out = json_incref(made);
    return 0;
}

json_t *yaml_parse(struct str text, struct err *err)
{
    struct reader r = {0};
    json_t *doc = NULL;

    if (library_load(&libyaml, &r.lib, err) < 0)
        return NULL;
    if (!r.lib.yaml_parser_initialize(&r.parser)) {
        err_set(err, ERR_SYSTEM, ENOMEM, "no memory for reading YAML");
        return NULL;
    }
    r.lib.yaml_parser_set_input_string(&r.parser, (const unsigned char *)(text.ptr ? text.ptr : ""),
                                       text.size);
    document(&r, &doc, err);
    if (r.has_event)
        r.lib.yaml_event_delete(&r.event);
    r.lib.yaml_parser_delete(&r.parser);
    return doc;
}
