/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_TAR_H
#define BUILDER_TAR_H

/*
 * tar, written and read byte by byte; pure. POSIX ustar with PAX records (POSIX.1-2017 pax, "ustar
 * Interchange Format", "pax Extended Header"), whiteouts as image-spec layer.md has them.
 *
 * Written: names without leading "./", directories with a trailing "/", numeric owners with empty
 * names, mtime in whole seconds, a PAX header only for what ustar cannot say (long names, big ids
 * and sizes, mtime before 1970, xattrs as SCHILY.xattr.NAME). The same entry gives the same bytes.
 * Read: also GNU long names ('L', 'K'), base-256 numbers, old tars without magic, GNU sparse files
 * ('S') and PAX ones (GNU.sparse 0.0, 0.1, 1.0).
 */
#include "base/buf.h"
#include "base/err.h"
#include "builder/entry.h"
#include "builder/stream.h"

#define TAR_BLOCK 512
#define TAR_NAME_MAX (64 << 10) /* longest path or link we read; PATH_MAX is 4096 */
#define TAR_HEADERS_MAX                                                                            \
    (8 << 20) /* extended headers before one entry; an xattr value is at most 64 KiB */

/*
 * Appends the header blocks of e. ENTRY_FILE: e->size bytes of content and tar_padding(e->size)
 * zero bytes must follow. An opaque directory gets its ".wh..wh..opq" entry appended too. Fails
 * only on a path or link no tar can hold (NUL).
 */
int tar_put_header(struct buf *out, const struct entry *e, struct err *err);
size_t tar_padding(uint64_t size); /* 0 … 511 */
void tar_put_end(struct buf *out); /* the two zero blocks that end an archive */

/* The same with content, into a sink. Zero bytes plus `to` are the initial value: {.to = sink}. */
struct tar_writer {
    struct sink to;
    uint64_t left;   /* content bytes still owed for the last entry */
    uint64_t offset; /* bytes written so far */
    struct buf header;
};

void tar_writer_release(struct tar_writer *w);
int tar_write_entry(struct tar_writer *w, const struct entry *e, struct err *err);
int tar_write_data(struct tar_writer *w, const void *bytes, size_t size,
                   struct err *err); /* pads after the last byte */
int tar_write_whole(struct tar_writer *w, const struct entry *e, struct str content,
                    struct err *err); /* e->size is set */
int tar_write_end(struct tar_writer *w, struct err *err);

/*
 * Reads one archive. Entries come with the names the archive has: e->path is cleaned ("./a/" is
 * "a") unless it climbs
 * ("../x", "a/../../x") or holds a NUL, which is an error. A leading "/" is dropped. Whiteouts come
 * as ENTRY_WHITEOUT, an opaque marker as ENTRY_DIR with `opaque` and `implied`. Overlay xattrs are
 * dropped. Unknown entry types are errors, global PAX headers are applied, mtime fractions are cut.
 */
struct tar_reader;

struct tar_reader *tar_reader_open(struct source from);
void tar_reader_close(struct tar_reader *r); /* NULL is fine */
/* Raw names: whiteouts stay files named ".wh.…". For archives that are not layers. */
void tar_reader_raw(struct tar_reader *r);
/* 1: *e is the next entry, valid until the next call. 0: the end (two zero blocks, or the source
 * ends between entries). What is left of the previous entry's content is skipped. */
int tar_next(struct tar_reader *r, struct entry *e, struct err *err);
/* The next piece of content of a regular file: 1 with bytes borrowed until the next call and where
 * in the file they go (a sparse file skips its holes), 0 at the end. */
int tar_data(struct tar_reader *r, const void **bytes, size_t *size, uint64_t *offset,
             struct err *err);
/* The same as plain reading, holes as zero bytes: bytes read, 0 at the end, -1. */
ssize_t tar_read(struct tar_reader *r, void *bytes, size_t size, struct err *err);
/* Reads what follows the end marker, so that the source has been seen whole (for its digest). */
int tar_drain(struct tar_reader *r, struct err *err);

#endif
