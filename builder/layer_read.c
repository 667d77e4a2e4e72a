/* SPDX-License-Identifier: Apache-2.0 */
/* Layers out of the store: one pass over a blob gives its index, its tree, or both. */
#include "builder/layer_read.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/scope.h"
#include "builder/compress.h"
#include "builder/index.h"
#include "builder/layer_blob.h"
#include "builder/tar.h"
#include "builder/unpack.h"
#include "registry/layout.h"

/*
 * A blob that grows to more than this is a bomb rather than a layer: real ones shrink to a fifth,
 * gzip cannot pass 1:1032, zstd can pass any number.
 */
#define PLAIN_MIN ((uint64_t)4 << 30)
#define PLAIN_RATIO 200
#define POOR_XATTR "user.slipway.poor"

/* What a layer's tar flows through: bytes are hashed, or stored, as the reader takes them. */
struct tap {
    struct inflater *from;
    struct sha256 hash;
    struct blob_writer *blob; /* or NULL: only hash */
};

static ssize_t tap_read(void *ctx, void *bytes, size_t size, struct err *err)
{
    struct tap *t = ctx;
    ssize_t n = inflater_read(t->from, bytes, size, err);

    if (n <= 0)
        return n;
    if (!t->blob)
        sha256_add(&t->hash, bytes, (size_t)n);
    else if (blob_add(t->blob, bytes, (size_t)n, err) < 0)
        return -1;
    return n;
}

/* Foreign names come into messages; a terminal must not obey them. */
static int clean(struct err *err)
{
    for (char *c = err->text; *c; c++) {
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = '?';
    }
    return -1;
}

static int check(const struct entry *e, struct err *err)
{
    if (e->type == ENTRY_CHAR && e->dev_major == 0 && e->dev_minor == 0)
        return err_set(err, ERR_INPUT, EINVAL, "\"%s\" is a device 0:0, which would hide a file",
                       e->path);
    return 0;
}

/* Content that the index keeps; unpack wants it too, so it is read from memory then. */
static int keep_content(struct index_builder *b, struct tar_reader *tar, const struct entry *e,
                        struct buf *kept, struct err *err)
{
    buf_clear(kept);
    while (kept->size < e->size) {
        ssize_t n = tar_read(tar, buf_reserve(kept, (size_t)e->size - kept->size),
                             (size_t)e->size - kept->size, err);

        if (n < 0)
            return -1;
        if (n == 0)
            break;
        buf_commit(kept, (size_t)n);
    }
    index_builder_content(b, buf_str(kept));
    return 0;
}

static int each_entry(struct tar_reader *tar, struct index_builder *b, struct unpack *u,
                      uint64_t *count, struct err *err)
{
    SCOPED(buf_release) struct buf kept = {0};
    struct entry e;
    int got;

    while ((got = tar_next(tar, &e, err)) > 0) {
        bool keep = index_keeps_content(&e);

        if (check(&e, err) < 0 || index_builder_add(b, &e, err) < 0)
            return -1;
        if (keep && keep_content(b, tar, &e, &kept, err) < 0)
            return -1;
        if (u && unpack_entry(u, &e, keep ? NULL : tar, buf_str(&kept), err) < 0)
            return -1;
        ++*count;
    }
    return got < 0 ? -1 : tar_drain(tar, err);
}

/* Everything of a tar: *count entries, all of them in the index. */
static int read_tar(struct tap *tap, struct unpack *u, uint64_t *count, struct index_builder *b,
                    struct err *err)
{
    struct tar_reader *tar = tar_reader_open((struct source){.read = tap_read, .ctx = tap});
    int result = each_entry(tar, b, u, count, err);

    tar_reader_close(tar);
    if (result == 0 && u)
        result = unpack_end(u, err);
    return result < 0 ? clean(err) : 0;
}

static int read_blob(int fd, uint64_t size, const char *diff_id, struct unpack *u,
                     struct index_builder *b, struct err *err)
{
    struct tap tap = {0};
    char got[DIGEST_SIZE];
    uint64_t count = 0;
    int result;

    tap.from = inflater_open(source_of_fd(&fd), PLAIN_MIN + PLAIN_RATIO * size, err);
    if (!tap.from)
        return -1;
    sha256_begin(&tap.hash);
    result = read_tar(&tap, u, &count, b, err);
    inflater_close(tap.from);
    if (result < 0)
        return -1;
    sha256_end_digest(&tap.hash, got);
    if (strcmp(got, diff_id) != 0)
        return err_set(err, ERR_INPUT, EINVAL, "its content is %s, but the image's config says %s",
                       got, diff_id);
    return 0;
}

/* The size is checked against the manifest before a byte is believed. */
static int open_blob(const struct layout *layout, const struct descriptor *blob, struct err *err)
{
    uint64_t size = 0;
    AUTO_FD int fd = layout_open_blob(layout, blob->digest, &size, err);

    if (fd < 0)
        return -1;
    if (size != blob->size)
        return err_set(err, ERR_INPUT, EINVAL,
                       "layer %s: %llu bytes long, but the manifest says %llu", blob->digest,
                       (unsigned long long)size, (unsigned long long)blob->size);
    return steal_fd(&fd);
}

/* Reads a blob once and keeps its index; when tree_fd is not -1, its files go into that directory.
 */
static int read_layer(const struct layout *layout, const struct descriptor *blob,
                      const char *diff_id, int tree_fd, bool plain, const struct strv *spared,
                      struct err *err)
{
    AUTO_FD int fd = open_blob(layout, blob, err);
    struct index_builder *b;
    struct unpack *u;
    int result;

    if (fd < 0)
        return -1;
    b = index_builder_new();
    u = tree_fd < 0 ? NULL : plain ? unpack_open_plain(tree_fd, spared) : unpack_open(tree_fd);
    result = read_blob(fd, blob->size, diff_id, u, b, err);
    if (result == 0) {
        AUTO_FD int index = layer_write_index(layout, b, err);

        result = index < 0 ? -1 : layer_keep_index(layout, index, diff_id, err);
    }
    unpack_close(u);
    index_builder_free(b);
    return result < 0 ? err_wrap(err, "layer %s", blob->digest) : 0;
}

#define INDEX_NAME_MAX (SHA256_HEX_SIZE + sizeof("index/"))

static const char *index_name(const char *diff_id, char out[static INDEX_NAME_MAX])
{
    snprintf(out, INDEX_NAME_MAX, "index/%s", digest_hex(diff_id));
    return out;
}

int layer_write_index(const struct layout *layout, struct index_builder *b, struct err *err)
{
    AUTO_FD int fd = fs_tmpfile(layout->cache_fd, 0600, err);

    if (fd < 0)
        return -1;
    if (index_builder_end(b, sink_of_fd(&fd), err) == 0)
        return steal_fd(&fd);
    if (err->kind == ERR_SYSTEM)
        err_wrap(err, "store %s: write a layer", layout->root);
    return clean(err);
}

int layer_keep_index(const struct layout *layout, int fd, const char *diff_id, struct err *err)
{
    char name[INDEX_NAME_MAX];

    if (fs_mkdirs(layout->cache_fd, "index", 0700, err) < 0)
        return -1;
    /* There may be a damaged one; whoever has mapped it keeps it. */
    unlinkat(layout->cache_fd, index_name(diff_id, name), 0);
    return fs_link_tmpfile(fd, layout->cache_fd, name, false, err);
}

bool layer_has_index(struct layout *layout, const char *diff_id)
{
    char name[INDEX_NAME_MAX];

    return faccessat(layout->cache_fd, index_name(diff_id, name), F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static int check_diff_id(const char *diff_id, struct err *err)
{
    return digest_valid(diff_id)
               ? 0
               : err_set(err, ERR_INPUT, EINVAL, "\"%.80s\" is no diff id", diff_id);
}

int layer_index(struct layout *layout, const struct descriptor *blob, const char *diff_id,
                struct index **index, struct err *err)
{
    char name[INDEX_NAME_MAX];
    int got;

    if (check_diff_id(diff_id, err) < 0)
        return -1;
    got = index_open(layout->cache_fd, index_name(diff_id, name), index, err);
    if (got != 0)
        return got < 0 ? -1 : 0;
    if (read_layer(layout, blob, diff_id, -1, false, NULL, err) < 0)
        return -1;
    got = index_open(layout->cache_fd, name, index, err);
    if (got == 0)
        err_set(err, ERR_SYSTEM, EIO, "layer %s: its index cannot be read again", blob->digest);
    return got > 0 ? 0 : -1;
}

int layer_from_tar(struct layout *layout, struct pool *pool, struct source tar,
                   const struct layer_options *options, struct layer *layer, struct err *err)
{
    struct tap tap = {.from = inflater_open(tar, 0, err)};
    struct index_builder *b = index_builder_new();
    AUTO_FD int index = -1;
    int result = -1;

    layer->entries = 0;
    if (tap.from)
        tap.blob = blob_open(layout, pool, options->codec, options->level, err);
    if (tap.blob && read_tar(&tap, NULL, &layer->entries, b, err) == 0)
        index = layer_write_index(layout, b, err);
    if (index >= 0 && blob_end(tap.blob, layer, err) == 0)
        result = layer_keep_index(layout, index, layer->diff_id, err);
    blob_close(tap.blob);
    inflater_close(tap.from);
    index_builder_free(b);
    return result;
}

/* ---- trees ---- */

const char *layer_tree_path(const char *diff_id, char out[static LAYER_TREE_PATH_MAX])
{
    snprintf(out, LAYER_TREE_PATH_MAX, "trees/%s", digest_hex(diff_id));
    return out;
}

bool layer_has_tree(struct layout *layout, const char *diff_id)
{
    return digest_valid(diff_id) && faccessat(layout->trees_fd, digest_hex(diff_id), F_OK, 0) == 0;
}

/* Unpacked by an ordinary user without a user namespace: its contents are right, its owners and
 * modes are not. Whoever can do better does it again. */
static bool is_poor(struct layout *layout, const char *diff_id)
{
    AUTO_FD int fd =
        openat(layout->trees_fd, digest_hex(diff_id), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    return fd >= 0 && fgetxattr(fd, POOR_XATTR, NULL, 0) >= 0;
}

static void mark_poor(int tree_fd)
{
    if (geteuid() != 0 && fsetxattr(tree_fd, POOR_XATTR, "", 0, 0) < 0)
        log_debug("a tree without owners is not marked: %s", strerror(errno));
}

static bool has_good_tree(struct layout *layout, const char *diff_id)
{
    return layer_has_tree(layout, diff_id) && (geteuid() != 0 || !is_poor(layout, diff_id));
}

/* The first of several processes wins; the others' work is the same and goes. */
static int adopt(struct layout *layout, const char *diff_id, int dir_fd, const char *name,
                 struct err *err)
{
    if (renameat2(dir_fd, name, layout->trees_fd, digest_hex(diff_id), RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EEXIST && errno != ENOTEMPTY)
        return err_errno(err, "keep the tree of layer %s", diff_id);
    return fs_remove_tree(dir_fd, name, err);
}

int layer_keep_tree(struct layout *layout, const char *diff_id, int dir_fd, const char *name,
                    struct err *err)
{
    return check_diff_id(diff_id, err) < 0 ? -1 : adopt(layout, diff_id, dir_fd, name, err);
}

static int unpack_into(struct layout *layout, const struct descriptor *blob, const char *diff_id,
                       const struct layout_tmp *tmp, struct err *err)
{
    AUTO_FD int fd = -1;

    if (mkdirat(tmp->fd, "tree", 0700) < 0)
        return err_errno(err, "make a directory for layer %s", diff_id);
    fd = fs_open_dir(tmp->fd, "tree", err);
    if (fd < 0 || read_layer(layout, blob, diff_id, fd, false, NULL, err) < 0)
        return -1;
    mark_poor(fd);
    if (layer_has_tree(layout, diff_id) && /* a poor one */
        fs_remove_tree(layout->trees_fd, digest_hex(diff_id), err) < 0)
        return -1;
    return adopt(layout, diff_id, tmp->fd, "tree", err);
}

int layer_tree(struct layout *layout, const struct descriptor *blob, const char *diff_id,
               struct err *err)
{
    struct layout_tmp tmp = LAYOUT_TMP_CLOSED;
    AUTO_FD int lock = -1;
    int result;

    if (check_diff_id(diff_id, err) < 0)
        return -1;
    if (has_good_tree(layout, diff_id))
        return 0;
    lock = layout_lock(layout, diff_id, true, err);
    if (lock < 0)
        return -1;
    if (has_good_tree(layout, diff_id))
        return 0;
    if (layout_tmp_open(layout, &tmp, err) < 0)
        return -1;
    result = unpack_into(layout, blob, diff_id, &tmp, err);
    layout_tmp_close(layout, &tmp);
    return result;
}

int layer_unpack_onto(struct layout *layout, const struct descriptor *blob, const char *diff_id,
                      int root_fd, const struct strv *spared, struct err *err)
{
    return check_diff_id(diff_id, err) < 0
               ? -1
               : read_layer(layout, blob, diff_id, root_fd, true, spared, err);
}

int layer_open_file(struct layout *layout, const char *diff_id, const char *path, struct err *err)
{
    char tree[LAYER_TREE_PATH_MAX];
    AUTO_FD int root = -1;
    struct stat st;
    int fd;

    if (check_diff_id(diff_id, err) < 0)
        return -1;
    root = fs_open_dir(layout->dir_fd, layer_tree_path(diff_id, tree), err);
    if (root < 0)
        return -1;
    fd = fs_open_beneath(root, path, O_RDONLY | O_NONBLOCK, 0, FS_NO_LINKS, err);
    if (fd >= 0 && (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))) {
        close(fd);
        return err_set(err, ERR_SYSTEM, EINVAL, "/%s of layer %s is not a file in its tree", path,
                       diff_id);
    }
    return fd;
}
