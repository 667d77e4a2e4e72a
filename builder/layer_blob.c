/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/layer_blob.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/scope.h"
#include "builder/tripwire.h"
#include "registry/layout.h"
#include "registry/manifest.h"

#define FLUSH_STEP ((uint64_t)8 << 20)

struct blob_writer {
    struct layout *layout;
    int fd;
    enum codec codec;
    struct compressor *compressor;
    struct sha256 tar_hash, blob_hash;
    uint64_t tar_size, blob_size, flushed;
};

/* Starts write-back early, so that the sync at the end finds little left to do. */
static int write_blob(void *ctx, const void *bytes, size_t size, struct err *err)
{
    struct blob_writer *b = ctx;

    if (b->codec != CODEC_NONE)
        sha256_add(&b->blob_hash, bytes, size);
    if (fs_write(b->fd, bytes, size, err) < 0)
        return err_wrap(err, "store %s: write a layer", b->layout->root);
    b->blob_size += size;
    if (b->blob_size - b->flushed >= FLUSH_STEP) {
        sync_file_range(b->fd, (off_t)b->flushed, (off_t)(b->blob_size - b->flushed),
                        SYNC_FILE_RANGE_WRITE);
        b->flushed = b->blob_size;
    }
    return 0;
}

struct blob_writer *blob_open(struct layout *layout, struct pool *pool, enum codec codec, int level,
                              struct err *err)
{
    struct blob_writer *b;
    int fd;

    if (!codec_level_valid(codec, level)) {
        err_set(err, ERR_USAGE, EINVAL, "%s has no compression level %d", codec_name(codec), level);
        return NULL;
    }
    fd = layout_tmpfile(layout, err);
    if (fd < 0)
        return NULL;
    b = xcalloc(1, sizeof(*b));
    b->layout = layout;
    b->fd = fd;
    b->codec = codec;
    sha256_begin(&b->tar_hash);
    sha256_begin(&b->blob_hash);
    b->compressor =
        compressor_open(pool, codec, level, (struct sink){.write = write_blob, .ctx = b});
    return b;
}

void blob_close(struct blob_writer *b)
{
    if (!b)
        return;
    compressor_close(b->compressor);
    scope_close(&b->fd);
    free(b);
}

int blob_add(struct blob_writer *b, const void *bytes, size_t size, struct err *err)
{
    sha256_add(&b->tar_hash, bytes, size);
    b->tar_size += size;
    return compressor_write(b->compressor, bytes, size, err);
}

/* Up to size bytes of a file straight into the compressor: the count, 0 at its end. */
ssize_t blob_add_fd(struct blob_writer *b, int fd, off_t offset, uint64_t size,
                    const struct blob_taps *taps, struct err *err)
{
    size_t room;
    char *space = compressor_space(b->compressor, &room);
    ssize_t n;

    do {
        n = pread(fd, space, size < room ? (size_t)size : room, offset);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return err_errno(err, "read");
    tripwire_feed(taps->scan, space, (size_t)n);
    survey_feed(taps->head, space, (size_t)n);
    sha256_add(&b->tar_hash, space, (size_t)n);
    if (taps->also)
        sha256_add(taps->also, space, (size_t)n);
    b->tar_size += (uint64_t)n;
    return compressor_advance(b->compressor, (size_t)n, err) < 0 ? -1 : n;
}

int blob_end(struct blob_writer *b, struct layer *layer, struct err *err)
{
    char digest[DIGEST_SIZE];

    if (compressor_end(b->compressor, err) < 0)
        return -1;
    sha256_end_digest(&b->tar_hash, layer->diff_id);
    if (b->codec == CODEC_NONE)
        memcpy(digest, layer->diff_id, DIGEST_SIZE);
    else
        sha256_end_digest(&b->blob_hash, digest);
    if (layout_commit(b->layout, b->fd, digest, err) < 0)
        return err_wrap(err, "store layer %s", digest);
    layer->size = b->tar_size;
    descriptor_set(&layer->descriptor,
                   media_layer_type(false, b->codec == CODEC_GZIP, b->codec == CODEC_ZSTD), digest,
                   b->blob_size);
    return 0;
}
