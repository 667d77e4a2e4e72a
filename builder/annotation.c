/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/scope.h"
#include "builder/output_spec.h"

static const char *const places[] = {"manifest", "index", "manifest-descriptor",
                                     "index-descriptor"};

void annotations_release(struct annotations *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->items[i].key);
        free(list->items[i].value);
    }
    free(list->items);
    *list = (struct annotations){0};
}

static struct annotation *add(struct annotations *list, const struct annotation *from)
{
    struct annotation *item;

    VEC_GROW(list->items, list->count, list->capacity);
    item = &list->items[list->count++];
    *item = *from;
    item->key = xstrdup(from->key);
    item->value = xstrdup(from->value);
    return item;
}

void annotations_copy(struct annotations *to, const struct annotations *from)
{
    for (size_t i = 0; i < from->count; i++)
        add(to, &from->items[i]);
}

/* "manifest" or "manifest[linux/arm64]". False: it is no such word. */
static int parse_place(struct str text, struct annotation *out, struct err *err)
{
    struct str name = text, platform = {0};
    ptrdiff_t bracket = str_find(text, '[');
    AUTO_FREE char *copy = NULL;
    size_t i = 0;

    if (bracket >= 0) {
        if (!str_ends(text, "]"))
            return 0;
        name = str_slice(text, 0, (size_t)bracket);
        platform = str_slice(text, (size_t)bracket + 1, text.size - 1);
    }
    while (i < ARRAY_SIZE(places) && !str_is(name, places[i]))
        i++;
    if (i == ARRAY_SIZE(places))
        return 0;
    out->place = (enum annotation_place)i;
    out->has_platform = bracket >= 0;
    if (!out->has_platform)
        return 1;
    if (out->place == ANNOTATION_INDEX || out->place == ANNOTATION_INDEX_DESCRIPTOR)
        return err_set(err, ERR_USAGE, 0, "%s: an index has no platform", places[i]);
    copy = str_dup(platform);
    return platform_parse(copy, &out->platform, err) < 0 ? -1 : 1;
}

/* The part before ":" counts as types only when every word of it is one: keys may hold colons. */
static int split(struct str *text, struct annotation out[static 4], size_t *count, struct err *err)
{
    struct str types, rest, word;
    ptrdiff_t equals = str_find(*text, '=');

    *count = 0;
    if (!str_cut(str_slice(*text, 0, (size_t)equals), ':', &types, &rest))
        return 0;
    while (types.size) {
        int rc;

        str_cut(types, ',', &word, &types);
        if (*count == 4)
            return err_set(err, ERR_USAGE, 0, "more than four types");
        rc = parse_place(word, &out[*count], err);
        if (rc < 0)
            return -1;
        if (rc == 0) {
            SCOPED(buf_release) struct buf shown = {0};

            if (*count == 0)
                return 0;
            buf_add_escaped(&shown, str_slice(word, 0, 100));
            return err_set(err, ERR_USAGE, 0, "\"%s\" is not %s, %s, %s, %s", buf_cstr(&shown),
                           places[0], places[1], places[2], places[3]);
        }
        ++*count;
    }
    *text = str_slice(*text, (size_t)(rest.ptr - text->ptr), text->size);
    return 0;
}

int annotations_parse(struct annotations *list, struct str text, struct err *err)
{
    struct annotation found[4] = {0};
    struct str key, value;
    size_t count;

    if (str_find(text, '=') < 0 || memchr(text.ptr, 0, text.size))
        return err_set(err, ERR_USAGE, 0, "want [TYPE:]KEY=VALUE");
    if (split(&text, found, &count, err) < 0)
        return -1;
    str_cut(text, '=', &key, &value);
    if (!key.size)
        return err_set(err, ERR_USAGE, 0, "want [TYPE:]KEY=VALUE");
    AUTO_FREE char *name = str_dup(key), *content = str_dup(value);
    for (size_t i = 0; i < (count ? count : 1); i++) {
        found[i].key = name;
        found[i].value = content;
        add(list, &found[i]);
    }
    return 0;
}
