/* SPDX-License-Identifier: Apache-2.0 */
#include "deploy/taskdef.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/scope.h"
#include "base/strv.h"

/* Members of DescribeTaskDefinition's output that RegisterTaskDefinition does not take. */
static const char *const describe_only[] = {
    "taskDefinitionArn", "revision",     "status",         "requiresAttributes", "compatibilities",
    "registeredAt",      "registeredBy", "deregisteredAt", "deleteRequestedAt",
};

/* ---- empty members ---- */

/* Whether "" is a value under this parent and key, and not just an unset field of somebody's
 * template. */
static bool empty_counts(const char *parent, const char *key)
{
    if (!strcmp(parent, "dockerLabels"))
        return true;
    return (!strcmp(parent, "environment") || !strcmp(parent, "properties")) &&
           !strcmp(key, "value");
}

static bool is_void(const json_t *value)
{
    return json_is_null(value) || (json_is_string(value) && !json_string_length(value));
}

static bool is_empty(const json_t *value)
{
    return (json_is_object(value) && !json_object_size(value)) ||
           (json_is_array(value) && !json_array_size(value));
}

static void clean(json_t *value, const char *parent);

static void clean_object(json_t *object, const char *parent)
{
    const char *key;
    void *next;
    json_t *value;

    json_object_foreach_safe(object, next, key, value)
    {
        bool was_empty = is_empty(value);

        if (is_void(value)) {
            if (!empty_counts(parent, key))
                json_object_del(object, key);
            else if (json_is_null(value))
                json_object_set_new(object, key, json_string(""));
            continue;
        }
        clean(value, key);
        if (!was_empty && is_empty(value))
            json_object_del(object, key);
    }
}

static void clean(json_t *value, const char *parent)
{
    if (json_is_object(value)) {
        clean_object(value, parent);
        return;
    }
    for (size_t i = json_array_size(value); i-- > 0;) {
        json_t *item = json_array_get(value, i);
        bool was_empty = is_empty(item);

        clean(item, parent);
        if (json_is_null(item) || (!was_empty && is_empty(item)))
            json_array_remove(value, i);
    }
}

/* ---- reading ---- */

static int check_shape(const json_t *doc, struct err *err)
{
    const json_t *containers = json_object_get(doc, "containerDefinitions");
    size_t i;
    json_t *c;

    if (!json_str(doc, "family"))
        return err_set(err, ERR_INPUT, 0, "\"family\" is missing");
    if (!json_is_array(containers) || !json_array_size(containers))
        return err_set(err, ERR_INPUT, 0, "\"containerDefinitions\" is missing or empty");
    json_array_foreach(containers, i, c)
    {
        if (!json_is_object(c))
            return err_set(err, ERR_INPUT, 0, "containerDefinitions[%zu] is no object", i);
        if (!json_str(c, "name"))
            return err_set(err, ERR_INPUT, 0, "containerDefinitions[%zu] has no \"name\"", i);
        if (json_object_get(c, "image") && !json_str(c, "image"))
            return err_set(err, ERR_INPUT, 0, "container \"%s\": \"image\" is no string",
                           json_str(c, "name"));
    }
    return 0;
}

static int parse(struct str text, json_t **doc, struct err *err)
{
    json_auto_t *outer = json_parse(text, err);
    json_auto_t *inner = NULL;
    json_t *wrapped, *tags;

    if (!outer)
        return -1;
    if (!json_is_object(outer))
        return err_set(err, ERR_INPUT, 0, "not a JSON object");
    wrapped = json_object_get(outer, "taskDefinition");
    inner = json_incref(json_is_object(wrapped) ? wrapped : outer);
    tags = json_object_get(outer, "tags");
    if (inner != outer && tags)
        json_object_set(inner, "tags", tags);
    for (size_t i = 0; i < ARRAY_SIZE(describe_only); i++)
        json_object_del(inner, describe_only[i]);
    clean(inner, "");
    if (json_is_array(json_object_get(inner, "tags")) &&
        !json_array_size(json_object_get(inner, "tags")))
        json_object_del(inner, "tags");
    if (check_shape(inner, err) < 0)
        return -1;
    *doc = steal_ptr(&inner);
    return 0;
}

int taskdef_parse(struct str text, const char *file, json_t **doc, struct err *err)
{
    return parse(text, doc, err) < 0 ? err_wrap(err, "%s", file) : 0;
}

/* ---- images ---- */

/* All of <name> in a text replaced; NULL when there was none. */
static char *replaced(const char *text, const char *mark, const char *with)
{
    struct buf out = {0};
    const char *at = strstr(text, mark);

    if (!at)
        return NULL;
    for (; at; at = strstr(text, mark)) {
        buf_add(&out, text, (size_t)(at - text));
        buf_adds(&out, with);
        text = at + strlen(mark);
    }
    buf_adds(&out, text);
    return buf_steal(&out);
}

static int replace_in(json_t *value, const char *mark, const char *with)
{
    const char *key;
    size_t i;
    json_t *item;
    int count = 0;

    if (json_is_object(value)) {
        json_object_foreach(value, key, item) count += replace_in(item, mark, with);
    } else if (json_is_array(value)) {
        json_array_foreach(value, i, item) count += replace_in(item, mark, with);
    } else if (json_is_string(value)) {
        AUTO_FREE char *text = replaced(json_string_value(value), mark, with);

        if (text) {
            json_string_set(value, text);
            count = 1;
        }
    }
    return count;
}

static void container_names(const json_t *doc, struct strv *names)
{
    size_t i;
    json_t *c;

    json_array_foreach(json_object_get(doc, "containerDefinitions"), i, c)
        strv_add(names, json_str(c, "name"));
}

static int no_such_name(const json_t *doc, const char *name, struct err *err)
{
    SCOPED(strv_release) struct strv names = {0};
    AUTO_FREE char *list = NULL;

    container_names(doc, &names);
    list = strv_join(&names, ", ");
    if (!name)
        return err_set(
            err, ERR_USAGE, 0,
            "which container gets the image? write NAME=IMAGE; the task definition has: %s", list);
    return err_set(err, ERR_USAGE, 0,
                   "no container \"%s\" and no placeholder <%s> in the task definition; it has: %s",
                   name, name, list);
}

static bool is_placeholder(const char *image)
{
    return image && image[0] == '<' && image[1] && image[strlen(image) - 1] == '>' &&
           !strpbrk(image + 1, "< ");
}

/* The container's image; the placeholder that it was is then filled everywhere. */
static void fill_container(json_t *doc, json_t *container, const char *image)
{
    const char *old = json_str(container, "image");

    if (is_placeholder(old)) {
        AUTO_FREE char *mark = xstrdup(old);

        replace_in(doc, mark, image);
        return;
    }
    json_object_set_new(container, "image", json_string(image));
}

int taskdef_set_image(json_t *doc, const char *name, const char *image, struct err *err)
{
    json_t *containers = json_object_get(doc, "containerDefinitions"), *c;
    AUTO_FREE char *mark = xasprintf("<%s>", name ? name : "IMAGE1_NAME");
    bool alone = !name && json_array_size(containers) == 1;
    int count = 0;
    size_t i;

    json_array_foreach(containers, i, c)
    {
        if (!alone && (!name || strcmp(json_str(c, "name"), name) != 0))
            continue;
        fill_container(doc, c, image);
        count++;
    }
    count += replace_in(doc, mark, image);
    return count ? count : no_such_name(doc, name, err);
}

char *taskdef_containers_of(const json_t *doc, const char *image)
{
    SCOPED(strv_release) struct strv names = {0};
    size_t i;
    json_t *c;

    json_array_foreach(json_object_get(doc, "containerDefinitions"), i, c)
    {
        const char *have = json_str(c, "image");

        if (have && !strcmp(have, image))
            strv_add(&names, json_str(c, "name"));
    }
    return strv_join(&names, ",");
}

/* "<IMAGE1_NAME>" anywhere in a string; *out is borrowed from it. */
static bool find_placeholder(const json_t *value, struct str *out)
{
    static const char begin[] = "<IMAGE", end[] = "_NAME>";
    const char *key, *at, *p;
    size_t i;
    json_t *item;

    if (json_is_object(value)) {
        json_object_foreach((json_t *)(uintptr_t)value, key,
                            item) if (find_placeholder(item, out)) return true;
    } else if (json_is_array(value)) {
        json_array_foreach(value, i, item) if (find_placeholder(item, out)) return true;
    } else if (json_is_string(value)) {
        for (at = strstr(json_string_value(value), begin); at; at = strstr(at + 1, begin)) {
            for (p = at + sizeof(begin) - 1; isdigit((unsigned char)*p); p++)
                ;
            *out = (struct str){at, (size_t)(p - at) + sizeof(end) - 1};
            if (str_starts(str_of(p), end))
                return true;
        }
    }
    return false;
}

int taskdef_check(const json_t *doc, struct err *err)
{
    struct str mark;
    size_t i;
    json_t *c;

    json_array_foreach(json_object_get(doc, "containerDefinitions"), i, c)
    {
        const char *image = json_str(c, "image");

        if (!image)
            return err_set(err, ERR_USAGE, 0, "container \"%s\" has no image; give --image %s=…",
                           json_str(c, "name"), json_str(c, "name"));
        if (strchr(image, '<'))
            return err_set(err, ERR_USAGE, 0,
                           "container \"%s\": image is still \"%s\"; give --image %s=…",
                           json_str(c, "name"), image, json_str(c, "name"));
    }
    if (find_placeholder(doc, &mark))
        return err_set(err, ERR_USAGE, 0,
                       "the placeholder " STR_FMT " is not filled; give --image %.*s=…",
                       STR_ARG(mark), (int)mark.size - 2, mark.ptr + 1);
    return 0;
}

/* ---- platform ---- */

static bool runs_on_fargate(const json_t *doc)
{
    size_t i;
    json_t *item;

    json_array_foreach(json_object_get(doc, "requiresCompatibilities"), i, item)
    {
        if (json_is_string(item) && !strcmp(json_string_value(item), "FARGATE"))
            return true;
    }
    return false;
}

int taskdef_platform(const json_t *doc, struct platform *platform, bool *is_certain,
                     struct err *err)
{
    const json_t *runtime = json_object_get(doc, "runtimePlatform");
    const char *cpu = json_str(runtime, "cpuArchitecture"),
               *os = json_str(runtime, "operatingSystemFamily");
    const char *arch;

    *is_certain = cpu != NULL || runs_on_fargate(doc);
    if (!cpu || !strcmp(cpu, "X86_64"))
        arch = "amd64";
    else if (!strcmp(cpu, "ARM64"))
        arch = "arm64";
    else
        return err_set(err, ERR_INPUT, 0,
                       "runtimePlatform: unknown cpuArchitecture \"%s\" (X86_64 or ARM64)", cpu);
    if (os && strcmp(os, "LINUX") != 0 && !str_starts(str_of(os), "WINDOWS_"))
        return err_set(err, ERR_INPUT, 0, "runtimePlatform: unknown operatingSystemFamily \"%s\"",
                       os);
    AUTO_FREE char *text =
        xasprintf("%s/%s", !os || !strcmp(os, "LINUX") ? "linux" : "windows", arch);

    return platform_parse(text, platform, err);
}

int taskdef_fits(const struct platform *want, const struct platform *have, const char *image,
                 struct err *err)
{
    char have_text[PLATFORM_TEXT_SIZE], want_text[PLATFORM_TEXT_SIZE];
    const char *cpu = !strcmp(have->arch, "arm64")   ? "ARM64"
                      : !strcmp(have->arch, "amd64") ? "X86_64"
                                                     : NULL;

    if (platform_match(want, have) >= 0)
        return 0;
    platform_format(have, have_text);
    platform_format(want, want_text);
    err_set(err, ERR_INPUT, 0,
            "image %s is for %s, the task definition runs on %s (%s); rebuild with --platform %s",
            image, have_text, want_text,
            !strcmp(want->arch, "arm64") ? "runtimePlatform ARM64" : "runtimePlatform X86_64",
            want_text);
    if (cpu && !strcmp(have->os, want->os))
        err_add(err,
                ", or set \"runtimePlatform\": {\"cpuArchitecture\": \"%s\", "
                "\"operatingSystemFamily\": \"LINUX\"}",
                cpu);
    return -1;
}
