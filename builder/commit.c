/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/commit.h"

#include <stdio.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/scope.h"
#include "builder/cache_doc.h"
#include "builder/recode.h"
#include "registry/layout.h"
#include "registry/manifest.h"

void commit_release(struct commit *commit)
{
    descriptor_release(&commit->descriptor);
    *commit = (struct commit){0};
}

struct commit_options commit_options_of(const struct output_spec *spec)
{
    return (struct commit_options){.codec = spec->has_codec ? spec->codec : CODEC_GZIP,
                                   .level = spec->level,
                                   .force = spec->force,
                                   .docker_types = spec->docker_types,
                                   .annotations = &spec->annotations};
}

static void add_labels(json_t *config, const struct strv *labels)
{
    for (size_t i = 0; labels && i < labels->count; i++) {
        struct str name, value;
        AUTO_FREE char *key = NULL, *text = NULL;

        str_cut(str_of(labels->ptr[i]), '=', &name, &value);
        key = str_dup(name);
        text = str_dup(value);
        config_set_label(config, key, text);
    }
}

static int put_config(const struct layout *layout, const struct commit_input *in, const char *type,
                      struct descriptor *out, struct err *err)
{
    json_auto_t *config = json_deep_copy(in->config);
    SCOPED(buf_release) struct buf text = {0};
    char digest[DIGEST_SIZE];

    add_labels(config, in->labels);
    config_set_created(config, in->created && *in->created ? in->created : NULL);
    json_object_del(config, CACHE_DOC_INLINE); /* the base image's own */
    if (in->cache)
        json_object_set(config, CACHE_DOC_INLINE, in->cache);
    config_print(config, &text);
    if (layout_put(layout, text.ptr, text.size, digest, err) < 0)
        return err_wrap(err, "store the image's config");
    descriptor_set(out, type, digest, text.size);
    return 0;
}

/* The same bytes under a type of the manifest's own family. Types that say more than the codec stay
 * as they are. */
static void retype(const struct descriptor *from, bool docker, struct descriptor *out)
{
    enum codec codec = recode_codec_of(from);

    if (!media_is_layer(from->media_type) || media_is_foreign(from->media_type)) {
        descriptor_copy(out, from);
        return;
    }
    descriptor_set(out, media_layer_type(docker, codec == CODEC_GZIP, codec == CODEC_ZSTD),
                   from->digest, from->size);
}

/* A base layer keeps its bytes unless the caller insists; Docker's types have no zstd. */
bool commit_recodes(const struct layout *layout, const struct stack_layer *layer,
                    const struct commit_options *options)
{
    enum codec now = recode_codec_of(&layer->blob);

    if (!media_is_layer(layer->blob.media_type) || media_is_foreign(layer->blob.media_type))
        return false;
    if (options->docker_types && now == CODEC_ZSTD)
        return true;
    if (layer->base && !options->force)
        return false;
    if (now == options->codec && (layer->base || !options->level))
        return false;
    if (layout_can_have(layout, layer->blob.digest))
        return true;
    log_debug("layer %s is not in the store and stays %s", layer->blob.digest, codec_name(now));
    return false;
}

static int put_layers(struct layout *layout, struct pool *pool, const struct stack *stack,
                      const struct commit_options *options, struct descriptor *layers,
                      struct err *err)
{
    for (size_t i = 0; i < stack->count; i++)
        if (commit_recodes(layout, &stack->layers[i], options))
            layout_prefetch(layout, stack->layers[i].blob.digest);
    for (size_t i = 0; i < stack->count; i++) {
        const struct stack_layer *layer = &stack->layers[i];
        SCOPED(descriptor_release) struct descriptor other = {0};

        if (!commit_recodes(layout, layer, options)) {
            retype(&layer->blob, options->docker_types, &layers[i]);
            continue;
        }
        if (recode_layer(layout, pool, layer->diff_id, &layer->blob, options->codec, options->level,
                         &other, err) < 0)
            return -1;
        retype(&other, options->docker_types, &layers[i]);
    }
    return 0;
}

/* New object, or NULL when there is none for this place. */
static json_t *annotations_for(const struct annotations *list, enum annotation_place place,
                               const struct platform *platform)
{
    json_t *object = NULL;

    for (size_t i = 0; list && i < list->count; i++) {
        const struct annotation *a = &list->items[i];

        if (a->place != place ||
            (a->has_platform && (!platform || !platform_eq(&a->platform, platform))))
            continue;
        if (!object)
            object = json_object();
        json_object_set_new(object, a->key, json_string(a->value));
    }
    return object;
}

static void annotate_descriptor(struct descriptor *d, const struct annotations *list,
                                enum annotation_place place, const struct platform *platform)
{
    json_auto_t *object = annotations_for(list, place, platform);
    const char *key;
    json_t *value;

    json_object_foreach(object, key, value) descriptor_annotate(d, key, json_string_value(value));
}

static int put_manifest(const struct layout *layout, const char *type, const struct buf *text,
                        struct descriptor *out, struct err *err)
{
    char digest[DIGEST_SIZE];

    if (layout_put(layout, text->ptr, text->size, digest, err) < 0)
        return err_wrap(err, "store the image's manifest");
    descriptor_set(out, type, digest, text->size);
    return 0;
}

struct layer_list {
    struct descriptor *items;
    size_t count;
};

static void layer_list_release(struct layer_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        descriptor_release(&list->items[i]);
    free(list->items);
}

int commit_image(struct layout *layout, struct pool *pool, const struct commit_input *in,
                 const struct commit_options *options, struct commit *out, struct err *err)
{
    bool docker = options->docker_types;
    SCOPED(buf_release) struct buf text = {0};
    SCOPED(descriptor_release) struct descriptor config = {0};
    SCOPED(layer_list_release)
    struct layer_list layers = {xcalloc(in->stack->count, sizeof(struct descriptor)),
                                in->stack->count};
    json_auto_t *annotations =
        annotations_for(options->annotations, ANNOTATION_MANIFEST, in->platform);

    *out = (struct commit){0};
    if (put_config(layout, in, docker ? MEDIA_DOCKER_CONFIG : MEDIA_OCI_CONFIG, &config, err) < 0 ||
        put_layers(layout, pool, in->stack, options, layers.items, err) < 0)
        return -1;
    if (docker)
        manifest_print_docker_image(&config, layers.items, layers.count, &text);
    else
        manifest_print_image(&config, layers.items, layers.count, annotations, &text);
    if (put_manifest(layout, docker ? MEDIA_DOCKER_MANIFEST : MEDIA_OCI_MANIFEST, &text,
                     &out->descriptor, err) < 0)
        return -1;
    descriptor_set_platform(&out->descriptor, in->platform);
    annotate_descriptor(&out->descriptor, options->annotations, ANNOTATION_MANIFEST_DESCRIPTOR,
                        in->platform);
    memcpy(out->config_digest, config.digest, DIGEST_SIZE);
    snprintf(out->created, sizeof(out->created), "%s", in->created ? in->created : "");
    return 0;
}

int commit_index(struct layout *layout, const struct commit *images, size_t count,
                 const struct commit_options *options, struct commit *out, struct err *err)
{
    bool docker = options->docker_types;
    SCOPED(buf_release) struct buf text = {0};
    AUTO_FREE struct descriptor *list = xcalloc(count, sizeof(*list));
    json_auto_t *annotations = annotations_for(options->annotations, ANNOTATION_INDEX, NULL);

    *out = (struct commit){0};
    for (size_t i = 0; i < count; i++)
        list[i] = images[i].descriptor; /* borrowed for printing */
    if (docker)
        manifest_print_docker_list(list, count, &text);
    else
        manifest_print_index(list, count, annotations, &text);
    if (put_manifest(layout, docker ? MEDIA_DOCKER_LIST : MEDIA_OCI_INDEX, &text, &out->descriptor,
                     err) < 0)
        return -1;
    annotate_descriptor(&out->descriptor, options->annotations, ANNOTATION_INDEX_DESCRIPTOR, NULL);
    return 0;
}

/* Calls fn for every layer; foreign ones stay where their `urls` say. */
static int each_layer(struct layout *layout, const struct descriptor *d, unsigned depth,
                      int (*fn)(struct layout *layout, const char *digest, struct err *err),
                      struct err *err)
{
    SCOPED(manifest_release) struct manifest m = {0};

    if (depth > MANIFEST_DEPTH_MAX)
        return err_set(err, ERR_INPUT, 0, "indexes nested deeper than %d", MANIFEST_DEPTH_MAX);
    if (layout_load_manifest(layout, d, &m, err) < 0)
        return -1;
    for (size_t i = 0; i < m.manifests_count; i++)
        if (each_layer(layout, &m.manifests[i], depth + 1, fn, err) < 0)
            return -1;
    for (size_t i = 0; i < m.layers_count; i++)
        if (!media_is_foreign(m.layers[i].media_type) && fn(layout, m.layers[i].digest, err) < 0)
            return -1;
    return 0;
}

static int begin_one(struct layout *layout, const char *digest, struct err *err)
{
    (void)err;
    layout_prefetch(layout, digest);
    return 0;
}

static int need_one(struct layout *layout, const char *digest, struct err *err)
{
    return layout_need(layout, digest, err);
}

static int check_one(struct layout *layout, const char *digest, struct err *err)
{
    return layout_has(layout, digest) ? 0 : err_set(err, ERR_INPUT, ENOENT, "%s", digest);
}

int commit_complete(struct layout *layout, const struct descriptor *image, struct err *err)
{
    if (layout->fetch && each_layer(layout, image, 0, begin_one, err) < 0)
        return -1;
    return each_layer(layout, image, 0, need_one, err);
}

bool commit_is_whole(struct layout *layout, const struct descriptor *image)
{
    struct err ignored = {0};

    return each_layer(layout, image, 0, check_one, &ignored) == 0;
}
