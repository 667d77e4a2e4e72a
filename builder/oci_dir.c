/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/oci_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/scope.h"
#include "builder/stream.h"
#include "registry/layout.h"
#include "registry/manifest.h"

#define PIECE ((size_t)1 << 20)
#define IMAGE_NAME "io.containerd.image.name"

struct target {
    const struct layout *layout;
    int dir_fd, blobs_fd;
    char *piece; /* PIECE bytes */
};

static void target_release(struct target *t)
{
    scope_close(&t->dir_fd);
    scope_close(&t->blobs_fd);
    scope_free(&t->piece);
}

/* Hashed on its way: a damaged store must not give a layout that looks good. */
static int copy_blob(struct target *t, const char *digest, struct err *err)
{
    char found[DIGEST_SIZE];
    struct sha256 hash;
    struct source from;
    struct stat st;
    uint64_t left;
    AUTO_FD int in = layout_open_blob(t->layout, digest, &left, err), out = -1;

    if (in < 0)
        return -1;
    if (fstatat(t->blobs_fd, digest_hex(digest), &st, AT_SYMLINK_NOFOLLOW) == 0 &&
        S_ISREG(st.st_mode) && (uint64_t)st.st_size == left)
        return 0;
    out = fs_tmpfile(t->blobs_fd, 0644, err);
    if (out < 0)
        return -1;
    from = source_of_fd(&in);
    sha256_begin(&hash);
    for (;;) {
        ssize_t n = from.read(from.ctx, t->piece, PIECE, err);

        if (n < 0 || (n > 0 && fs_write(out, t->piece, (size_t)n, err) < 0))
            return -1;
        if (n == 0)
            break;
        sha256_add(&hash, t->piece, (size_t)n);
    }
    sha256_end_digest(&hash, found);
    if (strcmp(found, digest) != 0)
        return err_set(err, ERR_INPUT, 0, "blob %s in %s is damaged: its bytes have another digest",
                       digest, t->layout->root);
    unlinkat(t->blobs_fd, digest_hex(digest), 0); /* one of another size */
    return fs_link_tmpfile(out, t->blobs_fd, digest_hex(digest), false, err);
}

static int copy_tree(struct target *t, const struct descriptor *d, int depth, struct err *err)
{
    SCOPED(manifest_release) struct manifest m = {0};

    if (layout_load_manifest(t->layout, d, &m, err) < 0)
        return -1;
    if (depth >= MANIFEST_DEPTH_MAX)
        return err_set(err, ERR_INPUT, 0, "%s: indexes nested deeper than %d", d->digest,
                       MANIFEST_DEPTH_MAX);
    for (size_t i = 0; i < m.manifests_count; i++)
        if (copy_tree(t, &m.manifests[i], depth + 1, err) < 0)
            return -1;
    for (size_t i = 0; i < m.layers_count; i++)
        if (!media_is_foreign(m.layers[i].media_type) && copy_blob(t, m.layers[i].digest, err) < 0)
            return -1;
    if (!m.is_index && copy_blob(t, m.config.digest, err) < 0)
        return -1;
    return copy_blob(t, d->digest, err);
}

/* The index there, or a new one. Owned by the caller. */
static json_t *read_index(const struct target *t, struct err *err)
{
    SCOPED(buf_release) struct buf text = {0};
    struct err why = {0};
    json_t *doc;

    if (fs_read_file(t->dir_fd, "index.json", &text, LAYOUT_INDEX_MAX, &why) < 0) {
        if (why.code == ENOENT)
            return json_pack("{s:i, s:s, s:[]}", "schemaVersion", 2, "mediaType", MEDIA_OCI_INDEX,
                             "manifests");
        *err = why;
        return NULL;
    }
    doc = json_parse(buf_str(&text), err);
    if (doc && json_is_array(json_object_get(doc, "manifests")))
        return doc;
    if (doc)
        err_set(err, ERR_INPUT, 0, "it has no list of manifests");
    json_decref(doc);
    err_wrap(err, "index.json");
    return NULL;
}

static bool is_replaced(json_t *entry, const char *name, const char *digest)
{
    json_t *notes = json_object_get(entry, "annotations");
    const char *has = notes ? json_str(notes, LAYOUT_REF_NAME) : NULL;
    const char *is = json_str(entry, "digest");

    return name ? has && strcmp(has, name) == 0 : !has && is && strcmp(is, digest) == 0;
}

static void add_entry(json_t *list, const struct descriptor *image, const char *name)
{
    SCOPED(descriptor_release) struct descriptor d = {0};

    for (size_t i = json_array_size(list); i-- > 0;)
        if (is_replaced(json_array_get(list, i), name, image->digest))
            json_array_remove(list, i);
    descriptor_copy(&d, image);
    descriptor_annotate(&d, LAYOUT_REF_NAME, name);
    descriptor_annotate(&d, IMAGE_NAME, name);
    json_array_append_new(list, descriptor_to_json(&d));
}

static int write_index(const struct target *t, const struct descriptor *image,
                       const struct strv *names, struct err *err)
{
    static const char version[] = "{\"imageLayoutVersion\":\"1.0.0\"}";
    SCOPED(buf_release) struct buf text = {0};
    json_auto_t *index = read_index(t, err);
    json_t *list = json_object_get(index, "manifests");

    if (!index)
        return -1;
    for (size_t i = 0; i < names->count; i++)
        add_entry(list, image, names->ptr[i]);
    if (!names->count)
        add_entry(list, image, NULL);
    json_print(index, &text);
    if (fs_replace(t->dir_fd, "oci-layout", version, sizeof(version) - 1, 0644, false, err) < 0)
        return -1;
    return fs_replace(t->dir_fd, "index.json", text.ptr, text.size, 0644, false, err);
}

int oci_dir_write(const struct layout *layout, const struct descriptor *image,
                  const struct strv *names, const char *dest, struct err *err)
{
    SCOPED(target_release)
    struct target t = {.layout = layout, .dir_fd = -1, .blobs_fd = -1, .piece = xmalloc(PIECE)};

    if (fs_mkdirs(AT_FDCWD, dest, 0755, err) < 0)
        return -1;
    t.dir_fd = fs_open_dir(AT_FDCWD, dest, err);
    if (t.dir_fd < 0 || fs_mkdirs(t.dir_fd, "blobs/sha256", 0755, err) < 0)
        return -1;
    t.blobs_fd = fs_open_dir(t.dir_fd, "blobs/sha256", err);
    if (t.blobs_fd < 0 || copy_tree(&t, image, 0, err) < 0 ||
        write_index(&t, image, names, err) < 0)
        return err_wrap(err, "%s", dest);
    return 0;
}
