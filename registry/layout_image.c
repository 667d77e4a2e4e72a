/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/scope.h"
#include "registry/config.h"
#include "registry/layout.h"

void image_release(struct image *image)
{
    descriptor_release(&image->descriptor);
    manifest_release(&image->manifest);
    json_decref(image->config);
    *image = (struct image){0};
}

int layout_load_manifest(const struct layout *l, const struct descriptor *d, struct manifest *out,
                         struct err *err)
{
    SCOPED(buf_release) struct buf bytes = {0};

    if (layout_read_blob(l, d->digest, MANIFEST_MAX, &bytes, err) < 0)
        return -1;
    if (manifest_parse(buf_str(&bytes), d->media_type, out, err) < 0)
        return err_wrap(err, "%s", d->digest);
    return 0;
}

/* Without a wish: the host's platform, or the only image there is. Borrowed from index. */
static const struct descriptor *choose(const struct manifest *index, const struct platform *want,
                                       struct err *err)
{
    struct platform host = platform_host();
    const struct descriptor *only = NULL, *found;
    struct err why = {0};
    size_t images = 0;

    if (want)
        return manifest_select(index, want, err);
    found = manifest_select(index, &host, &why);
    if (found)
        return found;
    for (size_t i = 0; i < index->manifests_count; i++)
        if (!descriptor_is_attestation(&index->manifests[i])) {
            only = &index->manifests[i];
            images++;
        }
    if (images == 1)
        return only;
    *err = why;
    return NULL;
}

/* Goes down from an index to the manifest of one platform. out is filled with it, d with its
 * descriptor. */
static int descend(const struct layout *l, struct descriptor *d, const struct platform *want,
                   struct manifest *out, struct err *err)
{
    for (int depth = 0; depth < MANIFEST_DEPTH_MAX; depth++) {
        SCOPED(manifest_release) struct manifest m = {0};
        const struct descriptor *next;

        if (layout_load_manifest(l, d, &m, err) < 0)
            return -1;
        if (!m.is_index) {
            *out = m;
            m = (struct manifest){0};
            return 0;
        }
        next = choose(&m, want, err);
        if (!next)
            return err_wrap(err, "%s", d->digest);
        descriptor_release(d);
        descriptor_copy(d, next);
    }
    return err_set(err, ERR_INPUT, 0, "%s: indexes nested deeper than %d", d->digest,
                   MANIFEST_DEPTH_MAX);
}

static int load_config(const struct layout *l, struct image *image, struct err *err)
{
    SCOPED(buf_release) struct buf bytes = {0};
    const struct descriptor *d = &image->manifest.config;

    if (!media_is_config(d->media_type))
        return err_set(err, ERR_INPUT, 0, "not an image that can run: its config is of type %s",
                       d->media_type);
    if (layout_read_blob(l, d->digest, MANIFEST_CONFIG_MAX, &bytes, err) < 0)
        return -1;
    image->config = config_parse(buf_str(&bytes), err);
    if (!image->config)
        return err_wrap(err, "%s", d->digest);
    return 0;
}

static int check_platform(struct image *image, const struct platform *want, struct err *err)
{
    char have_text[PLATFORM_TEXT_SIZE], want_text[PLATFORM_TEXT_SIZE];
    const struct descriptor *d = &image->descriptor;

    if (config_platform(image->config, &image->platform, err) < 0) {
        if (!d->has_platform)
            return -1;
        image->platform = d->platform;
    }
    if (!want || platform_match(want, &image->platform) >= 0)
        return 0;
    return err_set(err, ERR_INPUT, 0, "the image is for %s, not for %s",
                   platform_format(&image->platform, have_text), platform_format(want, want_text));
}

static int load(const struct layout *l, struct image *image, const struct platform *want,
                struct err *err)
{
    SCOPED(strv_release) struct strv diff_ids = {0};

    if (descend(l, &image->descriptor, want, &image->manifest, err) < 0 ||
        load_config(l, image, err) < 0 || check_platform(image, want, err) < 0)
        return -1;
    config_diff_ids(image->config, &diff_ids);
    if (diff_ids.count != image->manifest.layers_count)
        return err_set(err, ERR_INPUT, 0,
                       "%s: the manifest has %zu layers but its config names %zu",
                       image->descriptor.digest, image->manifest.layers_count, diff_ids.count);
    if (!image->descriptor.has_platform)
        descriptor_set_platform(&image->descriptor, &image->platform);
    return 0;
}

int layout_load_image(const struct layout *l, const struct descriptor *d,
                      const struct platform *want, struct image *out, struct err *err)
{
    SCOPED(image_release) struct image image = {0};

    descriptor_copy(&image.descriptor, d);
    if (load(l, &image, want, err) < 0)
        return -1;
    *out = image;
    image = (struct image){0};
    return 0;
}

int layout_load_base(const struct layout *l, const struct descriptor *d,
                     const struct platform *want, struct image *out, struct err *err)
{
    SCOPED(manifest_release) struct manifest m = {0};

    if (layout_load_manifest(l, d, &m, err) < 0)
        return -1;
    return layout_load_image(l, d, m.is_index ? want : NULL, out, err);
}

/* A search by id: the entries whose manifest or config digest begins with `hex`. */
struct search {
    const struct layout *l;
    const char *hex;
    struct descriptor found;
    size_t count;
};

static bool begins(const struct search *s, const char *digest)
{
    return strncmp(digest_hex(digest), s->hex, strlen(s->hex)) == 0;
}

static void remember(struct search *s, const struct descriptor *d)
{
    if (s->count && strcmp(s->found.digest, d->digest) == 0)
        return;
    if (s->count++ == 0)
        descriptor_copy(&s->found, d);
}

static void look_into(struct search *s, const struct descriptor *d, int depth)
{
    SCOPED(manifest_release) struct manifest m = {0};
    struct err ignored = {0};

    if (begins(s, d->digest)) {
        remember(s, d);
        return;
    }
    if (depth >= MANIFEST_DEPTH_MAX || layout_load_manifest(s->l, d, &m, &ignored) < 0)
        return;
    if (!m.is_index && begins(s, m.config.digest))
        remember(s, d);
    for (size_t i = 0; i < m.manifests_count; i++)
        look_into(s, &m.manifests[i], depth + 1);
}

static int search_entry(void *arg, const char *name, const struct descriptor *d, struct err *err)
{
    struct search *s = arg;

    (void)name, (void)err;
    look_into(s, d, 0);
    return 0;
}

/* At least 4 hex digits, with or without "sha256:"; NULL when the text is no id. */
static const char *id_of(const char *text)
{
    const char *hex = strncmp(text, "sha256:", 7) == 0 ? text + 7 : text;
    size_t size = strlen(hex);

    return size >= 4 && size <= 64 && strspn(hex, "0123456789abcdef") == size ? hex : NULL;
}

static int find_id(const struct layout *l, const char *hex, struct descriptor *out, struct err *err)
{
    struct search s = {.l = l, .hex = hex};
    int result = layout_each_tag(l, search_entry, &s, err);

    if (result == 0 && s.count > 1)
        result =
            err_set(err, ERR_USAGE, 0, "\"%s\" is the beginning of more than one image id", hex);
    if (result < 0 || s.count == 0) {
        descriptor_release(&s.found);
        return result;
    }
    *out = s.found;
    return 1;
}

int layout_find(const struct layout *l, const char *text, struct descriptor *out, char **name,
                struct err *err)
{
    SCOPED(reference_release) struct reference ref = {0};
    const char *hex = id_of(text);
    struct err why = {0};
    int found;

    if (name)
        *name = NULL;
    if (reference_parse(text, &ref, &why) == 0) {
        found = layout_resolve(l, &ref, out, err);
        if (found > 0 && name)
            *name = reference_name(&ref);
        if (found != 0)
            return found;
    } else if (!hex) {
        *err = why;
        return -1;
    }
    return hex ? find_id(l, hex, out, err) : 0;
}
