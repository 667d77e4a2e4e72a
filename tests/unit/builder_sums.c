/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/sums.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/scope.h"
#include "tests/tap.h"

#define LAYER "sha256:00000000000000000000000000000000000000000000000000000000000000aa"
#define FILE_NAME "sums/00000000000000000000000000000000000000000000000000000000000000aa"

static int cache(void)
{
    char path[] = "/tmp/slipway-unit-sums.XXXXXX";
    struct err err = {0};

    return mkdtemp(path) ? fs_open_dir(AT_FDCWD, path, &err) : -1;
}

static void drop(int fd)
{
    struct err err = {0};
    char link[64], path[128];
    ssize_t n;

    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    n = readlink(link, path, sizeof(path) - 1);
    path[n > 0 ? n : 0] = '\0';
    if (n > 0)
        fs_remove_tree(AT_FDCWD, path, &err);
}

/* Digests made of one byte. */
static void put(struct sums *sums, size_t record, int byte)
{
    uint8_t digest[SHA256_SIZE];

    memset(digest, byte, sizeof(digest));
    sums_put(sums, record, digest);
}

static bool has(int fd, size_t paths, size_t record, int byte)
{
    struct sums *sums = sums_open(fd, LAYER, paths);
    const uint8_t *got = sums_get(sums, record);
    bool held = byte < 0 ? !got : got && got[0] == byte && got[SHA256_SIZE - 1] == byte;

    sums_close(sums);
    return held;
}

static void remembers(void)
{
    AUTO_FD int fd = cache();
    struct sums *sums = sums_open(fd, LAYER, 10);

    OK(!sums_get(sums, 3));
    put(sums, 7, 7);
    put(sums, 3, 3);
    put(sums, 3, 3);
    sums_close(sums);
    OK(has(fd, 10, 3, 3) && has(fd, 10, 7, 7) && has(fd, 10, 5, -1));
    sums = sums_open(fd, LAYER, 10);
    put(sums, 5, 5);
    put(sums, 0, 1);
    sums_close(sums);
    for (size_t i = 0; i < 10; i++)
        OK(has(fd, 10, i, i == 0 ? 1 : i == 3 || i == 5 || i == 7 ? (int)i : -1));
    OK(has(fd, 11, 3, -1)); /* another index of the layer: numbers would mean other paths */
    sums_close(NULL);
    drop(fd);
}

static void damage(void)
{
    AUTO_FD int fd = cache();
    struct sums *sums = sums_open(fd, LAYER, 10);
    SCOPED(buf_release) struct buf whole = {0};
    struct err err = {0};

    put(sums, 1, 1);
    sums_close(sums);
    OK(fs_read_file(fd, FILE_NAME, &whole, 4096, &err) == 0);
    EQ_INT(whole.size, 24 + 36);
    for (size_t size = 0; size < whole.size; size++) {
        OK(fs_replace(fd, FILE_NAME, whole.ptr, size, 0600, false, &err) == 0);
        OKF(has(fd, 10, 1, -1), "%zu bytes are taken for whole", size);
    }
    whole.ptr[0] = 'x';
    OK(fs_replace(fd, FILE_NAME, whole.ptr, whole.size, 0600, false, &err) == 0);
    OK(has(fd, 10, 1, -1));
    drop(fd);
}

static void files(void)
{
    AUTO_FD int fd = cache();
    uint8_t got[SHA256_SIZE], want[SHA256_SIZE];
    struct err err = {0};

    OK(fs_replace(fd, "f", "abc", 3, 0600, false, &err) == 0);
    sha256_of("abc", 3, want);
    AUTO_FD int file = openat(fd, "f", O_RDONLY | O_CLOEXEC);
    OK(lseek(file, 2, SEEK_SET) == 2);
    OK(sums_of_file(file, got, &err) == 0 && memcmp(got, want, sizeof(got)) == 0);
    OK(sums_of_file(fd, got, &err) < 0 && err.text[0]);
    drop(fd);
}

TAP_MAIN({"remembers", remembers}, {"damage", damage}, {"files", files})
