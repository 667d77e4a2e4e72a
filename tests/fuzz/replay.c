/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A fuzz target without libFuzzer: runs every file below testdata/<name>/ through it (the program
 * is called <name>), then mutations of each, the same ones every time. TAP; a crash names the input
 * it happened on. Directories and files to run instead may be given as arguments.
 */
#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/fs.h"
#include "base/scope.h"
#include "base/strv.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

enum {
    SEED_MAX = 1 << 20,
    MUTATIONS = 300,          /* of one seed */
    MUTATED_BYTES = 64 << 20, /* in all, so that large seeds do not take minutes */
};

static struct strv seeds;
static char current[300]; /* what is run now, for the handler */

static void told(int signal_number)
{
    ssize_t ignored = write(STDOUT_FILENO, current, strlen(current));

    (void)ignored;
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

/* Adds the files below path, sorted, to the seeds. A path that is not there has none. */
static void find_seeds(const char *path)
{
    SCOPED(strv_release) struct strv names = {0};
    struct err ignored = {0};
    AUTO_FD int dir = fs_open_dir(AT_FDCWD, path, &ignored);

    if (dir < 0 || fs_list(dir, &names, &ignored) < 0)
        return;
    for (size_t i = 0; i < names.count; i++) {
        AUTO_FREE char *inner = xasprintf("%s/%s", path, names.ptr[i]);
        struct stat st;

        if (lstat(inner, &st) < 0)
            continue;
        if (S_ISDIR(st.st_mode))
            find_seeds(inner);
        else if (S_ISREG(st.st_mode) && st.st_size <= SEED_MAX)
            strv_add(&seeds, inner);
    }
}

static uint32_t next(uint32_t *state)
{
    *state = *state * 1664525 + 1013904223;
    return *state >> 8;
}

/* A heap block of exactly this size: one byte too far is then seen by the sanitizer. */
static void run(const char *bytes, size_t size)
{
    AUTO_FREE uint8_t *copy = xmalloc(size ? size : 1);

    if (size)
        memcpy(copy, bytes, size);
    LLVMFuzzerTestOneInput(copy, size);
}

static void mutate(struct buf *b, uint32_t *state)
{
    static const char odd[] = "\0\377\n\r\t \"'\\/{}[]()<>:,;=%$#@!-+.0919aAzZ*?~`|&^_";
    unsigned edits = 1 + next(state) % 4;

    while (edits-- > 0 && b->size > 0) {
        size_t at = next(state) % b->size;

        switch (next(state) % 4) {
        case 0:
            b->ptr[at] ^= (char)(1 << next(state) % 8);
            break;
        case 1:
            b->ptr[at] = odd[next(state) % (sizeof(odd) - 1)];
            break;
        case 2: /* cut out */
            memmove(b->ptr + at, b->ptr + at + 1, b->size - at - 1);
            b->size--;
            break;
        default: /* cut off */
            if (next(state) % 4 == 0)
                b->size = at;
            break;
        }
    }
}

static bool replay(const char *path, size_t *budget)
{
    SCOPED(buf_release) struct buf seed = {0};
    struct err err = {0};
    uint32_t state = 1;

    if (fs_read_file(AT_FDCWD, path, &seed, SEED_MAX, &err) < 0) {
        printf("# %s\n", err.text);
        return false;
    }
    snprintf(current, sizeof(current), "\n# crashed on %s\n", path);
    run(seed.ptr, seed.size);
    for (unsigned i = 0; i < MUTATIONS && seed.size <= *budget; i++) {
        SCOPED(buf_release) struct buf b = {0};

        buf_add(&b, seed.ptr, seed.size);
        mutate(&b, &state);
        snprintf(current, sizeof(current), "\n# crashed on mutation %u of %s\n", i, path);
        run(b.ptr, b.size);
        *budget -= seed.size;
    }
    return true;
}

int main(int argc, char **argv)
{
    size_t budget = MUTATED_BYTES;
    char dir[200];

    for (int i = 0; i < 4; i++)
        signal((const int[]){SIGABRT, SIGSEGV, SIGBUS, SIGFPE}[i], told);
    snprintf(dir, sizeof(dir), "testdata/%s", basename(argv[0]));
    if (argc < 2)
        find_seeds(dir);
    for (int i = 1; i < argc; i++) {
        struct stat st;

        if (stat(argv[i], &st) == 0 && S_ISREG(st.st_mode))
            strv_add(&seeds, argv[i]);
        else
            find_seeds(argv[i]);
    }
    printf("1..%zu\n", seeds.count + 1);
    fflush(stdout);
    run("", 0);
    printf("ok 1 - nothing at all\n");
    for (size_t i = 0; i < seeds.count; i++) {
        fflush(stdout);
        printf("%sok %zu - %s\n", replay(seeds.ptr[i], &budget) ? "" : "not ", i + 2, seeds.ptr[i]);
    }
    strv_release(&seeds);
    return 0;
}
