/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/recode.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/log.h"
#include "base/progress.h"
#include "base/scope.h"
#include "builder/layer.h"
#include "builder/layer_blob.h"
#include "registry/layout.h"
#include "registry/manifest.h"

#define PIECE (1 << 18)
#define RECORD_MAX 65536
#define RECORD_PATH_MAX 128

enum codec recode_codec_of(const struct descriptor *layer)
{
    return media_is_gzip(layer->media_type)   ? CODEC_GZIP
           : media_is_zstd(layer->media_type) ? CODEC_ZSTD
                                              : CODEC_NONE;
}

static void record_path(const char *diff_id, enum codec codec, int level,
                        char out[static RECORD_PATH_MAX])
{
    snprintf(out, RECORD_PATH_MAX, "recoded/%s-%s-%d", digest_hex(diff_id), codec_name(codec),
             level);
}

/* A record that is damaged, or whose blob is gone, is none. */
static bool remembered(const struct layout *layout, const char *path, struct descriptor *out)
{
    SCOPED(buf_release) struct buf text = {0};
    struct err why = {0};
    json_auto_t *doc = NULL;

    if (fs_read_file(layout->cache_fd, path, &text, RECORD_MAX, &why) < 0)
        return false;
    doc = json_parse(buf_str(&text), &why);
    if (!doc || descriptor_from_json(doc, out, &why) < 0) {
        log_debug("%s counts as none: %s", path, why.text);
        return false;
    }
    if (layout_has(layout, out->digest))
        return true;
    descriptor_release(out);
    return false;
}

static int remember(const struct layout *layout, const char *path, const struct descriptor *d,
                    struct err *err)
{
    SCOPED(buf_release) struct buf text = {0};
    json_auto_t *doc = descriptor_to_json(d);

    json_print(doc, &text);
    if (fs_mkdirs(layout->cache_fd, "recoded", 0700, err) < 0)
        return -1;
    return fs_replace(layout->cache_fd, path, text.ptr, text.size, 0600, false, err);
}

static int pour(struct inflater *in, struct blob_writer *out, struct err *err)
{
    AUTO_FREE char *bytes = xmalloc(PIECE);

    for (;;) {
        ssize_t n = inflater_read(in, bytes, PIECE, err);

        if (n <= 0)
            return (int)n;
        if (blob_add(out, bytes, (size_t)n, err) < 0)
            return -1;
    }
}

static int convert(struct layout *layout, struct pool *pool, const struct descriptor *from,
                   enum codec codec, int level, struct layer *layer, struct err *err)
{
    AUTO_FD int fd = layout_open_blob(layout, from->digest, NULL, err);
    struct inflater *in = fd < 0 ? NULL : inflater_open(source_of_fd(&fd), 0, err);
    struct blob_writer *out = in ? blob_open(layout, pool, codec, level, err) : NULL;
    int rc = out ? pour(in, out, err) : -1;

    if (rc == 0)
        rc = blob_end(out, layer, err);
    blob_close(out);
    inflater_close(in);
    return rc;
}

int recode_layer(struct layout *layout, struct pool *pool, const char *diff_id,
                 const struct descriptor *from, enum codec codec, int level, struct descriptor *out,
                 struct err *err)
{
    SCOPED(layer_release) struct layer layer = {0};
    char path[RECORD_PATH_MAX];
    int step, rc;

    record_path(diff_id, codec, level, path);
    if (remembered(layout, path, out))
        return 0;
    step = progress_begin("compress layer %.19s again, as %s", diff_id, codec_name(codec));
    rc = convert(layout, pool, from, codec, level, &layer, err);
    if (rc == 0 && strcmp(layer.diff_id, diff_id) != 0)
        rc = err_set(err, ERR_INPUT, 0, "its content is %s, its image says %s", layer.diff_id,
                     diff_id);
    progress_finish(step, rc < 0 ? PROGRESS_FAILED : PROGRESS_DONE, NULL);
    if (rc < 0)
        return err_wrap(err, "layer %s", from->digest);
    descriptor_copy(out, &layer.descriptor);
    return remember(layout, path, out, err);
}
