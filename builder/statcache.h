/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_STATCACHE_H
#define BUILDER_STATCACHE_H

/*
 * Content digests of files, remembered by what stat says: device, inode, size, mtime and ctime to
 * the nanosecond. ctime is what makes it safe: nothing but the kernel sets it. A digest taken
 * within the file system's timestamp granularity of the file's ctime could miss a later write in
 * the same tick; such a file is not remembered (git: "racy").
 *
 * One file per context directory, cache/files/<hex>, sorted by inode, mapped when it is opened:
 *   "slipway-files-1\n", then records of 72 bytes: u64 dev, ino, size, mtime, ctime (ns), u8
 * digest[32]; host byte order
 */
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/hash.h"

struct statcache;

/* The cache of the directory root_fd names. A missing, damaged or foreign file counts as empty.
 * Never NULL. */
struct statcache *statcache_open(int cache_fd, int root_fd);
/* Writes it back when something was learnt, and closes. Failure to write is a debug line: nothing
 * depends on it. */
void statcache_close(struct statcache *cache);
/* The digest of a file with this stat, or NULL. Borrowed until the next statcache_put. */
const uint8_t *statcache_get(const struct statcache *cache, const struct stat *st);
/* Remembers; `before` and `after` are the stats around the reading: when they differ, or are racy,
 * nothing happens. */
void statcache_put(struct statcache *cache, const struct stat *before, const struct stat *after,
                   const uint8_t digest[static SHA256_SIZE]);

#endif
