/* SPDX-License-Identifier: Apache-2.0 */
/* Entries to a blob in the store. Reading layers is in layer_read.c, unpacking in layer_tree.c. */
#include "builder/layer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/scope.h"
#include "builder/diff.h"
#include "builder/layer_blob.h"
#include "builder/layer_parents.h"
#include "builder/layer_read.h"
#include "builder/tar.h"
#include "builder/tripwire.h"
#include "builder/view.h"

static const char zeros[TAR_BLOCK];

struct layer_writer {
    struct layout *layout;
    struct layer_options options;
    struct blob_writer *blob;
    struct index_builder *index;
    struct parents parents;
    struct buf header;
    uint64_t size,
        left;   /* of the entry whose content is under way: all of it, what is still owed */
    bool keeps; /* its content goes into the index too */
    struct buf kept;
    struct tripwire_scan scan; /* of the entry's content */
    struct survey_head head;   /* the same */
    struct survey survey;
    struct buf scanned; /* its path, when there is something to look for */
    bool broken; /* an error in the middle of an entry left a tar that nothing can be added to */
    uint64_t entries;
};

void layer_release(struct layer *layer)
{
    descriptor_release(&layer->descriptor);
    survey_release(&layer->survey);
    *layer = (struct layer){0};
}

struct layer_writer *layer_writer_open(struct layout *layout, struct pool *pool,
                                       const struct layer_options *options, struct err *err)
{
    struct blob_writer *blob = blob_open(layout, pool, options->codec, options->level, err);
    struct layer_writer *w;

    if (!blob)
        return NULL;
    w = xcalloc(1, sizeof(*w));
    w->layout = layout;
    w->options = *options;
    w->blob = blob;
    w->index = index_builder_new();
    w->parents.unsorted = options->unsorted;
    w->scan.wire = options->wire;
    return w;
}

void layer_writer_close(struct layer_writer *w)
{
    if (!w)
        return;
    blob_close(w->blob);
    index_builder_free(w->index);
    parents_release(&w->parents);
    buf_release(&w->header);
    buf_release(&w->kept);
    tripwire_scan_release(&w->scan);
    survey_release(&w->survey);
    buf_release(&w->scanned);
    free(w);
}

/* What was found; the find itself is never shown. */
static void name_find(const char *found, struct buf *out)
{
    if (found[0] == '-') /* an option that gives a step something which is to stay out */
        buf_addf(out, "what %s gives to this build alone", found);
    else
        buf_addf(out, "the value of secret %s", found);
}

/* Names and attributes of an entry against the secrets. */
static int check_names(struct layer_writer *w, const struct entry *e, struct err *err)
{
    SCOPED(buf_release) struct buf shown = {0}, what = {0};
    const struct tripwire *wire = w->options.wire;
    const char *found = tripwire_find(wire, str_of(e->path)), *other;

    if (found) {
        name_find(found, &what);
        return err_set(err, ERR_INPUT, 0, "%s is in the layer, as the name of a file",
                       buf_cstr(&what));
    }
    other = tripwire_find(wire, str_of(e->link));
    for (size_t i = 0; i < e->xattrs_count && !other; i++) {
        other = tripwire_find(wire, str_of(e->xattrs[i].name));
        if (!other)
            other = tripwire_find(wire, e->xattrs[i].value);
    }
    buf_clear(&w->scanned);
    buf_adds(&w->scanned, e->path);
    if (!other)
        return 0;
    buf_add_escaped(&shown, str_of(e->path));
    name_find(other, &what);
    return err_set(err, ERR_INPUT, 0, "%s is in the layer, in the link or the attributes of /%s",
                   buf_cstr(&what), buf_cstr(&shown));
}

static int check_content(struct layer_writer *w, struct err *err)
{
    SCOPED(buf_release) struct buf shown = {0}, what = {0};

    tripwire_end(&w->scan);
    if (!w->scan.found)
        return 0;
    buf_add_escaped(&shown, buf_str(&w->scanned));
    name_find(w->scan.found, &what);
    return err_set(err, ERR_INPUT, 0, "%s is in the layer, in /%s", buf_cstr(&what),
                   buf_cstr(&shown));
}

static int put_header(struct layer_writer *w, const struct entry *e, struct err *err)
{
    struct entry clamped = *e;

    if (w->options.clamp && clamped.mtime > w->options.epoch)
        clamped.mtime = w->options.epoch;
    clamped.implied = false;
    if (w->options.wire && check_names(w, e, err) < 0)
        return -1;
    buf_clear(&w->header);
    if (tar_put_header(&w->header, &clamped, err) < 0 ||
        index_builder_add(w->index, &clamped, err) < 0)
        return -1;
    w->entries++;
    w->size = w->left = e->type == ENTRY_FILE ? e->size : 0;
    w->keeps = index_keeps_content(&clamped);
    w->head.size = 0;
    buf_clear(&w->kept);
    return blob_add(w->blob, w->header.ptr, w->header.size, err);
}

static int put_parent(void *ctx, const char *path, struct err *err)
{
    struct layer_writer *w = ctx;
    struct view_entry found;
    struct entry made = {.path = path, .type = ENTRY_DIR, .mode = 0755};

    made.mtime = w->options.clamp ? w->options.epoch : 0;
    if (view_lookup(w->options.below, path, &found)) {
        if (found.entry.type != ENTRY_DIR)
            return err_set(err, ERR_INPUT, ENOTDIR, "/%s is a %s, not a directory", path,
                           entry_type_name(found.entry.type));
        if (!found.entry.implied)
            made = found.entry;
        made.path = path;
        made.opaque = made.implied = false;
    }
    return put_header(w, &made, err);
}

static int begin(struct layer_writer *w, const struct entry *e, struct err *err)
{
    BUG_ON(w->left || w->broken);
    if (!w->options.unsorted && !parents_in_order(&w->parents, e->path))
        return err_set(err, ERR_INPUT, EINVAL, "%s: out of order in its layer (after %s)", e->path,
                       buf_cstr(&w->parents.last));
    if (w->options.below && parents_add(&w->parents, e->path, put_parent, w, err) < 0)
        return -1;
    parents_note(&w->parents, e->path, e->type == ENTRY_DIR);
    return put_header(w, e, err);
}

/* After the last byte: padding, and what the index keeps. */
static int finish(struct layer_writer *w, struct err *err)
{
    if (w->keeps)
        index_builder_content(w->index, buf_str(&w->kept));
    w->keeps = false;
    survey_file(&w->survey, &w->head, buf_cstr(&w->parents.last));
    if (w->options.wire && check_content(w, err) < 0)
        return -1;
    return blob_add(w->blob, zeros, tar_padding(w->size), err);
}

static int broken(struct layer_writer *w)
{
    w->broken = true;
    return -1;
}

int layer_add_begin(struct layer_writer *w, const struct entry *e, struct err *err)
{
    if (begin(w, e, err) < 0 || (!w->left && finish(w, err) < 0))
        return broken(w);
    return 0;
}

int layer_add_piece(struct layer_writer *w, const void *bytes, size_t size, struct err *err)
{
    BUG_ON(size > w->left);
    if (blob_add(w->blob, bytes, size, err) < 0)
        return broken(w);
    tripwire_feed(&w->scan, bytes, size);
    survey_feed(&w->head, bytes, size);
    if (w->keeps)
        buf_add(&w->kept, bytes, size);
    w->left -= size;
    return size && !w->left && finish(w, err) < 0 ? broken(w) : 0;
}

int layer_add(struct layer_writer *w, const struct entry *e, struct err *err)
{
    BUG_ON(e->type == ENTRY_FILE && e->size);
    return layer_add_begin(w, e, err);
}

int layer_add_bytes(struct layer_writer *w, const struct entry *e, const void *bytes,
                    struct err *err)
{
    return layer_add_begin(w, e, err) < 0 || layer_add_piece(w, bytes, (size_t)w->left, err) < 0
               ? -1
               : 0;
}

/* The few files whose content the index keeps are read into memory; all others go straight into the
 * compressor. */
static ssize_t add_some(struct layer_writer *w, int fd, off_t offset, struct sha256 *also,
                        struct err *err)
{
    const struct blob_taps taps = {.scan = &w->scan, .head = &w->head, .also = also};
    char bytes[4096];
    ssize_t n;

    if (!w->keeps) {
        n = blob_add_fd(w->blob, fd, offset, w->left, &taps, err);
        if (n > 0)
            w->left -= (uint64_t)n;
        return n > 0 && !w->left && finish(w, err) < 0 ? -1 : n;
    }
    n = pread(fd, bytes, w->left < sizeof(bytes) ? (size_t)w->left : sizeof(bytes), offset);
    if (n < 0)
        return err_errno(err, "read");
    if (also)
        sha256_add(also, bytes, (size_t)n);
    return n > 0 && layer_add_piece(w, bytes, (size_t)n, err) < 0 ? -1 : n;
}

int layer_add_fd(struct layer_writer *w, const struct entry *e, int fd, struct err *err)
{
    return layer_add_fd_hashed(w, e, fd, NULL, err);
}

int layer_add_fd_hashed(struct layer_writer *w, const struct entry *e, int fd, struct sha256 *also,
                        struct err *err)
{
    off_t offset = 0;

    if (layer_add_begin(w, e, err) < 0)
        return -1;
    while (w->left) {
        ssize_t n = add_some(w, fd, offset, also, err);

        if (n < 0) {
            err_wrap(err, "%s", e->path);
            return broken(w);
        }
        if (n == 0) {
            err_set(err, ERR_INPUT, 0, "%s: changed while it was read (%llu bytes are missing)",
                    e->path, (unsigned long long)w->left);
            return broken(w);
        }
        offset += n;
    }
    return 0;
}

int layer_add_file(struct layer_writer *w, const struct entry *e, int dir_fd, const char *path,
                   struct err *err)
{
    AUTO_FD int fd = openat(dir_fd, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat st;

    if (fd < 0)
        return err_errno(err, "open %s", path);
    if (fstat(fd, &st) < 0)
        return err_errno(err, "%s", path);
    if (!S_ISREG(st.st_mode))
        return err_set(err, ERR_INPUT, EINVAL, "%s: not a file any more", path);
    return layer_add_fd(w, e, fd, err);
}

int layer_writer_end(struct layer_writer *w, struct layer *layer, struct err *err)
{
    SCOPED(buf_release) struct buf end = {0};
    AUTO_FD int index = -1;

    BUG_ON(w->left || w->broken);
    tar_put_end(&end);
    if (blob_add(w->blob, end.ptr, end.size, err) < 0)
        return -1;
    index = layer_write_index(w->layout, w->index, err);
    if (index < 0 || blob_end(w->blob, layer, err) < 0)
        return -1;
    layer->entries = w->entries;
    layer->survey = w->survey;
    w->survey = (struct survey){0};
    return layer_keep_index(w->layout, index, layer->diff_id, err);
}

/* ---- from directories ---- */

static int add_change(void *ctx, const struct entry *e, int dir_fd, const char *name,
                      struct err *err)
{
    struct layer_writer *w = ctx;

    return e->type == ENTRY_FILE ? layer_add_file(w, e, dir_fd, name, err) : layer_add(w, e, err);
}

int layer_from_upper(struct layout *layout, struct pool *pool, int upper_fd,
                     const struct layer_options *options, struct layer *layer, struct err *err)
{
    struct layer_writer *w = layer_writer_open(layout, pool, options, err);
    int result = -1;

    if (w && diff_recorded(upper_fd, false, options->links, add_change, w, err) == 0)
        result = layer_writer_end(w, layer, err);
    layer_writer_close(w);
    return result;
}
