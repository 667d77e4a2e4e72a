/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_SUMS_H
#define BUILDER_SUMS_H

/*
 * Content digests of the files of one layer, remembered for as long as the layer is: a layer's name
 * (its diff id) stands for its content, so nothing here grows old.
 *
 * One file a layer, cache/sums/<hex of diff id>, mapped when it is opened:
 *   "slipway-sums-1\n\0", u64 how many paths the layer's index has, then records of 36 bytes,
 * sorted: u32 number of the path in the index, u8 digest[32]; host byte order
 */
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/hash.h"

struct sums;

/* Of the layer with this diff id, whose index has `paths` paths. A missing, damaged or foreign file
 * counts as empty. Never NULL. */
struct sums *sums_open(int cache_fd, const char *diff_id, size_t paths);
/* Writes it back when something was learnt. Failure to write is a debug line: nothing depends on
 * it. NULL is fine. */
void sums_close(struct sums *sums);
/* The digest of a path's content, or NULL. Borrowed until the next sums_put. */
const uint8_t *sums_get(const struct sums *sums, size_t record);
/* Reads a file from its start and tells the digest. */
int sums_of_file(int fd, uint8_t out[static SHA256_SIZE], struct err *err);
void sums_put(struct sums *sums, size_t record, const uint8_t digest[static SHA256_SIZE]);

#endif
