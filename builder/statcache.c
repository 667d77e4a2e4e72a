/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/statcache.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/scope.h"

#define MAGIC "slipway-files-1\n"
#define MAGIC_SIZE 16
#define RACY_NS                                                                                    \
    20000000LL /* two ticks of the slowest clock a Linux file system stamps with (HZ=100) */
#define RECORDS_MAX (4u << 20) /* ours: beyond it what this build did not ask for is forgotten */

struct record {
    uint64_t dev, ino, size, mtime_ns, ctime_ns;
    uint8_t digest[SHA256_SIZE];
};
_Static_assert(sizeof(struct record) == 72, "records have no padding");

struct statcache {
    int cache_fd;
    char name[64];
    void *map;
    size_t map_size;
    const struct record *old; /* sorted by (dev, ino) */
    size_t old_count;
    struct record *fresh; /* in the order they were learnt */
    size_t fresh_count, fresh_capacity;
};

static uint64_t ns(const struct timespec *t)
{
    return (uint64_t)t->tv_sec * 1000000000u + (uint64_t)t->tv_nsec;
}

static struct record record_of(const struct stat *st)
{
    return (struct record){.dev = st->st_dev,
                           .ino = st->st_ino,
                           .size = (uint64_t)st->st_size,
                           .mtime_ns = ns(&st->st_mtim),
                           .ctime_ns = ns(&st->st_ctim)};
}

static int by_inode(const void *a, const void *b)
{
    const struct record *x = a, *y = b;

    if (x->dev != y->dev)
        return x->dev < y->dev ? -1 : 1;
    return (x->ino > y->ino) - (x->ino < y->ino);
}

static void map_file(struct statcache *cache)
{
    AUTO_FD int fd = openat(cache->cache_fd, cache->name, O_RDONLY | O_CLOEXEC);
    struct stat st;
    void *map;

    if (fd < 0 || fstat(fd, &st) < 0 || st.st_size <= MAGIC_SIZE)
        return;
    if ((size_t)(st.st_size - MAGIC_SIZE) % sizeof(struct record))
        return;
    map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (map == MAP_FAILED)
        return;
    if (memcmp(map, MAGIC, MAGIC_SIZE) != 0) {
        munmap(map, (size_t)st.st_size);
        return;
    }
    cache->map = map;
    cache->map_size = (size_t)st.st_size;
    cache->old = (const void *)((const char *)map + MAGIC_SIZE);
    cache->old_count = (cache->map_size - MAGIC_SIZE) / sizeof(struct record);
}

struct statcache *statcache_open(int cache_fd, int root_fd)
{
    struct statcache *cache = xcalloc(1, sizeof(*cache));
    struct stat st = {0};
    (void)!fstat(root_fd, &st);

    cache->cache_fd = cache_fd;
    snprintf(cache->name, sizeof(cache->name), "files/%llx-%llx", (unsigned long long)st.st_dev,
             (unsigned long long)st.st_ino);
    map_file(cache);
    return cache;
}

const uint8_t *statcache_get(const struct statcache *cache, const struct stat *st)
{
    struct record wanted = record_of(st);
    const struct record *found =
        cache->old_count ? bsearch(&wanted, cache->old, cache->old_count, sizeof(wanted), by_inode)
                         : NULL;

    if (!found || found->size != wanted.size || found->mtime_ns != wanted.mtime_ns ||
        found->ctime_ns != wanted.ctime_ns)
        return NULL;
    return found->digest;
}

void statcache_put(struct statcache *cache, const struct stat *before, const struct stat *after,
                   const uint8_t digest[static SHA256_SIZE])
{
    struct record a = record_of(before), b = record_of(after);
    struct timespec now = clock_now();
    int64_t age = (int64_t)(ns(&now) - a.ctime_ns);

    if (memcmp(&a, &b, offsetof(struct record, digest)) != 0 || age < RACY_NS)
        return;
    memcpy(a.digest, digest, SHA256_SIZE);
    VEC_GROW(cache->fresh, cache->fresh_count, cache->fresh_capacity);
    cache->fresh[cache->fresh_count++] = a;
}

/* Old and fresh records in one sorted run; of the same inode the fresh one. */
static void merge(const struct statcache *cache, struct buf *out)
{
    size_t i = 0, j = 0;
    size_t old_count = cache->old_count + cache->fresh_count > RECORDS_MAX ? 0 : cache->old_count;

    while (i < old_count || j < cache->fresh_count) {
        int order = i == old_count            ? 1
                    : j == cache->fresh_count ? -1
                                              : by_inode(&cache->old[i], &cache->fresh[j]);

        if (order < 0) {
            buf_add(out, &cache->old[i++], sizeof(struct record));
            continue;
        }
        if (order == 0)
            i++;
        /* The same inode asked for twice in one build: once is enough. */
        if (j + 1 == cache->fresh_count || by_inode(&cache->fresh[j], &cache->fresh[j + 1]) != 0)
            buf_add(out, &cache->fresh[j], sizeof(struct record));
        j++;
    }
}

void statcache_close(struct statcache *cache)
{
    SCOPED(buf_release) struct buf out = {0};
    struct err err = {0};

    if (cache->fresh_count) {
        qsort(cache->fresh, cache->fresh_count, sizeof(struct record), by_inode);
        buf_add(&out, MAGIC, MAGIC_SIZE);
        merge(cache, &out);
        if (fs_mkdirs(cache->cache_fd, "files", 0700, &err) < 0 ||
            fs_replace(cache->cache_fd, cache->name, out.ptr, out.size, 0600, false, &err) < 0)
            log_debug("file digests are not remembered: %s", err.text);
    }
    if (cache->map)
        munmap(cache->map, cache->map_size);
    free(cache->fresh);
    free(cache);
}
