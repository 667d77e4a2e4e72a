/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/sums.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/scope.h"

#define READ_STEP ((size_t)256 << 10)

struct head {
    char magic[16];
    uint64_t paths;
};

struct record {
    uint32_t path;
    uint8_t digest[SHA256_SIZE];
};
_Static_assert(sizeof(struct head) == 24 && sizeof(struct record) == 36, "no padding");

struct sums {
    int cache_fd; /* borrowed */
    char name[96];
    struct head head;
    void *map;
    size_t map_size;
    const struct record *old; /* sorted by path */
    size_t old_count;
    struct record *fresh; /* in the order they were learnt */
    size_t fresh_count, fresh_capacity;
};

static int by_path(const void *a, const void *b)
{
    const struct record *x = a, *y = b;

    return (x->path > y->path) - (x->path < y->path);
}

static void map_file(struct sums *sums)
{
    AUTO_FD int fd = openat(sums->cache_fd, sums->name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    struct stat st;
    void *map;

    if (fd < 0 || fstat(fd, &st) < 0 || st.st_size <= (off_t)sizeof(struct head) ||
        (size_t)(st.st_size - (off_t)sizeof(struct head)) % sizeof(struct record))
        return;
    map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (map == MAP_FAILED)
        return;
    if (memcmp(map, &sums->head, sizeof(sums->head)) != 0) {
        munmap(map, (size_t)st.st_size);
        return;
    }
    sums->map = map;
    sums->map_size = (size_t)st.st_size;
    sums->old = (const void *)((const char *)map + sizeof(struct head));
    sums->old_count = (sums->map_size - sizeof(struct head)) / sizeof(struct record);
}

struct sums *sums_open(int cache_fd, const char *diff_id, size_t paths)
{
    struct sums *sums = xcalloc(1, sizeof(*sums));
    const char *colon = strchr(diff_id, ':');

    sums->cache_fd = cache_fd;
    sums->head = (struct head){.magic = "slipway-sums-1\n", .paths = paths};
    snprintf(sums->name, sizeof(sums->name), "sums/%.64s", colon ? colon + 1 : diff_id);
    map_file(sums);
    return sums;
}

const uint8_t *sums_get(const struct sums *sums, size_t record)
{
    struct record wanted = {.path = (uint32_t)record};
    const struct record *found =
        sums->old_count ? bsearch(&wanted, sums->old, sums->old_count, sizeof(wanted), by_path)
                        : NULL;

    return found ? found->digest : NULL;
}

int sums_of_file(int fd, uint8_t out[static SHA256_SIZE], struct err *err)
{
    AUTO_FREE char *bytes = xmalloc(READ_STEP);
    struct sha256 h;
    off_t offset = 0;

    sha256_begin(&h);
    for (;;) {
        ssize_t n = pread(fd, bytes, READ_STEP, offset);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(err, "read");
        if (n == 0)
            break;
        sha256_add(&h, bytes, (size_t)n);
        offset += n;
    }
    sha256_end(&h, out);
    return 0;
}

void sums_put(struct sums *sums, size_t record, const uint8_t digest[static SHA256_SIZE])
{
    struct record *fresh;

    VEC_GROW(sums->fresh, sums->fresh_count, sums->fresh_capacity);
    fresh = &sums->fresh[sums->fresh_count++];
    fresh->path = (uint32_t)record;
    memcpy(fresh->digest, digest, SHA256_SIZE);
}

/* Old and fresh in one sorted run, each path once. */
static void merge(struct sums *sums, struct buf *out)
{
    size_t i = 0, j = 0;
    int64_t last = -1;

    qsort(sums->fresh, sums->fresh_count, sizeof(*sums->fresh), by_path);
    buf_add(out, &sums->head, sizeof(sums->head));
    while (i < sums->old_count || j < sums->fresh_count) {
        bool from_old = j == sums->fresh_count ||
                        (i < sums->old_count && by_path(&sums->old[i], &sums->fresh[j]) <= 0);
        const struct record *next = from_old ? &sums->old[i++] : &sums->fresh[j++];

        if ((int64_t)next->path != last)
            buf_add(out, next, sizeof(*next));
        last = next->path;
    }
}

void sums_close(struct sums *sums)
{
    SCOPED(buf_release) struct buf out = {0};
    struct err err = {0};

    if (!sums)
        return;
    if (sums->fresh_count) {
        merge(sums, &out);
        if (fs_mkdirs(sums->cache_fd, "sums", 0700, &err) < 0 ||
            fs_replace(sums->cache_fd, sums->name, out.ptr, out.size, 0600, false, &err) < 0)
            log_debug("digests of a layer's files are not remembered: %s", err.text);
    }
    if (sums->map)
        munmap(sums->map, sums->map_size);
    free(sums->fresh);
    free(sums);
}
