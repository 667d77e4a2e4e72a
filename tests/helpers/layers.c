/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The layers' rooms from a command line, for interop tests and for measuring:
 *     layers tar DIR                          the directory as a plain tar, on stdout
 *     layers list FILE                        what tar.h reads from an archive, a line an entry
 *     layers untar FILE DIR                   unpacks a layer's tar (plain, gzip or zstd) in
 * overlay format layers write [OPTION…] STORE DIR        a layer of a directory; prints "DIFFID
 * DIGEST SIZE TARSIZE ENTRIES" layers upper [OPTION…] STORE DIR        the same of an overlay upper
 * directory layers import [OPTION…] STORE FILE      the same of a tar layers index STORE DIGEST
 * DIFFID        the layer's index, a line a path layers tree STORE DIGEST DIFFID         unpacks it
 * in the store; prints the path Options: --codec none|gzip|zstd, --level N, --threads N, --epoch
 * SECONDS. Times and memory go to stderr with -t.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/pool.h"
#include "base/scope.h"
#include "builder/diff.h"
#include "builder/layer.h"
#include "builder/tar.h"
#include "builder/unpack.h"
#include "registry/layout.h"

struct run {
    struct layer_options options;
    unsigned threads;
    bool times;
    char **args;
    int count;
};

static int fail(const char *what, const struct err *err)
{
    fprintf(stderr, "layers: %s: %s\n", what, err->text);
    if (!err->text[0])
        abort();
    return 1;
}

static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void print_entry(const struct entry *e)
{
    SCOPED(buf_release) struct buf line = {0};

    buf_addf(&line, "%-13s %04o %u:%u %llu %lld ", entry_type_name(e->type), e->mode, e->uid,
             e->gid, (unsigned long long)e->size, (long long)e->mtime);
    buf_add_escaped(&line, str_of(e->path));
    if (e->link) {
        buf_adds(&line, " -> ");
        buf_add_escaped(&line, str_of(e->link));
    }
    if (e->type == ENTRY_CHAR || e->type == ENTRY_BLOCK)
        buf_addf(&line, " %u:%u", e->dev_major, e->dev_minor);
    buf_adds(&line, e->opaque ? " opaque" : "");
    buf_adds(&line, e->implied ? " implied" : "");
    for (size_t i = 0; i < e->xattrs_count; i++) {
        buf_addf(&line, " %s=", e->xattrs[i].name);
        buf_add_escaped(&line, e->xattrs[i].value);
    }
    puts(line.ptr);
}

/* ---- without a store ---- */

static int tar_change(void *ctx, const struct entry *e, int dir_fd, const char *name,
                      struct err *err)
{
    struct tar_writer *w = ctx;
    static char bytes[1 << 16];

    if (tar_write_entry(w, e, err) < 0)
        return -1;
    if (e->type != ENTRY_FILE)
        return 0;
    AUTO_FD int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);
    while (w->left) {
        ssize_t n = read(fd, bytes, sizeof(bytes) < w->left ? sizeof(bytes) : (size_t)w->left);

        if (n <= 0 || tar_write_data(w, bytes, (size_t)n, err) < 0)
            return err_set(err, ERR_SYSTEM, 0, "%s: cannot be read", e->path);
    }
    return 0;
}

static int run_tar(struct run *run, struct err *err)
{
    int out = STDOUT_FILENO;
    SCOPED(tar_writer_release) struct tar_writer w = {.to = sink_of_fd(&out)};
    AUTO_FD int fd = fs_open_dir(AT_FDCWD, run->args[0], err);

    if (fd < 0 || diff_upper(fd, true, tar_change, &w, err) < 0)
        return -1;
    return tar_write_end(&w, err);
}

static int each(const char *file, struct unpack *u, struct err *err)
{
    AUTO_FD int fd = open(file, O_RDONLY | O_CLOEXEC);
    struct inflater *in = inflater_open(source_of_fd(&fd), 0, err);
    struct tar_reader *tar = in ? tar_reader_open(source_of_inflater(in)) : NULL;
    struct entry e;
    int got = -1;

    while (tar && (got = tar_next(tar, &e, err)) > 0) {
        if (!u)
            print_entry(&e);
        else if (unpack_entry(u, &e, tar, STR(""), err) < 0) {
            got = -1;
            break;
        }
    }
    tar_reader_close(tar);
    inflater_close(in);
    return got;
}

static int run_list(struct run *run, struct err *err)
{
    return each(run->args[0], NULL, err);
}

static int run_untar(struct run *run, struct err *err)
{
    AUTO_FD int fd = fs_open_dir(AT_FDCWD, run->args[1], err);
    struct unpack *u;
    int result;

    if (fd < 0)
        return -1;
    u = unpack_open(fd);
    result = each(run->args[0], u, err);
    if (result == 0)
        result = unpack_end(u, err);
    unpack_close(u);
    return result;
}

/* ---- with one ---- */

static int add_change(void *ctx, const struct entry *e, int dir_fd, const char *name,
                      struct err *err)
{
    return e->type == ENTRY_FILE ? layer_add_file(ctx, e, dir_fd, name, err)
                                 : layer_add(ctx, e, err);
}

static int write_tree(struct layout *l, struct pool *pool, struct run *run, struct layer *layer,
                      struct err *err)
{
    AUTO_FD int fd = fs_open_dir(AT_FDCWD, run->args[1], err);
    struct layer_writer *w = fd < 0 ? NULL : layer_writer_open(l, pool, &run->options, err);
    int result = -1;

    if (w && diff_upper(fd, false, add_change, w, err) == 0)
        result = layer_writer_end(w, layer, err);
    layer_writer_close(w);
    return result;
}

static int write_upper(struct layout *l, struct pool *pool, struct run *run, struct layer *layer,
                       struct err *err)
{
    AUTO_FD int fd = fs_open_dir(AT_FDCWD, run->args[1], err);

    return fd < 0 ? -1 : layer_from_upper(l, pool, fd, &run->options, layer, err);
}

static int write_import(struct layout *l, struct pool *pool, struct run *run, struct layer *layer,
                        struct err *err)
{
    AUTO_FD int fd = open(run->args[1], O_RDONLY | O_CLOEXEC);

    return fd < 0 ? err_errno(err, "open %s", run->args[1])
                  : layer_from_tar(l, pool, source_of_fd(&fd), &run->options, layer, err);
}

typedef int write_fn(struct layout *, struct pool *, struct run *, struct layer *, struct err *);

static int run_writer(struct run *run, write_fn *fn, struct err *err)
{
    SCOPED(layout_close) struct layout l = LAYOUT_CLOSED;
    SCOPED(layer_release) struct layer layer = {0};
    struct pool *pool;
    int result;

    if (layout_open(&l, run->args[0], err) < 0)
        return -1;
    pool = pool_open(run->threads);
    result = fn(&l, pool, run, &layer, err);
    pool_close(pool);
    if (result == 0)
        printf("%s %s %llu %llu %llu\n", layer.diff_id, layer.descriptor.digest,
               (unsigned long long)layer.descriptor.size, (unsigned long long)layer.size,
               (unsigned long long)layer.entries);
    return result;
}

static int run_write(struct run *run, struct err *err)
{
    return run_writer(run, write_tree, err);
}

static int run_upper(struct run *run, struct err *err)
{
    return run_writer(run, write_upper, err);
}

static int run_import(struct run *run, struct err *err)
{
    return run_writer(run, write_import, err);
}

static int describe(struct layout *l, struct run *run, struct descriptor *d, struct err *err)
{
    uint64_t size;
    AUTO_FD int fd = -1;

    if (layout_open(l, run->args[0], err) < 0)
        return -1;
    fd = layout_open_blob(l, run->args[1], &size, err);
    if (fd < 0)
        return -1;
    descriptor_set(d, MEDIA_OCI_LAYER_GZIP, run->args[1], size);
    return 0;
}

static int run_index(struct run *run, struct err *err)
{
    SCOPED(layout_close) struct layout l = LAYOUT_CLOSED;
    SCOPED(descriptor_release) struct descriptor d = {0};
    struct index *x = NULL;
    struct entry e;

    if (describe(&l, run, &d, err) < 0 || layer_index(&l, &d, run->args[2], &x, err) < 0)
        return -1;
    for (size_t i = 0; i < index_count(x); i++) {
        index_get(x, i, &e);
        print_entry(&e);
    }
    index_close(x);
    return 0;
}

static int run_tree(struct run *run, struct err *err)
{
    SCOPED(layout_close) struct layout l = LAYOUT_CLOSED;
    SCOPED(descriptor_release) struct descriptor d = {0};
    char path[LAYER_TREE_PATH_MAX];

    if (describe(&l, run, &d, err) < 0 || layer_tree(&l, &d, run->args[2], err) < 0)
        return -1;
    printf("%s/%s\n", l.root, layer_tree_path(run->args[2], path));
    return 0;
}

static const struct {
    const char *name;
    int args;
    int (*run)(struct run *, struct err *);
} verbs[] = {
    {"tar", 1, run_tar},     {"list", 1, run_list},   {"untar", 2, run_untar},
    {"write", 2, run_write}, {"upper", 2, run_upper}, {"import", 2, run_import},
    {"index", 3, run_index}, {"tree", 3, run_tree},
};

static bool take_option(struct run *run, const char *name, const char *value)
{
    if (strcmp(name, "--codec") == 0)
        return codec_parse(str_of(value), &run->options.codec);
    if (strcmp(name, "--level") == 0)
        run->options.level = (int)strtol(value, NULL, 10);
    else if (strcmp(name, "--threads") == 0)
        run->threads = (unsigned)strtoul(value, NULL, 10);
    else if (strcmp(name, "--epoch") == 0) {
        run->options.clamp = true;
        run->options.epoch = strtoll(value, NULL, 10);
    } else
        return false;
    return true;
}

static void print_times(double begun)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    fprintf(stderr, "%.3f s, %.3f CPU-s, %ld MB\n", seconds() - begun,
            (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6,
            usage.ru_maxrss / 1024);
}

int main(int argc, char **argv)
{
    struct run run = {.options = LAYER_OPTIONS_DEFAULT};
    struct err err = {0};
    const char *verb = argc > 1 ? argv[1] : "";
    double begun = seconds();
    int i = 2;

    for (; i < argc && argv[i][0] == '-'; i++) {
        if (strcmp(argv[i], "-t") == 0)
            run.times = true;
        else if (strcmp(argv[i], "-v") == 0)
            log_set_level(LOG_DEBUG);
        else if (i + 1 < argc && take_option(&run, argv[i], argv[i + 1]))
            i++;
        else
            break;
    }
    run.args = argv + i;
    run.count = argc - i;
    for (size_t v = 0; v < ARRAY_SIZE(verbs); v++) {
        if (strcmp(verbs[v].name, verb) != 0 || verbs[v].args != run.count)
            continue;
        if (verbs[v].run(&run, &err) < 0)
            return fail(verb, &err);
        if (run.times)
            print_times(begun);
        return 0;
    }
    fprintf(stderr, "usage: see the head of tests/helpers/layers.c\n");
    return 2;
}
