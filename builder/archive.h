/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_ARCHIVE_H
#define BUILDER_ARCHIVE_H

/*
 * Foreign archives for ADD: tar in any dialect, plain or compressed once with gzip, bzip2, xz or
 * zstd, which are what docker unpacks. The door to libarchive, which is opened on first use.
 * Entries come in the archive's order with clean paths; "../" is an error;
 * ".wh." names have no meaning here. Overlay xattrs are dropped.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "builder/entry.h"

/* Is this file (its offset does not move) an archive that ADD unpacks? Decided by content. 1, 0, or
 * -1. */
int archive_probe(int fd, struct err *err);

struct archive_reader;

struct archive_reader *
archive_reader_open(int fd, struct err *err);        /* fd is borrowed, read from offset 0 */
void archive_reader_close(struct archive_reader *r); /* NULL is fine */
/* 1: the next entry, valid until the next call; 0: the end. */
int archive_next(struct archive_reader *r, struct entry *e, struct err *err);
/* Content of a file, holes as zero bytes: the count read, 0 at its end. */
ssize_t archive_read(struct archive_reader *r, void *bytes, size_t size, struct err *err);

#endif
