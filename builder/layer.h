/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_LAYER_H
#define BUILDER_LAYER_H

/*
 * Layers: changes to a reproducible tar blob in the store, and back to a directory.
 *
 * Writing is one streaming pass: entries -> tar -> SHA-256 (diff id) -> compress on the pool ->
 * SHA-256 (digest) -> blob, and the path index beside it (cache/index/<hex of diff id>). Same
 * entries and options, same bytes. Trees: trees/<hex of diff id> is the layer unpacked in overlay
 * lower format: whiteout = character device 0:0 (where that is refused: an xattr whiteout), opaque
 * = user.overlay.opaque "y".
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/hash.h"
#include "builder/compress.h"
#include "builder/entry.h"
#include "builder/index.h"
#include "builder/survey.h"
#include "registry/descriptor.h"

struct layout;
struct pool;
struct strv;
struct record_items;
struct tripwire;
struct view;
struct view_entry;

struct layer {
    char diff_id[DIGEST_SIZE];
    struct descriptor descriptor; /* media type, digest and size of the blob in the store */
    uint64_t size;                /* of the plain tar */
    uint64_t entries;             /* 0: nothing changed */
    struct survey survey;         /* of its programs and libraries */
};

void layer_release(struct layer *layer);

struct layer_options {
    enum codec codec; /* CODEC_GZIP is the usual one; zero bytes are CODEC_NONE */
    int level;        /* 0: the codec's default */
    bool clamp;       /* no mtime is later than epoch (SOURCE_DATE_EPOCH) */
    int64_t epoch;
    bool unsorted; /* entries come in any order (ADD of an archive); else an entry out of order is a
                      bug */
    /* Parents that were not added get an entry: as this view shows them, or 0755 0:0 with mtime
     * `epoch` or 0 where it has none. NULL: no entry is made up. Borrowed. */
    const struct view *below;
    /* Values that must not be in the layer, in names, attributes and contents: a find is an error
     * that names the file, and nothing is kept. NULL: nothing is looked for. Borrowed. */
    const struct tripwire *wire;
    /* layer_from_upper: recorded owners of links (runtime/record.h); NULL: none. Borrowed. */
    const struct record_items *links;
};
#define LAYER_OPTIONS_DEFAULT ((struct layer_options){.codec = CODEC_GZIP})

struct layer_writer;

struct layer_writer *layer_writer_open(struct layout *layout, struct pool *pool,
                                       const struct layer_options *options, struct err *err);
void layer_writer_close(struct layer_writer *w); /* what was not ended never was; NULL is fine */

/* One entry without content: directory, link, device, fifo, whiteout, empty file. */
int layer_add(struct layer_writer *w, const struct entry *e, struct err *err);
/* A file of e->size bytes. From memory; from an open file (offset 0, the offset is not moved); from
 * dir_fd/path, opened without following a link. A file that is shorter than e->size by now is an
 * error ("changed while it was read"). */
int layer_add_bytes(struct layer_writer *w, const struct entry *e, const void *bytes,
                    struct err *err);
int layer_add_fd(struct layer_writer *w, const struct entry *e, int fd, struct err *err);
/* The same; the file's bytes go into `also`, too. */
int layer_add_fd_hashed(struct layer_writer *w, const struct entry *e, int fd, struct sha256 *also,
                        struct err *err);
int layer_add_file(struct layer_writer *w, const struct entry *e, int dir_fd, const char *path,
                   struct err *err);
/* A file whose content comes in pieces: layer_add_begin, then layer_add_piece until e->size bytes
 * are there. */
int layer_add_begin(struct layer_writer *w, const struct entry *e, struct err *err);
int layer_add_piece(struct layer_writer *w, const void *bytes, size_t size, struct err *err);
/* Commits blob and index. The writer may only be closed after. */
int layer_writer_end(struct layer_writer *w, struct layer *layer, struct err *err);

/* Straight from an overlay upper directory (builder/diff.h). After it, layer_keep_tree() may make
 * upper the tree. */
int layer_from_upper(struct layout *layout, struct pool *pool, int upper_fd,
                     const struct layer_options *options, struct layer *layer, struct err *err);
/* Makes dir_fd/name (an upper that became this layer) its tree by rename; if there is one already,
 * removes it. */
int layer_keep_tree(struct layout *layout, const char *diff_id, int dir_fd, const char *name,
                    struct err *err);
/* A tar of any origin, plain or compressed (gzip, zstd), kept byte for byte as the layer's tar: for
 * import. */
int layer_from_tar(struct layout *layout, struct pool *pool, struct source tar,
                   const struct layer_options *options, struct layer *layer, struct err *err);

/* The layer's index: from cache/index, else made by reading the blob once. The blob must be in the
 * store, or to be had; that its content has this diff id is checked when it is read. */
int layer_index(struct layout *layout, const struct descriptor *blob, const char *diff_id,
                struct index **index, struct err *err);
/*
 * Makes sure that trees/<hex> is there: unpacks the blob into a temporary directory, then renames.
 * Safe against hostile layers, against other processes doing the same, against kill -9. Runs as
 * (user namespace) root; ids that this user namespace cannot hold stay 0 in the tree (the index
 * keeps the right ones). Devices are kept in the index alone. layer_tree_path: "trees/<hex>",
 * relative to the store.
 */
int layer_tree(struct layout *layout, const struct descriptor *blob, const char *diff_id,
               struct err *err);
/* The layer's files onto a plain tree of the layers below (builder/unpack.h, unpack_open_plain). A
 * failure leaves the tree in between. */
int layer_unpack_onto(struct layout *layout, const struct descriptor *blob, const char *diff_id,
                      int root_fd, const struct strv *spared, struct err *err);
#define LAYER_TREE_PATH_MAX 80
const char *layer_tree_path(const char *diff_id, char out[static LAYER_TREE_PATH_MAX]);
bool layer_has_index(struct layout *layout, const char *diff_id);
bool layer_has_tree(struct layout *layout, const char *diff_id);
/* A descriptor of a file's content in an unpacked tree; path without links. */
int layer_open_file(struct layout *layout, const char *diff_id, const char *path, struct err *err);

#endif
