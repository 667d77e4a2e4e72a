/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/archive.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/pool.h"
#include "base/scope.h"
#include "builder/compress.h"
#include "builder/tar.h"
#include "tests/tap.h"

static int file_of(struct str bytes)
{
    struct err err = {0};
    AUTO_FD int dir = fs_open_dir(AT_FDCWD, "/tmp", &err);
    int fd = fs_tmpfile(dir, 0600, &err);

    OKF(fd >= 0 && fs_write(fd, bytes.ptr, bytes.size, &err) == 0, "%s", err.text);
    return fd;
}

static void make(struct buf *out)
{
    struct xattr overlay[] = {{"user.a", {"1", 1}}};
    struct tar_writer w = {.to = sink_of_buf(out)};
    struct err err = {0};

    tar_write_entry(&w, &(struct entry){.path = "d", .type = ENTRY_DIR, .mode = 01777}, &err);
    tar_write_whole(&w,
                    &(struct entry){.path = "d/f",
                                    .type = ENTRY_FILE,
                                    .mode = 04755,
                                    .uid = 5,
                                    .gid = 6,
                                    .mtime = 77,
                                    .xattrs = overlay,
                                    .xattrs_count = 1},
                    STR("hello"), &err);
    tar_write_entry(&w, &(struct entry){.path = "d/h", .link = "d/f", .type = ENTRY_HARDLINK},
                    &err);
    tar_write_entry(&w, &(struct entry){.path = "d/l", .link = "../x", .type = ENTRY_SYMLINK},
                    &err);
    tar_write_entry(&w, &(struct entry){.path = "d/p", .type = ENTRY_FIFO}, &err);
    tar_write_entry(
        &w, &(struct entry){.path = "n", .type = ENTRY_CHAR, .dev_major = 1, .dev_minor = 3}, &err);
    tar_write_entry(&w, &(struct entry){.path = "gone", .type = ENTRY_WHITEOUT}, &err);
    tar_write_end(&w, &err);
    tar_writer_release(&w);
}

static void pack(struct buf *out, struct str in, enum codec codec)
{
    struct pool *pool = pool_open(1);
    struct compressor *c = compressor_open(pool, codec, 0, sink_of_buf(out));
    struct err err = {0};

    OK(compressor_write(c, in.ptr, in.size, &err) == 0 && compressor_end(c, &err) == 0);
    compressor_close(c);
    pool_close(pool);
}

static void probing(void)
{
    SCOPED(buf_release) struct buf tar = {0}, gzip = {0}, zstd = {0}, text = {0};

    make(&tar);
    pack(&gzip, buf_str(&tar), CODEC_GZIP);
    pack(&zstd, buf_str(&tar), CODEC_ZSTD);
    pack(&text, STR("only text, though packed"), CODEC_GZIP);
    const struct {
        struct str bytes;
        int want;
    } rows[] = {
        {buf_str(&tar), 1},
        {buf_str(&gzip), 1},
        {buf_str(&zstd), 1},
        {buf_str(&text), 0},
        {STR(""), 0},
        {STR("#!/bin/sh\n"), 0},
        {STR("BZh but not really"), 0},
        {STR("PK\3\4 a zip stays a file"), 0},
        {str_slice(buf_str(&gzip), 0, 9), 0},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct err err = {0};
        AUTO_FD int fd = file_of(rows[i].bytes);

        OKF(archive_probe(fd, &err) == rows[i].want, "row %zu: %s", i, err.text);
        OK(lseek(fd, 0, SEEK_CUR) == (off_t)rows[i].bytes.size); /* the offset did not move */
    }
}

static void reading(void)
{
    static const char *const want[] = {
        "directory d 1777 0:0 0",           "file d/f 4755 5:6 5",    "hard link d/h 0 0:0 0 d/f",
        "symbolic link d/l 777 0:0 0 ../x", "named pipe d/p 0 0:0 0", "character device n 0 0:0 0",
        "file .wh.gone 600 0:0 0"};
    SCOPED(buf_release) struct buf tar = {0}, gzip = {0};
    struct err err = {0};
    struct archive_reader *r;
    struct entry e;
    size_t i = 0;
    AUTO_FD int fd = -1;

    make(&tar);
    pack(&gzip, buf_str(&tar), CODEC_GZIP);
    fd = file_of(buf_str(&gzip));
    r = archive_reader_open(fd, &err);
    OKF(r != NULL, "%s", err.text);
    for (int got; r && (got = archive_next(r, &e, &err)) != 0; i++) {
        SCOPED(buf_release) struct buf line = {0};
        char bytes[20];

        if (!OKF(got > 0 && i < ARRAY_SIZE(want), "%s", err.text))
            break;
        buf_addf(&line, "%s %s %o %u:%u %llu%s%s", entry_type_name(e.type), e.path, e.mode, e.uid,
                 e.gid, (unsigned long long)e.size, e.link ? " " : "", e.link ? e.link : "");
        EQ_STR(buf_cstr(&line), want[i]);
        if (strcmp(e.path, "d/f") == 0) {
            OK(e.mtime == 77 && e.xattrs_count == 1 && strcmp(e.xattrs[0].name, "user.a") == 0);
            OK(archive_read(r, bytes, 3, &err) == 3 && archive_read(r, bytes + 3, 10, &err) == 2);
            OK(memcmp(bytes, "hello", 5) == 0 && archive_read(r, bytes, 10, &err) == 0);
        }
        if (e.type == ENTRY_CHAR)
            OK(e.dev_major == 1 && e.dev_minor == 3);
    }
    EQ_INT(i, ARRAY_SIZE(want));
    archive_reader_close(r);
}

static void refusals(void)
{
    static const struct {
        const char *name;
        size_t cut;
        const char *err;
    } rows[] = {
        {"../x", 0, "the archive's path \"../x\" leads out of its root"},
        {"a/../../x", 0, "the archive's path \"a/../../x\" leads out of its root"},
        {"a", 2000, "the archive cannot be read: Truncated tar archive"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        SCOPED(buf_release) struct buf tar = {0};
        struct tar_writer w = {.to = sink_of_buf(&tar)};
        struct err err = {0};
        struct archive_reader *r;
        struct entry e;
        char bytes[3000];
        ssize_t n = -1;

        memset(bytes, 'x', sizeof(bytes));
        tar_write_whole(&w, &(struct entry){.path = rows[i].name, .type = ENTRY_FILE},
                        (struct str){bytes, sizeof(bytes)}, &err);
        tar_writer_release(&w);
        AUTO_FD int fd = file_of((struct str){tar.ptr, tar.size - rows[i].cut});
        r = archive_reader_open(fd, &err);
        if (archive_next(r, &e, &err) == 1) {
            while ((n = archive_read(r, bytes, sizeof(bytes), &err)) > 0)
                ;
        }
        OKF(n < 0, "row %zu", i);
        EQ_STR(err.text, rows[i].err);
        archive_reader_close(r);
    }
}

TAP_MAIN({"probing", probing}, {"reading", reading}, {"refusals", refusals})
