/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/bundle.h"

#include <string.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/log.h"
#include "base/scope.h"
#include "builder/stream.h"
#include "builder/tar.h"
#include "registry/layout.h"
#include "registry/manifest.h"

#define COPY_STEP ((size_t)1 << 20)

void bundle_release(struct bundle *b)
{
    for (size_t i = 0; i < b->count; i++) {
        scope_free(&b->images[i].name);
        descriptor_release(&b->images[i].descriptor);
    }
    scope_free(&b->images);
    *b = (struct bundle){0};
}

void bundle_add(struct bundle *b, const char *name, const struct descriptor *d)
{
    struct bundle_image *image;

    VEC_GROW(b->images, b->count, b->capacity);
    image = &b->images[b->count++];
    *image = (struct bundle_image){.name = xstrdup(name)};
    descriptor_copy(&image->descriptor, d);
}

/* What is written so far. */
struct writer {
    const struct layout *l;
    struct tar_writer tar;
    struct strv written; /* names */
    char *copy;          /* COPY_STEP bytes */
    size_t missing;      /* platforms of an index that the store lacks */
};

static void writer_release(struct writer *w)
{
    tar_writer_release(&w->tar);
    strv_release(&w->written);
    scope_free(&w->copy);
}

static bool is_new(struct writer *w, const char *name)
{
    if (strv_has(&w->written, name))
        return false;
    strv_add(&w->written, name);
    return true;
}

static int write_text(struct writer *w, const char *name, struct str text, struct err *err)
{
    struct entry e = {.path = name, .type = ENTRY_FILE, .mode = 0644};

    return tar_write_whole(&w->tar, &e, text, err);
}

static int write_json(struct writer *w, const char *name, const json_t *doc, struct err *err)
{
    SCOPED(buf_release) struct buf text = {0};

    json_print(doc, &text);
    return write_text(w, name, buf_str(&text), err);
}

static int write_dir(struct writer *w, const char *name, struct err *err)
{
    struct entry e = {.path = name, .type = ENTRY_DIR, .mode = 0755};

    return tar_write_entry(&w->tar, &e, err);
}

/* One blob under a name, hashed on its way: a damaged store must not give an archive that looks
 * good. */
static int write_blob(struct writer *w, const char *name, const char *digest, struct err *err)
{
    struct entry e = {.path = name, .type = ENTRY_FILE, .mode = 0644};
    char found[DIGEST_SIZE];
    struct sha256 hash;
    struct source from;
    AUTO_FD int fd = -1;

    if (!is_new(w, name))
        return 0;
    fd = layout_open_blob(w->l, digest, &e.size, err);
    if (fd < 0 || tar_write_entry(&w->tar, &e, err) < 0)
        return -1;
    from = source_of_fd(&fd);
    sha256_begin(&hash);
    for (uint64_t left = e.size; left;) {
        ssize_t n = from.read(from.ctx, w->copy, left < COPY_STEP ? (size_t)left : COPY_STEP, err);

        if (n == 0)
            err_set(err, ERR_INPUT, 0, "blob %s became shorter while it was read", digest);
        if (n <= 0 || tar_write_data(&w->tar, w->copy, (size_t)n, err) < 0)
            return -1;
        sha256_add(&hash, w->copy, (size_t)n);
        left -= (uint64_t)n;
    }
    sha256_end_digest(&hash, found);
    if (strcmp(found, digest) != 0)
        return err_set(err, ERR_INPUT, 0,
                       "blob %s in %s is damaged: its bytes have another digest; load the image "
                       "again, or remove "
                       "the file and pull it",
                       digest, w->l->root);
    return 0;
}

static int write_oci_blob(struct writer *w, const char *digest, struct err *err)
{
    AUTO_FREE char *name = xasprintf("blobs/sha256/%s", digest_hex(digest));

    return write_blob(w, name, digest, err);
}

static int write_tree(struct writer *w, const struct descriptor *d, int depth, struct err *err)
{
    SCOPED(manifest_release) struct manifest m = {0};

    if (layout_load_manifest(w->l, d, &m, err) < 0 || write_oci_blob(w, d->digest, err) < 0)
        return -1;
    if (depth >= MANIFEST_DEPTH_MAX)
        return err_set(err, ERR_INPUT, 0, "%s: indexes nested deeper than %d", d->digest,
                       MANIFEST_DEPTH_MAX);
    for (size_t i = 0; i < m.manifests_count; i++) {
        if (!layout_has(w->l, m.manifests[i].digest)) {
            w->missing += !descriptor_is_attestation(&m.manifests[i]);
            continue;
        }
        if (write_tree(w, &m.manifests[i], depth + 1, err) < 0)
            return -1;
    }
    if (m.is_index)
        return 0;
    if (write_oci_blob(w, m.config.digest, err) < 0)
        return -1;
    for (size_t i = 0; i < m.layers_count; i++) {
        if (media_is_foreign(m.layers[i].media_type) && !layout_has(w->l, m.layers[i].digest))
            continue;
        if (write_oci_blob(w, m.layers[i].digest, err) < 0)
            return -1;
    }
    return 0;
}

/* The descriptor as the archive's index names it: by the full name, twice, for containerd's readers
 * look elsewhere. */
static void name_entry(struct descriptor *d, const char *name)
{
    descriptor_annotate(d, LAYOUT_REF_NAME, name);
    descriptor_annotate(d, "io.containerd.image.name", name);
}

static int save_oci(struct writer *w, const struct bundle *images, const struct platform *platform,
                    struct err *err)
{
    SCOPED(bundle_release) struct bundle chosen = {0};
    json_auto_t *list = json_array(), *index = NULL;

    for (size_t i = 0; i < images->count; i++) {
        SCOPED(image_release) struct image image = {0};
        const struct descriptor *d = &images->images[i].descriptor;

        if (platform) {
            if (layout_load_image(w->l, d, platform, &image, err) < 0)
                return -1;
            d = &image.descriptor;
        }
        bundle_add(&chosen, images->images[i].name, d);
        name_entry(&chosen.images[i].descriptor, images->images[i].name);
        json_array_append_new(list, descriptor_to_json(&chosen.images[i].descriptor));
    }
    index = json_pack("{s:i, s:s, s:O}", "schemaVersion", 2, "mediaType", MEDIA_OCI_INDEX,
                      "manifests", list);
    if (write_text(w, "oci-layout", STR("{\"imageLayoutVersion\":\"1.0.0\"}"), err) < 0 ||
        write_json(w, "index.json", index, err) < 0 || write_dir(w, "blobs", err) < 0 ||
        write_dir(w, "blobs/sha256", err) < 0)
        return -1;
    for (size_t i = 0; i < chosen.count; i++)
        if (write_tree(w, &chosen.images[i].descriptor, 0, err) < 0)
            return -1;
    if (w->missing)
        log_warn("%zu platforms are named by an index but not in the store: the archive lacks them",
                 w->missing);
    return 0;
}

static char *docker_layer_name(const struct descriptor *d)
{
    return xasprintf("%s.tar%s", digest_hex(d->digest),
                     media_is_gzip(d->media_type)   ? ".gz"
                     : media_is_zstd(d->media_type) ? ".zst"
                                                    : "");
}

/* The entry of manifest.json that has this config, made when there is none. Borrowed. */
static json_t *docker_entry(json_t *manifest, const struct image *image)
{
    AUTO_FREE char *config = xasprintf("%s.json", digest_hex(image->manifest.config.digest));
    json_t *entry, *layers = json_array();
    size_t i;

    json_array_foreach(manifest, i, entry) if (strcmp(json_str(entry, "Config"), config) == 0)
    {
        json_decref(layers);
        return entry;
    }
    for (i = 0; i < image->manifest.layers_count; i++) {
        AUTO_FREE char *name = docker_layer_name(&image->manifest.layers[i]);

        json_array_append_new(layers, json_string(name));
    }
    entry = json_pack("{s:s, s:n, s:o}", "Config", config, "RepoTags", "Layers", layers);
    json_array_append_new(manifest, entry);
    return entry;
}

static void add_repo_tag(json_t *entry, json_t *repositories, const char *name,
                         const struct image *image)
{
    SCOPED(reference_release) struct reference ref = {0};
    AUTO_FREE char *familiar = NULL, *repository = NULL;
    struct reference untagged;
    struct err ignored = {0};
    json_t *tags;
    size_t top = image->manifest.layers_count;

    if (!name || reference_parse(name, &ref, &ignored) < 0 || !ref.tag)
        return;
    familiar = reference_familiar(&ref);
    if (!json_is_array(json_object_get(entry, "RepoTags")))
        json_object_set_new(entry, "RepoTags", json_array());
    json_array_append_new(json_object_get(entry, "RepoTags"), json_string(familiar));
    if (!top)
        return;
    untagged = (struct reference){.host = ref.host, .path = ref.path};
    repository = reference_familiar(&untagged);
    tags = json_object_get(repositories, repository);
    if (!tags) {
        tags = json_object();
        json_object_set_new(repositories, repository, tags);
    }
    json_object_set_new(tags, ref.tag,
                        json_string(digest_hex(image->manifest.layers[top - 1].digest)));
}

static int save_docker_image(struct writer *w, const struct bundle_image *from,
                             const struct platform *platform, json_t *manifest,
                             json_t *repositories, struct err *err)
{
    SCOPED(image_release) struct image image = {0};
    AUTO_FREE char *config = NULL;

    if (layout_load_image(w->l, &from->descriptor, platform, &image, err) < 0)
        return -1;
    add_repo_tag(docker_entry(manifest, &image), repositories, from->name, &image);
    config = xasprintf("%s.json", digest_hex(image.manifest.config.digest));
    if (write_blob(w, config, image.manifest.config.digest, err) < 0)
        return -1;
    for (size_t i = 0; i < image.manifest.layers_count; i++) {
        AUTO_FREE char *name = docker_layer_name(&image.manifest.layers[i]);

        if (write_blob(w, name, image.manifest.layers[i].digest, err) < 0)
            return -1;
    }
    return 0;
}

static int save_docker(struct writer *w, const struct bundle *images,
                       const struct platform *platform, struct err *err)
{
    json_auto_t *manifest = json_array(), *repositories = json_object();

    for (size_t i = 0; i < images->count; i++)
        if (save_docker_image(w, &images->images[i], platform, manifest, repositories, err) < 0)
            return images->images[i].name ? err_wrap(err, "%s", images->images[i].name) : -1;
    if (write_json(w, "manifest.json", manifest, err) < 0)
        return -1;
    return write_json(w, "repositories", repositories, err);
}

int bundle_save(const struct layout *layout, const struct bundle *images, enum bundle_format format,
                const struct platform *platform, int fd, struct err *err)
{
    SCOPED(writer_release) struct writer w = {.l = layout, .tar = {.to = sink_of_fd(&fd)}};
    int result;

    w.copy = xmalloc(COPY_STEP);
    result = format == BUNDLE_OCI ? save_oci(&w, images, platform, err)
                                  : save_docker(&w, images, platform, err);
    return result < 0 ? -1 : tar_write_end(&w.tar, err);
}
