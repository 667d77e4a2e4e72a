/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_TAR_PAX_H
#define BUILDER_TAR_PAX_H

/*
 * PAX records ("<length> <key>=<value>\n") as tar_read uses them, and the numbers of tar headers.
 * Pure. Values of one entry; a global header's are the start of each. An empty value takes a record
 * back.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "builder/entry.h"

#define TAR_SPARSE_MAX (1 << 18) /* data pieces of one sparse file; 4 MiB of memory */
#define TAR_XATTRS_MAX 1000      /* of one file */

struct tar_piece {
    uint64_t offset, size; /* in the file */
};

struct tar_pax {
    bool has_path, has_link, has_size, has_uid, has_gid, has_mtime;
    struct buf path, link;
    uint64_t size, uid, gid;
    int64_t mtime;
    struct xattr_set xattrs;
    /* GNU.sparse.*: formats 0.0 and 0.1 tell their map here, 1.0 before the content. */
    unsigned sparse_major, sparse_minor;
    bool sparse, has_real_size;
    uint64_t real_size;
    struct tar_piece *pieces;
    size_t pieces_count, pieces_capacity;
    bool half_piece; /* 0.0: an offset came, its size has not */
};

void tar_pax_release(struct tar_pax *p);
void tar_pax_clear(struct tar_pax *p);
void tar_pax_copy(struct tar_pax *to, const struct tar_pax *from); /* to is empty */
int tar_pax_parse(struct tar_pax *p, struct str records, struct err *err);

/* Data pieces, ascending, within real_size; anything else is an error. */
int tar_pax_add_piece(struct tar_pax *p, uint64_t offset, uint64_t size, struct err *err);

/* A number field: octal between blanks, or base-256 (GNU). Empty is 0. False: not a number, or over
 * 63 bits. */
bool tar_number(const char *field, size_t width, int64_t *out);

#endif
