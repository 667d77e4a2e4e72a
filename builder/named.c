/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/named.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "base/scope.h"
#include "builder/download.h"
#include "builder/giturl.h"
#include "registry/reference.h"

#define IMAGE_PREFIX "docker-image://"

/* "docker.io/library/alpine:latest" and "alpine" are one name. NULL: it is none. */
static char *normal(const char *name)
{
    SCOPED(reference_release) struct reference ref = {0};
    struct err ignored = {0};
    char *familiar;

    if (reference_parse(name, &ref, &ignored) < 0)
        return NULL;
    familiar = reference_familiar(&ref);
    if (!ref.digest && str_ends(str_of(familiar), ":latest"))
        familiar[strlen(familiar) - strlen(":latest")] = 0;
    return familiar;
}

void named_layout_release(struct named_layout *layout)
{
    free(layout->dir);
    free(layout->tag);
    free(layout->digest);
    *layout = (struct named_layout){0};
}

int named_split_layout(const char *text, struct named_layout *out, struct err *err)
{
    struct str rest = str_of(text + strlen(NAMED_LAYOUT_PREFIX));
    ptrdiff_t at = str_search(rest, "@sha256:"), slash, colon;

    *out = (struct named_layout){0};
    if (at >= 0) {
        out->digest = str_dup(str_slice(rest, (size_t)at + 1, rest.size));
        rest = str_slice(rest, 0, (size_t)at);
    }
    slash = str_rfind(rest, '/');
    colon = str_rfind(rest, ':');
    if (colon > slash && colon >= 0) {
        out->tag = str_dup(str_slice(rest, (size_t)colon + 1, rest.size));
        rest = str_slice(rest, 0, (size_t)colon);
    }
    out->dir = str_dup(rest);
    if (rest.size && !(out->digest && !digest_valid(out->digest)) && !(out->tag && !*out->tag))
        return 0;
    named_layout_release(out);
    return err_set(err, ERR_USAGE, 0, "%.300s: want oci-layout://DIR[:TAG][@sha256:HEX]", text);
}

static int set_image(struct named_context *c, const char *text, struct err *err)
{
    SCOPED(reference_release) struct reference ref = {0};

    c->kind = NAMED_IMAGE;
    if (strcmp(text, "scratch") != 0 && reference_parse(text, &ref, err) < 0)
        return -1;
    c->value = xstrdup(text);
    return 0;
}

static int set_layout(struct named_context *c, const char *text, struct err *err)
{
    SCOPED(named_layout_release) struct named_layout layout = {0};

    c->kind = NAMED_LAYOUT;
    c->value = xstrdup(text);
    return named_split_layout(text, &layout, err);
}

static int set_value(struct named_context *c, const char *text, struct err *err)
{
    SCOPED(giturl_release) struct giturl url = {0};
    int git;

    if (strncmp(text, IMAGE_PREFIX, strlen(IMAGE_PREFIX)) == 0)
        return set_image(c, text + strlen(IMAGE_PREFIX), err);
    if (strncmp(text, NAMED_LAYOUT_PREFIX, strlen(NAMED_LAYOUT_PREFIX)) == 0)
        return set_layout(c, text, err);
    if (strncmp(text, "target:", 7) == 0)
        return err_set(err, ERR_USAGE, 0, "target: is for bake files alone");
    if (strcmp(text, "-") == 0)
        return err_set(err, ERR_USAGE, 0, "standard input can only be the main context");
    git = giturl_parse(text, &url, err);
    if (git < 0)
        return -1;
    c->kind = git || download_is_url(text) ? NAMED_FETCHED : NAMED_DIR;
    if (c->kind == NAMED_DIR && strstr(text, "://"))
        return err_set(err, ERR_USAGE, 0,
                       "%.200s: a context is a directory, docker-image://, oci-layout://, a git "
                       "repository or an http(s) URL",
                       text);
    c->value = xstrdup(text);
    return 0;
}

static void context_drop(struct named_context *c)
{
    free(c->name);
    free(c->value);
    *c = (struct named_context){0};
}

static int parse_one(const char *text, struct named_contexts *out, struct err *err)
{
    struct named_context c = {0};
    struct str name, value;
    ssize_t same;

    if (!str_cut(str_of(text), '=', &name, &value) || !name.size || !value.size)
        return err_set(err, ERR_USAGE, 0, "want NAME=VALUE");
    AUTO_FREE char *key = str_dup(name);
    c.name = normal(key);
    if (!c.name)
        return err_set(err, ERR_USAGE, 0, "\"%.100s\" is no name of a stage or an image", key);
    if (set_value(&c, value.ptr, err) < 0) {
        context_drop(&c);
        return -1;
    }
    same = named_find(out, c.name);
    if (same >= 0) {
        context_drop(&out->items[same]);
        out->items[same] = c;
        return 0;
    }
    out->items = xreallocarray(out->items, out->count + 1, sizeof(*out->items));
    out->items[out->count++] = c;
    return 0;
}

int named_parse(const struct strv *texts, struct named_contexts *out, struct err *err)
{
    *out = (struct named_contexts){0};
    for (size_t i = 0; i < texts->count; i++)
        if (parse_one(texts->ptr[i], out, err) < 0) {
            err->kind = ERR_USAGE;
            named_release(out);
            return err_wrap(err, "--build-context %.200s", texts->ptr[i]);
        }
    return 0;
}

void named_release(struct named_contexts *contexts)
{
    for (size_t i = 0; i < contexts->count; i++)
        context_drop(&contexts->items[i]);
    free(contexts->items);
    *contexts = (struct named_contexts){0};
}

ssize_t named_find(const struct named_contexts *contexts, const char *name)
{
    AUTO_FREE char *wanted = contexts && contexts->count ? normal(name) : NULL;

    for (size_t i = 0; wanted && i < contexts->count; i++)
        if (strcmp(contexts->items[i].name, wanted) == 0)
            return (ssize_t)i;
    return -1;
}
