/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_STREAM_H
#define BUILDER_STREAM_H

/*
 * Bytes on their way: a source is read from, a sink written to. Both are a function and its
 * context, so that tar and compress stay free of system calls. Plain values; whoever made the
 * context owns it.
 */
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/str.h"

struct source {
    /* At most size bytes; 0 at the end; -1 with an error. Short reads are allowed. */
    ssize_t (*read)(void *ctx, void *bytes, size_t size, struct err *err);
    void *ctx;
};

struct sink {
    int (*write)(void *ctx, const void *bytes, size_t size, struct err *err); /* all of it, or -1 */
    void *ctx;
};

/* A descriptor as a source, from its file offset, and as a sink. *fd is borrowed and must outlive
 * the value. */
struct source source_of_fd(const int *fd);
struct sink sink_of_fd(const int *fd);
/* A slice as a source: *left is taken from the front as it is read. */
struct source source_of_str(struct str *left);
/* Appends to a buffer (struct buf *). */
struct buf;
struct sink sink_of_buf(struct buf *out);

#endif
