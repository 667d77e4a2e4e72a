/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_TAR_READER_H
#define BUILDER_TAR_READER_H

/* The inside of a tar_reader, shared by tar_read.c (headers) and tar_sparse.c (content). Nobody
 * else includes it. */
#include <sys/types.h>

#include "builder/tar.h"
#include "builder/tar_format.h"
#include "builder/tar_pax.h"

struct tar_reader {
    struct source from;
    unsigned char *buf;
    size_t at, end;
    bool raw, ended;
    uint64_t offset;    /* of buf[at] in the archive */
    uint64_t left;      /* stored content of this entry that was not handed out */
    size_t pad;         /* after it */
    uint64_t file_size; /* what the entry says; more than was stored for a sparse file */
    uint64_t file_at;   /* next byte of the file; of a plain file, or for tar_read */
    bool sparse;
    size_t piece;        /* of pax.pieces, being handed out */
    uint64_t piece_done; /* of it */
    struct str pending;  /* tar_read: got from tar_data, not yet given */
    uint64_t pending_at;
    struct tar_pax global, pax;
    struct buf long_name, long_link, extended, path, link;
    size_t headers_size; /* extended headers before this entry */
};

/* Reads until `want` bytes are in the buffer: how many are, fewer at the end; -1. */
ssize_t tar_fill(struct tar_reader *r, size_t want, struct err *err);
void tar_consume(struct tar_reader *r, size_t size);
/* 1: *block is the next one, consumed, valid until the next read; 0: the source ended before it. */
int tar_next_block(struct tar_reader *r, const unsigned char **block, struct err *err);
int tar_cut_short(struct tar_reader *r, struct err *err);
/* A header field as a number; name is for the message. */
int tar_field(const char *bytes, size_t width, const char *name, int64_t *out, struct err *err);
/* r->left bytes follow: reads the map before them and checks it. */
int tar_begin_sparse(struct tar_reader *r, const struct tar_header *h, struct err *err);

#endif
