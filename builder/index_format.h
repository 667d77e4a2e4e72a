/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_INDEX_FORMAT_H
#define BUILDER_INDEX_FORMAT_H

/*
 * The file of an index, in the byte order of the machine that made it:
 *     <header> <records: count> <xattrs: xattrs_count> <strings: strings_size>
 * Records are in entry_path_cmp order; record 0 is the root; every path's parent is there. Strings
 * are NUL-ended and found by offset; offset 0 is the empty one; values (of xattrs, content) lie
 * between them with their sizes told.
 */
#include <stdint.h>

#define INDEX_MAGIC "slipidx\n"
#define INDEX_VERSION 1
#define INDEX_ORDER 0x01020304u
#define INDEX_ENTRIES_MAX (8u << 20) /* ours: a layer of eight million files is a mistake */
#define INDEX_STRINGS_MAX ((size_t)512 << 20)

struct index_header {
    char magic[8];
    uint32_t version, order;
    uint32_t count, xattrs_count;
    uint64_t strings_size;
};

#define INDEX_OPAQUE 1u
#define INDEX_IMPLIED 2u

struct index_record {
    uint32_t path, link; /* strings; link 0: none */
    uint32_t end;        /* the first record after this and all below it */
    uint16_t mode;
    uint8_t type, flags;
    uint32_t uid, gid;
    uint64_t size;
    int64_t mtime;
    uint32_t dev_major, dev_minor;
    uint32_t xattrs, xattrs_count;  /* first of them, how many */
    uint32_t content, content_size; /* content 0: not kept here */
};
_Static_assert(sizeof(struct index_record) == 64, "no padding");

struct index_xattr {
    uint32_t name, value, value_size, unused;
};

#endif
