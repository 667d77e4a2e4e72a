/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_LAYER_BLOB_H
#define BUILDER_LAYER_BLOB_H

/* The bytes of a tar on their way into the store: hashed (diff id), compressed on the pool, hashed
 * (digest), written. */
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "builder/layer.h"

struct blob_writer;
struct tripwire_scan;

struct blob_writer *blob_open(struct layout *layout, struct pool *pool, enum codec codec, int level,
                              struct err *err);
void blob_close(struct blob_writer *b); /* NULL is fine */
int blob_add(struct blob_writer *b, const void *bytes, size_t size, struct err *err);
/* Who else wants the bytes; also: NULL for none. */
struct blob_taps {
    struct tripwire_scan *scan;
    struct survey_head *head;
    struct sha256 *also;
};
/* Up to size bytes of a file from offset: the count taken, 0 at its end. */
ssize_t blob_add_fd(struct blob_writer *b, int fd, off_t offset, uint64_t size,
                    const struct blob_taps *taps, struct err *err);
/* Commits the blob; fills all of layer but `entries`. */
int blob_end(struct blob_writer *b, struct layer *layer, struct err *err);

#endif
