/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/log.h"
#include "base/path.h"
#include "base/scope.h"
#include "builder/bundle.h"
#include "builder/compress.h"
#include "builder/layer.h"
#include "builder/stream.h"
#include "builder/tar.h"
#include "registry/config.h"
#include "registry/layout.h"
#include "registry/manifest.h"

#define COPY_STEP ((size_t)1 << 20)
#define INDEX_MAX (8 << 20) /* ours: index.json or manifest.json of an archive */
#define ENTRIES_MAX 100000  /* ours: no archive of images has more files */
#define LINKS_MAX 8         /* a link to a link to … */

/* One file of the archive by its name. */
struct item {
    char *name;
    char *link;               /* a link: the name it stands for */
    char digest[DIGEST_SIZE]; /* of its bytes, which are a blob now … */
    uint64_t size;
    char diff_id[DIGEST_SIZE]; /* … or, for a plain layer that we compressed, of its tar; "" else */
    enum codec codec;          /* of the blob */
};

struct load {
    struct layout *l;
    struct pool *pool;
    struct tar_reader *tar;
    const struct reference *name;
    struct item *items;
    size_t count, capacity;
    struct buf index, manifest; /* index.json, manifest.json */
    bool has_index, has_manifest;
    char *copy;
    struct bundle loaded;
};

static void load_release(struct load *load)
{
    for (size_t i = 0; i < load->count; i++) {
        scope_free(&load->items[i].name);
        scope_free(&load->items[i].link);
    }
    scope_free(&load->items);
    buf_release(&load->index);
    buf_release(&load->manifest);
    scope_free(&load->copy);
    bundle_release(&load->loaded);
    tar_reader_close(load->tar);
}

static struct item *add_item(struct load *load, const char *name)
{
    VEC_GROW(load->items, load->count, load->capacity);
    load->items[load->count] = (struct item){.name = xstrdup(name)};
    return &load->items[load->count++];
}

static const struct item *find_item(const struct load *load, const char *name)
{
    for (int hops = 0; name && hops < LINKS_MAX; hops++) {
        const struct item *item = NULL;

        for (size_t i = 0; i < load->count && !item; i++)
            if (strcmp(load->items[i].name, name) == 0)
                item = &load->items[i];
        if (!item || !item->link)
            return item;
        name = item->link;
    }
    return NULL;
}

static int read_small(struct load *load, struct buf *out, size_t max, struct err *err)
{
    ssize_t n;

    buf_clear(out);
    while ((n = tar_read(load->tar, load->copy, COPY_STEP, err)) > 0) {
        if ((size_t)n > max - out->size)
            return err_set(err, ERR_INPUT, 0, "larger than the limit of %zu bytes", max);
        buf_add(out, load->copy, (size_t)n);
    }
    return (int)n;
}

/* The rest of the current entry becomes a blob; head: what of it was read already. */
static int store_blob(struct load *load, struct str head, struct item *item, struct err *err)
{
    struct sha256 hash;
    ssize_t n;
    AUTO_FD int fd = layout_tmpfile(load->l, err);

    if (fd < 0 || fs_write(fd, head.ptr, head.size, err) < 0)
        return -1;
    sha256_begin(&hash);
    sha256_add(&hash, head.ptr, head.size);
    item->size = head.size;
    while ((n = tar_read(load->tar, load->copy, COPY_STEP, err)) > 0) {
        if (fs_write(fd, load->copy, (size_t)n, err) < 0)
            return err_wrap(err, "store %s", load->l->root);
        sha256_add(&hash, load->copy, (size_t)n);
        item->size += (uint64_t)n;
    }
    if (n < 0)
        return -1;
    sha256_end_digest(&hash, item->digest);
    /* Who loads an image again may do so because the store's is damaged. */
    if (layout_has(load->l, item->digest) && layout_drop_damaged(load->l, item->digest, err) < 0)
        return -1;
    return layout_commit(load->l, fd, item->digest, err);
}

static int load_oci_blob(struct load *load, const char *hex, struct item *item, struct err *err)
{
    if (store_blob(load, STR(""), item, err) < 0)
        return -1;
    if (strcmp(digest_hex(item->digest), hex) != 0)
        return err_set(err, ERR_INPUT, 0, "its bytes have the digest %s", item->digest);
    return 0;
}

/* The current entry as a source, after a head that was read to see what it is. */
struct rest {
    struct load *load;
    struct str head;
};

static ssize_t read_rest(void *ctx, void *bytes, size_t size, struct err *err)
{
    struct rest *rest = ctx;
    size_t n = rest->head.size < size ? rest->head.size : size;

    if (n == 0)
        return tar_read(rest->load->tar, bytes, size, err);
    memcpy(bytes, rest->head.ptr, n);
    rest->head = str_slice(rest->head, n, rest->head.size);
    return (ssize_t)n;
}

static int compress_layer(struct load *load, struct str head, struct item *item, struct err *err)
{
    SCOPED(layer_release) struct layer layer = {0};
    struct layer_options options = LAYER_OPTIONS_DEFAULT;
    struct rest rest = {load, head};

    options.unsorted = true;
    if (layer_from_tar(load->l, load->pool, (struct source){read_rest, &rest}, &options, &layer,
                       err) < 0)
        return -1;
    memcpy(item->digest, layer.descriptor.digest, DIGEST_SIZE);
    memcpy(item->diff_id, layer.diff_id, DIGEST_SIZE);
    item->size = layer.descriptor.size;
    item->codec = CODEC_GZIP;
    return 0;
}

/* A file of a docker archive: a config, a compressed layer, or a plain layer. Told apart by their
 * first bytes. */
static int load_docker_file(struct load *load, struct item *item, struct err *err)
{
    char head[TAR_BLOCK];
    size_t size = 0;
    ssize_t n = 0;
    bool tar;

    while (size < sizeof(head) &&
           (n = tar_read(load->tar, head + size, sizeof(head) - size, err)) > 0)
        size += (size_t)n;
    if (n < 0)
        return -1;
    item->codec = size > 1 && memcmp(head, "\x1f\x8b", 2) == 0           ? CODEC_GZIP
                  : size > 3 && memcmp(head, "\x28\xb5\x2f\xfd", 4) == 0 ? CODEC_ZSTD
                                                                         : CODEC_NONE;
    tar = size == sizeof(head) && head[0] != '{' && item->codec == CODEC_NONE;
    if (tar)
        return compress_layer(load, (struct str){head, size}, item, err);
    return store_blob(load, (struct str){head, size}, item, err);
}

static bool is_docker_file(struct str name)
{
    return str_ends(name, ".json") || str_ends(name, ".tar") || str_ends(name, ".tar.gz") ||
           str_ends(name, ".tar.zst") || str_starts(name, "sha256:");
}

/* "blobs/sha256/<64 hex>": the hex, else NULL. */
static const char *blob_hex(const char *path)
{
    AUTO_FREE char *digest = NULL;

    if (strncmp(path, "blobs/sha256/", 13) != 0)
        return NULL;
    digest = xasprintf("sha256:%s", path + 13);
    return digest_valid(digest) ? path + 13 : NULL;
}

static void add_link(struct load *load, const struct entry *e)
{
    AUTO_FREE char *dir = str_dup(path_dir(str_of(e->path)));
    AUTO_FREE char *joined = e->type == ENTRY_HARDLINK ? xstrdup(e->link) : path_join(dir, e->link);
    struct item *item = add_item(load, e->path);

    /* Only a key of our own list: it opens nothing. */
    item->link = path_beneath(str_of(joined));
}

static int load_entry(struct load *load, const struct entry *e, struct err *err)
{
    const char *hex = blob_hex(e->path);

    if (e->type == ENTRY_SYMLINK || e->type == ENTRY_HARDLINK) {
        add_link(load, e);
        return 0;
    }
    if (e->type == ENTRY_DIR)
        return 0;
    if (e->type != ENTRY_FILE)
        return err_set(err, ERR_INPUT, 0, "a %s has no place in an archive of images",
                       entry_type_name(e->type));
    if (strcmp(e->path, "index.json") == 0) {
        load->has_index = true;
        return read_small(load, &load->index, INDEX_MAX, err);
    }
    if (strcmp(e->path, "manifest.json") == 0) {
        load->has_manifest = true;
        return read_small(load, &load->manifest, INDEX_MAX, err);
    }
    if (hex)
        return load_oci_blob(load, hex, add_item(load, e->path), err);
    return is_docker_file(str_of(e->path)) ? load_docker_file(load, add_item(load, e->path), err)
                                           : 0;
}

static int read_archive(struct load *load, struct err *err)
{
    struct entry e;
    size_t entries = 0;
    int more;

    while ((more = tar_next(load->tar, &e, err)) > 0) {
        AUTO_FREE char *name = xstrdup(e.path);

        if (++entries > ENTRIES_MAX)
            return err_set(err, ERR_INPUT, 0, "the archive has more than %d files", ENTRIES_MAX);
        if (load_entry(load, &e, err) < 0)
            return err_wrap(err, "%s", name);
    }
    return more < 0 ? -1 : tar_drain(load->tar, err);
}

/* --- OCI
 * ----------------------------------------------------------------------------------------------------------
 */

static int check_blob(const struct load *load, const struct descriptor *d, struct err *err)
{
    uint64_t size;
    AUTO_FD int fd = layout_open_blob(load->l, d->digest, &size, err);

    if (fd < 0)
        return err->code == ENOENT
                   ? err_set(err, ERR_INPUT, 0, "the archive lacks the blob %s", d->digest)
                   : -1;
    if (size != d->size)
        return err_set(err, ERR_INPUT, 0, "blob %s has %llu bytes where %llu are announced",
                       d->digest, (unsigned long long)size, (unsigned long long)d->size);
    return 0;
}

/* Everything the image needs is in the store, of the size it says. */
static int check_tree(const struct load *load, const struct descriptor *d, int depth,
                      struct err *err)
{
    SCOPED(manifest_release) struct manifest m = {0};
    size_t children = 0;

    if (check_blob(load, d, err) < 0 || layout_load_manifest(load->l, d, &m, err) < 0)
        return -1;
    if (depth >= MANIFEST_DEPTH_MAX)
        return err_set(err, ERR_INPUT, 0, "%s: indexes nested deeper than %d", d->digest,
                       MANIFEST_DEPTH_MAX);
    for (size_t i = 0; i < m.manifests_count; i++) {
        if (!layout_has(load->l, m.manifests[i].digest))
            continue;
        if (check_tree(load, &m.manifests[i], depth + 1, err) < 0)
            return -1;
        children++;
    }
    if (m.is_index)
        return children ? 0
                        : err_set(err, ERR_INPUT, 0,
                                  "the archive lacks every image of the index %s", d->digest);
    if (check_blob(load, &m.config, err) < 0)
        return -1;
    for (size_t i = 0; i < m.layers_count; i++)
        if (!media_is_foreign(m.layers[i].media_type) && check_blob(load, &m.layers[i], err) < 0)
            return -1;
    return 0;
}

/* "docker save" of today writes an OCI layout and beside it manifest.json, which has the names. */
static const json_t *repo_tags_of(const json_t *manifest, const struct load *load,
                                  const struct descriptor *d)
{
    SCOPED(manifest_release) struct manifest m = {0};
    AUTO_FREE char *config = NULL;
    struct err ignored = {0};

    if (!manifest || layout_load_manifest(load->l, d, &m, &ignored) < 0 || m.is_index)
        return NULL;
    config = xasprintf("blobs/sha256/%s", digest_hex(m.config.digest));
    for (size_t i = 0; i < json_array_size(manifest); i++) {
        const json_t *entry = json_array_get(manifest, i);
        const char *name = json_str(entry, "Config");

        if (name && strcmp(name, config) == 0)
            return json_object_get(entry, "RepoTags");
    }
    return NULL;
}

/* Remembers an image under a full name; one that is no name leaves it unnamed, and says so. */
static void remember(struct load *load, const char *text, const struct descriptor *d)
{
    SCOPED(reference_release) struct reference ref = {0};
    SCOPED(descriptor_release) struct descriptor bare = {0};
    AUTO_FREE char *name = NULL;
    struct err why = {0};

    descriptor_set(&bare, d->media_type, d->digest, d->size);
    if (d->has_platform)
        descriptor_set_platform(&bare, &d->platform);
    if (text && reference_parse(text, &ref, &why) < 0)
        log_warn("%s", why.text);
    else if (text)
        name = reference_name(&ref);
    bundle_add(&load->loaded, name, &bare);
}

static void remember_all(struct load *load, const json_t *repo_tags, const struct descriptor *d)
{
    for (size_t i = 0; i < json_array_size(repo_tags); i++)
        if (json_is_string(json_array_get(repo_tags, i)))
            remember(load, json_string_value(json_array_get(repo_tags, i)), d);
    if (json_array_size(repo_tags) == 0)
        remember(load, NULL, d);
}

static int load_oci(struct load *load, struct err *err)
{
    json_auto_t *index = json_parse(buf_str(&load->index), err), *manifest = NULL;
    struct err ignored = {0};
    const json_t *list;

    if (!index)
        return err_wrap(err, "index.json");
    if (load->has_manifest)
        manifest = json_parse(buf_str(&load->manifest), &ignored);
    list = json_object_get(index, "manifests");
    if (json_array_size(list) == 0)
        return err_set(err, ERR_INPUT, 0, "index.json: it names no image");
    for (size_t i = 0; i < json_array_size(list); i++) {
        SCOPED(descriptor_release) struct descriptor d = {0};
        const char *name;

        if (descriptor_from_json(json_array_get(list, i), &d, err) < 0 ||
            check_tree(load, &d, 0, err) < 0)
            return err_wrap(err, "index.json: image %zu", i + 1);
        name = descriptor_annotation(&d, "io.containerd.image.name");
        if (!name)
            name = descriptor_annotation(&d, LAYOUT_REF_NAME);
        if (name)
            remember(load, name, &d);
        else
            remember_all(load, repo_tags_of(manifest, load, &d), &d);
    }
    return 0;
}

/* --- docker
 * -------------------------------------------------------------------------------------------------------
 */

static const struct item *need_item(const struct load *load, const json_t *name, struct err *err)
{
    AUTO_FREE char *clean =
        json_is_string(name) ? path_beneath(str_of(json_string_value(name))) : NULL;
    const struct item *item = clean ? find_item(load, clean) : NULL;
    SCOPED(buf_release) struct buf shown = {0};

    if (item && item->digest[0])
        return item;
    buf_add_escaped(&shown, str_slice(str_of(clean), 0, 200));
    err_set(err, ERR_INPUT, 0, "manifest.json: the archive lacks \"%s\"", buf_cstr(&shown));
    return NULL;
}

/* A layer must have the content that the config promises. */
static int take_layer(const struct load *load, const struct item *item, const char *diff_id,
                      struct descriptor *out, struct err *err)
{
    descriptor_set(out,
                   media_layer_type(false, item->codec == CODEC_GZIP, item->codec == CODEC_ZSTD),
                   item->digest, item->size);
    if (item->diff_id[0]) {
        if (strcmp(item->diff_id, diff_id) == 0)
            return 0;
        return err_set(err, ERR_INPUT, 0,
                       "%s: its content has the digest %s, the config promises %s", item->name,
                       item->diff_id, diff_id);
    }
    struct index *index = NULL;
    if (layer_index(load->l, out, diff_id, &index, err) < 0)
        return err_wrap(err, "%s", item->name);
    index_close(index);
    return 0;
}

struct layers {
    struct descriptor *list;
    size_t count;
};

static void layers_release(struct layers *layers)
{
    for (size_t i = 0; i < layers->count; i++)
        descriptor_release(&layers->list[i]);
    scope_free(&layers->list);
}

static int take_layers(const struct load *load, const json_t *names, const json_t *config,
                       struct layers *out, struct err *err)
{
    SCOPED(strv_release) struct strv diff_ids = {0};

    config_diff_ids(config, &diff_ids);
    if (json_array_size(names) != diff_ids.count)
        return err_set(err, ERR_INPUT, 0, "manifest.json has %zu layers but the config names %zu",
                       json_array_size(names), diff_ids.count);
    out->list = xcalloc(diff_ids.count ? diff_ids.count : 1, sizeof(*out->list));
    for (size_t i = 0; i < diff_ids.count; i++) {
        const struct item *item = need_item(load, json_array_get(names, i), err);

        if (!item || take_layer(load, item, diff_ids.ptr[i], &out->list[out->count++], err) < 0)
            return -1;
    }
    return 0;
}

static int load_docker_image(struct load *load, const json_t *entry, struct err *err)
{
    SCOPED(layers_release) struct layers layers = {0};
    SCOPED(descriptor_release) struct descriptor config = {0}, d = {0};
    SCOPED(buf_release) struct buf text = {0};
    const struct item *item = need_item(load, json_object_get(entry, "Config"), err);
    json_auto_t *doc = NULL;
    char digest[DIGEST_SIZE];

    if (!item || layout_read_blob(load->l, item->digest, MANIFEST_CONFIG_MAX, &text, err) < 0)
        return -1;
    doc = config_parse(buf_str(&text), err);
    if (!doc)
        return err_wrap(err, "%s", item->name);
    if (take_layers(load, json_object_get(entry, "Layers"), doc, &layers, err) < 0)
        return -1;
    descriptor_set(&config, MEDIA_OCI_CONFIG, item->digest, item->size);
    buf_clear(&text);
    manifest_print_image(&config, layers.list, layers.count, NULL, &text);
    if (layout_put(load->l, text.ptr, text.size, digest, err) < 0)
        return -1;
    descriptor_set(&d, MEDIA_OCI_MANIFEST, digest, text.size);
    if (config_platform(doc, &d.platform, err) < 0)
        return err_wrap(err, "%s", item->name);
    d.has_platform = true;
    remember_all(load, json_object_get(entry, "RepoTags"), &d);
    return 0;
}

static int load_docker(struct load *load, struct err *err)
{
    json_auto_t *manifest = json_parse(buf_str(&load->manifest), err);

    if (!manifest)
        return err_wrap(err, "manifest.json");
    if (!json_is_array(manifest) || json_array_size(manifest) == 0)
        return err_set(err, ERR_INPUT, 0, "manifest.json: it names no image");
    for (size_t i = 0; i < json_array_size(manifest); i++)
        if (load_docker_image(load, json_array_get(manifest, i), err) < 0)
            return -1;
    return 0;
}

/* --- both
 * ---------------------------------------------------------------------------------------------------------
 */

static int name_images(struct load *load, struct err *err)
{
    struct bundle *b = &load->loaded;

    if (load->name) {
        for (size_t i = 1; i < b->count; i++)
            if (strcmp(b->images[i].descriptor.digest, b->images[0].descriptor.digest) != 0)
                return err_set(err, ERR_USAGE, 0,
                               "the archive has more than one image: it gets its names from it");
        while (b->count > 1)
            descriptor_release(&b->images[--b->count].descriptor),
                scope_free(&b->images[b->count].name);
        scope_free(&b->images[0].name);
        b->images[0].name = reference_name(load->name);
    }
    for (size_t i = 0; i < b->count; i++) {
        SCOPED(reference_release) struct reference ref = {0};

        if (b->images[i].name && reference_parse(b->images[i].name, &ref, err) < 0)
            return -1;
        if (layout_tag(load->l, b->images[i].name ? &ref : NULL, &b->images[i].descriptor, err) < 0)
            return -1;
    }
    return 0;
}

static int load_all(struct load *load, struct err *err)
{
    if (read_archive(load, err) < 0)
        return -1;
    if (!load->has_index && !load->has_manifest)
        return err_set(
            err, ERR_INPUT, 0,
            "neither an OCI nor a docker archive: it has no index.json and no manifest.json");
    if ((load->has_index ? load_oci(load, err) : load_docker(load, err)) < 0)
        return -1;
    return name_images(load, err);
}

int bundle_load(struct layout *layout, struct pool *pool, int fd, const struct reference *name,
                struct bundle *out, struct err *err)
{
    struct inflater *plain = inflater_open(source_of_fd(&fd), 0, err);
    struct load load = {.l = layout, .pool = pool, .name = name};
    int result;

    if (!plain)
        return -1;
    load.copy = xmalloc(COPY_STEP);
    load.tar = tar_reader_open(source_of_inflater(plain));
    tar_reader_raw(load.tar);
    result = load_all(&load, err);
    if (result == 0) {
        *out = load.loaded;
        load.loaded = (struct bundle){0};
    }
    load_release(&load);
    inflater_close(plain);
    return result;
}
