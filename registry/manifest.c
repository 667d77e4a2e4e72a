/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/manifest.h"

#include <string.h>

#include "base/alloc.h"
#include "base/scope.h"

#define DOCKER_PREFIX "application/vnd.docker."
#define SCHEMA1_PREFIX DOCKER_PREFIX "distribution.manifest.v1+"

bool media_is_index(const char *type)
{
    return strcmp(type, MEDIA_OCI_INDEX) == 0 || strcmp(type, MEDIA_DOCKER_LIST) == 0;
}

static bool media_is_manifest(const char *type)
{
    return strcmp(type, MEDIA_OCI_MANIFEST) == 0 || strcmp(type, MEDIA_DOCKER_MANIFEST) == 0;
}

bool media_is_config(const char *type)
{
    return strcmp(type, MEDIA_OCI_CONFIG) == 0 || strcmp(type, MEDIA_DOCKER_CONFIG) == 0;
}

static const struct {
    const char *type;
    bool gzip, zstd, foreign;
} layer_types[] = {
    {MEDIA_OCI_LAYER, false, false, false},
    {MEDIA_OCI_LAYER_GZIP, true, false, false},
    {MEDIA_OCI_LAYER_ZSTD, false, true, false},
    {"application/vnd.oci.image.layer.nondistributable.v1.tar", false, false, true},
    {"application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", true, false, true},
    {"application/vnd.oci.image.layer.nondistributable.v1.tar+zstd", false, true, true},
    {MEDIA_DOCKER_LAYER, false, false, false},
    {MEDIA_DOCKER_LAYER_GZIP, true, false, false},
    {MEDIA_DOCKER_LAYER ".zstd", false, true, false},
    {"application/vnd.docker.image.rootfs.foreign.diff.tar", false, false, true},
    {"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", true, false, true},
};

static ptrdiff_t layer_row(const char *type)
{
    for (size_t i = 0; i < ARRAY_SIZE(layer_types); i++)
        if (strcmp(type, layer_types[i].type) == 0)
            return (ptrdiff_t)i;
    return -1;
}

bool media_is_layer(const char *type)
{
    return layer_row(type) >= 0;
}

bool media_is_foreign(const char *type)
{
    ptrdiff_t row = layer_row(type);

    return row >= 0 && layer_types[row].foreign;
}

bool media_is_gzip(const char *type)
{
    ptrdiff_t row = layer_row(type);

    return row >= 0 && layer_types[row].gzip;
}

bool media_is_zstd(const char *type)
{
    ptrdiff_t row = layer_row(type);

    return row >= 0 && layer_types[row].zstd;
}

const char *media_layer_type(bool docker, bool gzip, bool zstd)
{
    if (docker)
        return gzip   ? MEDIA_DOCKER_LAYER_GZIP
               : zstd ? MEDIA_DOCKER_LAYER ".zstd"
                      : MEDIA_DOCKER_LAYER;
    return gzip ? MEDIA_OCI_LAYER_GZIP : zstd ? MEDIA_OCI_LAYER_ZSTD : MEDIA_OCI_LAYER;
}

static void release_list(struct descriptor **list, size_t *count)
{
    for (size_t i = 0; i < *count; i++)
        descriptor_release(&(*list)[i]);
    scope_free(list);
    *count = 0;
}

void manifest_release(struct manifest *m)
{
    scope_free(&m->media_type);
    buf_release(&m->bytes);
    descriptor_release(&m->config);
    release_list(&m->layers, &m->layers_count);
    release_list(&m->manifests, &m->manifests_count);
    json_decref(m->doc);
    *m = (struct manifest){0};
}

static int bad(struct err *err, const char *what)
{
    return err_set(err, ERR_INPUT, 0, "manifest: %s", what);
}

static bool type_known(struct str type)
{
    return str_is(type, MEDIA_OCI_INDEX) || str_is(type, MEDIA_DOCKER_LIST) ||
           str_is(type, MEDIA_OCI_MANIFEST) || str_is(type, MEDIA_DOCKER_MANIFEST);
}

static int refuse_schema1(struct err *err)
{
    return bad(
        err,
        "it is of Docker's schema 1, which is no longer supported; push the image again with a "
        "current tool");
}

/*
 * What the document is. The outer type (Content-Type, descriptor) counts when it is one of the
 * four; else a server said something generic, and the document's own word counts, and last its
 * shape.
 */
static int decide_type(json_t *doc, const char *content_type, char **out, struct err *err)
{
    struct str outer, rest, inner = str_of(json_str(doc, "mediaType"));
    bool index = json_object_get(doc, "manifests");
    bool image = json_object_get(doc, "config") || json_object_get(doc, "layers");
    const json_t *version = json_object_get(doc, "schemaVersion");

    str_cut(str_of(content_type), ';', &outer, &rest);
    outer = str_trim(outer);
    if (str_starts(outer, SCHEMA1_PREFIX) || str_starts(inner, SCHEMA1_PREFIX) ||
        json_object_get(doc, "fsLayers") ||
        (json_is_integer(version) && json_integer_value(version) == 1))
        return refuse_schema1(err);
    if (version && (!json_is_integer(version) || json_integer_value(version) != 2))
        return bad(err, "schemaVersion is not 2");
    if (json_object_get(doc, "mediaType") && !inner.size)
        return bad(err, "mediaType is not a string");
    if (index && image)
        return bad(err, "it is both an index and an image");
    if (inner.size && !type_known(inner)) {
        SCOPED(buf_release) struct buf shown = {0};

        buf_add_escaped(&shown, str_slice(inner, 0, 200));
        return err_set(err, ERR_INPUT, 0, "manifest: mediaType \"%s\" is not an image's",
                       buf_cstr(&shown));
    }
    if (type_known(outer) && inner.size && !str_eq(outer, inner))
        return err_set(err, ERR_INPUT, 0,
                       "manifest: announced as " STR_FMT " but says it is " STR_FMT, STR_ARG(outer),
                       STR_ARG(inner));
    *out = type_known(outer) ? str_dup(outer)
           : inner.size      ? str_dup(inner)
                             : xstrdup(index ? MEDIA_OCI_INDEX : MEDIA_OCI_MANIFEST);
    if (media_is_index(*out) ? image : index) {
        scope_free(out);
        return bad(err, "its members are not those of its media type");
    }
    return 0;
}

static int take_list(const json_t *doc, const char *key, struct descriptor **list, size_t *count,
                     struct err *err)
{
    const json_t *array = json_object_get(doc, key);
    size_t n = json_array_size(array);

    if (!json_is_array(array))
        return err_set(err, ERR_INPUT, 0, "manifest: \"%s\" is missing or not a list", key);
    if (n > MANIFEST_LAYERS_MAX)
        return err_set(err, ERR_INPUT, 0, "manifest: more than %d entries in \"%s\"",
                       MANIFEST_LAYERS_MAX, key);
    *list = xcalloc(n ? n : 1, sizeof(**list));
    for (size_t i = 0; i < n; i++) {
        if (descriptor_from_json(json_array_get(array, i), &(*list)[i], err) < 0)
            return err_wrap(err, "manifest: %s[%zu]", key, i);
        *count = i + 1;
    }
    return 0;
}

static int parse(struct str bytes, const char *content_type, struct manifest *m, struct err *err)
{
    m->doc = json_parse(bytes, err);
    if (!m->doc)
        return err_wrap(err, "manifest");
    if (!json_is_object(m->doc))
        return bad(err, "not a JSON object");
    if (decide_type(m->doc, content_type, &m->media_type, err) < 0)
        return -1;
    m->is_index = media_is_index(m->media_type);
    if (m->is_index)
        return take_list(m->doc, "manifests", &m->manifests, &m->manifests_count, err);
    if (!json_object_get(m->doc, "config"))
        return bad(err, "\"config\" is missing");
    if (descriptor_from_json(json_object_get(m->doc, "config"), &m->config, err) < 0)
        return err_wrap(err, "manifest: config");
    return take_list(m->doc, "layers", &m->layers, &m->layers_count, err);
}

int manifest_parse(struct str bytes, const char *content_type, struct manifest *out,
                   struct err *err)
{
    SCOPED(manifest_release) struct manifest m = {0};

    if (bytes.size > MANIFEST_MAX)
        return err_set(err, ERR_INPUT, 0, "manifest: larger than %d bytes", MANIFEST_MAX);
    if (parse(bytes, content_type, &m, err) < 0)
        return -1;
    buf_add(&m.bytes, bytes.ptr, bytes.size);
    digest_of(bytes.ptr, bytes.size, m.digest);
    *out = m;
    m = (struct manifest){0};
    return 0;
}

/* Lower is better, -1 not at all. Entries that do not tell their platform come last. */
static int rank_of(const struct descriptor *d, const struct platform *want)
{
    enum { NO_PLATFORM = 1000, NESTED_NO_PLATFORM = 1001 };

    if (descriptor_is_attestation(d))
        return -1;
    if (d->has_platform && d->platform.arch[0])
        return platform_match(want, &d->platform);
    if (media_is_index(d->media_type))
        return NESTED_NO_PLATFORM;
    return media_is_manifest(d->media_type) ? NO_PLATFORM : -1;
}

static void list_platforms(const struct manifest *index, struct buf *out)
{
    for (size_t i = 0; i < index->manifests_count; i++) {
        const struct descriptor *d = &index->manifests[i];
        char text[PLATFORM_TEXT_SIZE];

        if (descriptor_is_attestation(d) || !d->has_platform)
            continue;
        buf_addf(out, "%s%s", out->size ? ", " : "", platform_format(&d->platform, text));
    }
}

const struct descriptor *manifest_select(const struct manifest *index, const struct platform *want,
                                         struct err *err)
{
    const struct descriptor *best = NULL;
    SCOPED(buf_release) struct buf there = {0};
    char text[PLATFORM_TEXT_SIZE];
    int best_rank = -1;

    BUG_ON(!index->is_index);
    for (size_t i = 0; i < index->manifests_count; i++) {
        int rank = rank_of(&index->manifests[i], want);

        if (rank < 0 || (best && rank >= best_rank))
            continue;
        best = &index->manifests[i];
        best_rank = rank;
    }
    if (best)
        return best;
    list_platforms(index, &there);
    err_set(err, ERR_INPUT, 0, "no image for %s; there is %s", platform_format(want, text),
            there.size ? buf_cstr(&there) : "none for any platform");
    return NULL;
}

static json_t *list_to_json(const struct descriptor *list, size_t count)
{
    json_t *array = json_array();

    for (size_t i = 0; i < count; i++)
        json_array_append_new(array, descriptor_to_json(&list[i]));
    return array;
}

static void print_document(json_t *doc, const json_t *annotations, struct buf *out)
{
    if (annotations && json_object_size(annotations) > 0)
        json_object_set_new(doc, "annotations", json_deep_copy(annotations));
    json_print(doc, out);
}

static void print_image(const char *type, const struct descriptor *config,
                        const struct descriptor *layers, size_t count, const json_t *annotations,
                        struct buf *out)
{
    json_auto_t *doc =
        json_pack("{s:i, s:s, s:o, s:o}", "schemaVersion", 2, "mediaType", type, "config",
                  descriptor_to_json(config), "layers", list_to_json(layers, count));

    print_document(doc, annotations, out);
}

static void print_index(const char *type, const struct descriptor *manifests, size_t count,
                        const json_t *annotations, struct buf *out)
{
    json_auto_t *doc = json_pack("{s:i, s:s, s:o}", "schemaVersion", 2, "mediaType", type,
                                 "manifests", list_to_json(manifests, count));

    print_document(doc, annotations, out);
}

void manifest_print_image(const struct descriptor *config, const struct descriptor *layers,
                          size_t count, const json_t *annotations, struct buf *out)
{
    print_image(MEDIA_OCI_MANIFEST, config, layers, count, annotations, out);
}

void manifest_print_index(const struct descriptor *manifests, size_t count,
                          const json_t *annotations, struct buf *out)
{
    print_index(MEDIA_OCI_INDEX, manifests, count, annotations, out);
}

void manifest_print_docker_image(const struct descriptor *config, const struct descriptor *layers,
                                 size_t count, struct buf *out)
{
    print_image(MEDIA_DOCKER_MANIFEST, config, layers, count, NULL, out);
}

void manifest_print_docker_list(const struct descriptor *manifests, size_t count, struct buf *out)
{
    print_index(MEDIA_DOCKER_LIST, manifests, count, NULL, out);
}
