/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/compress.h"

#include <libdeflate.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/hash.h"
#include "base/pool.h"
#include "base/scope.h"
#include "tests/tap.h"

/* Text-like bytes, the same ones for the same seed; noise: bytes that do not shrink. */
static void fill(struct buf *out, size_t size, bool noise)
{
    uint64_t state = 88172645463325252u;

    for (size_t i = 0; i < size; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        buf_addc(out, noise ? (char)state : "abcdefgh       \n"[(state >> 8) & (state >> 20) & 15]);
    }
}

static void squeeze(struct buf *out, struct str in, unsigned threads, enum codec codec, int level,
                    size_t step)
{
    struct pool *pool = pool_open(threads);
    struct compressor *c = compressor_open(pool, codec, level, sink_of_buf(out));
    struct err err = {0};
    bool ok = true;

    while (in.size) {
        size_t n = in.size < step ? in.size : step;

        ok &= compressor_write(c, in.ptr, n, &err) == 0;
        in = str_slice(in, n, in.size);
    }
    ok &= compressor_end(c, &err) == 0;
    OKF(ok, "%s", err.text);
    compressor_close(c);
    pool_close(pool);
}

/* All of it; -1 with the error's text in err. */
static int expand(struct buf *out, struct str in, uint64_t max, size_t step, struct err *err)
{
    struct inflater *f = inflater_open(source_of_str(&in), max, err);
    ssize_t n = -1;

    while (f && (n = inflater_read(f, buf_reserve(out, step), step, err)) > 0)
        buf_commit(out, (size_t)n);
    inflater_close(f);
    return n < 0 ? -1 : 0;
}

static void round_trips(void)
{
    static const size_t sizes[] = {0,
                                   1,
                                   1000,
                                   COMPRESS_CHUNK - 1,
                                   COMPRESS_CHUNK,
                                   COMPRESS_CHUNK + 1,
                                   5 * COMPRESS_CHUNK / 2,
                                   15 * COMPRESS_CHUNK};
    static const struct {
        enum codec codec;
        int level;
    } codecs[] = {
        {CODEC_NONE, 0}, {CODEC_GZIP, 0}, {CODEC_GZIP, 12}, {CODEC_ZSTD, 0}, {CODEC_ZSTD, 19}};

    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        for (size_t j = 0; j < ARRAY_SIZE(codecs); j++) {
            SCOPED(buf_release) struct buf in = {0}, packed = {0}, out = {0};
            struct err err = {0};

            if (codecs[j].level > 9 && sizes[i] > 3 * COMPRESS_CHUNK)
                continue; /* slow, and nothing new */
            fill(&in, sizes[i], i % 2);
            squeeze(&packed, buf_str(&in), 2, codecs[j].codec, codecs[j].level, 70000);
            OKF(expand(&out, buf_str(&packed), 0, 30000, &err) == 0 &&
                    str_eq(buf_str(&in), buf_str(&out)),
                "%zu bytes, %s %d: %s", sizes[i], codec_name(codecs[j].codec), codecs[j].level,
                err.text);
            OKF(packed.size <= in.size + in.size / 1000 + 64, "%zu bytes became %zu", in.size,
                packed.size);
        }
    }
}

static void same_for_any_threads(void)
{
    SCOPED(buf_release) struct buf in = {0};

    fill(&in, 6 * COMPRESS_CHUNK + 77, false);
    fill(&in, 2 * COMPRESS_CHUNK, true);
    for (enum codec codec = CODEC_GZIP; codec <= CODEC_ZSTD; codec++) {
        SCOPED(buf_release) struct buf first = {0};

        squeeze(&first, buf_str(&in), 1, codec, 0, 1 << 20);
        for (unsigned threads = 2; threads < 20; threads += 8) {
            SCOPED(buf_release) struct buf other = {0};

            squeeze(&other, buf_str(&in), threads, codec, 0, 1 + 333 * threads);
            OKF(str_eq(buf_str(&first), buf_str(&other)), "%s with %u threads", codec_name(codec),
                threads);
        }
    }
}

/* The bytes themselves: a change of them changes every digest that anybody has. They are
 * libdeflate's to choose, so this holds for one version of it. */
static void pinned(void)
{
    SCOPED(buf_release) struct buf in = {0}, gzip = {0};
    char digest[DIGEST_SIZE];

    if (strcmp(LIBDEFLATE_VERSION_STRING, "1.14") != 0) {
        tap_skip("another libdeflate than 1.14");
        return;
    }
    fill(&in, 3 * COMPRESS_CHUNK / 2, false);
    squeeze(&gzip, buf_str(&in), 2, CODEC_GZIP, 0, 4096);
    digest_of(gzip.ptr, gzip.size, digest);
    EQ_STR(digest, "sha256:e89d2f96dc99d8d7030b5836fa8cdd2f104b93b756e35ffbc084b084f57317b8");
    OK(memcmp(gzip.ptr, "\x1f\x8b\x08\x00\x00\x00\x00\x00", 8) == 0); /* no name, no time */
}

/* One zlib stream, as other tools write, in one member. */
static void foreign_member(struct buf *out, struct str in)
{
    z_stream z = {0};
    size_t room = in.size + in.size / 100 + 1000;

    deflateInit2(&z, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
    z.next_in = (Bytef *)(uintptr_t)in.ptr;
    z.avail_in = (uInt)in.size;
    z.next_out = (Bytef *)buf_reserve(out, room);
    z.avail_out = (uInt)room;
    deflate(&z, Z_FINISH);
    buf_commit(out, room - z.avail_out);
    deflateEnd(&z);
}

static void foreign_gzip(void)
{
    SCOPED(buf_release) struct buf in = {0}, packed = {0}, want = {0}, out = {0};
    struct err err = {0};

    fill(&in, 3 * COMPRESS_CHUNK, false);
    foreign_member(&packed, STR("small first"));
    foreign_member(&packed, buf_str(&in)); /* too large to be taken whole */
    foreign_member(&packed, STR(""));
    foreign_member(&packed, STR("small last"));
    buf_add(&packed, "\0\0\0\0\0\0\0\0\0\0", 10); /* tape padding */
    buf_adds(&want, "small first");
    buf_add_str(&want, buf_str(&in));
    buf_adds(&want, "small last");
    OKF(expand(&out, buf_str(&packed), 0, 10000, &err) == 0 &&
            str_eq(buf_str(&out), buf_str(&want)),
        "%s", err.text);
}

static void refusals(void)
{
    SCOPED(buf_release) struct buf in = {0}, gzip = {0}, zstd = {0}, big = {0};

    fill(&in, 3 * COMPRESS_CHUNK, false);
    squeeze(&gzip, buf_str(&in), 1, CODEC_GZIP, 0, 1 << 20);
    squeeze(&zstd, buf_str(&in), 1, CODEC_ZSTD, 0, 1 << 20);
    foreign_member(&big, buf_str(&in));
    const struct {
        struct str bytes;
        size_t cut, damage;
        const char *more;
        uint64_t max;
        const char *err;
    } rows[] = {
        {buf_str(&gzip), 1, 0, "", 0, "the gzip data ends in the middle"},
        {buf_str(&gzip), gzip.size - 20, 0, "", 0, "the gzip data ends in the middle"},
        {buf_str(&big), 1, 0, "", 0, "the gzip data ends in the middle"},
        {buf_str(&big), big.size / 2, 0, "", 0, "the gzip data ends in the middle"},
        {buf_str(&zstd), 1, 0, "", 0, "the zstd data ends in the middle"},
        {buf_str(&gzip), 0, gzip.size - 8, "", 0, "the gzip data is damaged: incorrect data check"},
        {buf_str(&big), 0, big.size - 8, "", 0, "the gzip data is damaged: incorrect data check"},
        {buf_str(&gzip), 0, 0, "garbage", 0, "the gzip data is followed by something else"},
        {buf_str(&zstd), 0, 0, "garbage", 0, "the zstd data is followed by something else"},
        {buf_str(&gzip), 0, 0, "", 3 * COMPRESS_CHUNK - 1, "it unpacks to more than 3145727 bytes"},
        {buf_str(&zstd), 0, 0, "", 100, "it unpacks to more than 100 bytes"},
        {STR("\xfd"
             "7zXZ\0 and so on"),
         0, 0, "", 0, "compressed with xz; only gzip and zstd are supported here"},
        {STR("BZh9 and so on"), 0, 0, "", 0,
         "compressed with bzip2; only gzip and zstd are supported here"},
        /* A frame that asks for a window of 2 GiB. */
        {STR("\x28\xb5\x2f\xfd\x00\xa8\x00\x00\x00"), 0, 0, "", 0,
         "the zstd data is damaged: Frame requires too much memory for decoding"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        SCOPED(buf_release) struct buf bytes = {0}, out = {0};
        struct err err = {0};

        buf_add(&bytes, rows[i].bytes.ptr, rows[i].bytes.size - rows[i].cut);
        if (rows[i].damage)
            bytes.ptr[rows[i].damage] ^= 0x55;
        buf_adds(&bytes, rows[i].more);
        OKF(expand(&out, buf_str(&bytes), rows[i].max, 65536, &err) == -1, "row %zu", i);
        EQ_STR(err.text, rows[i].err);
    }
}

static int refuse(void *ctx, const void *bytes, size_t size, struct err *err)
{
    (void)ctx;
    (void)bytes;
    return err_set(err, ERR_SYSTEM, 28, "no room for %s bytes", size ? "these" : "no");
}

/* The sink fails while chunks are under way: told once, and closing leaves nothing running. */
static void failing_sink(void)
{
    SCOPED(buf_release) struct buf in = {0};
    struct pool *pool = pool_open(4);
    struct compressor *c = compressor_open(pool, CODEC_GZIP, 0, (struct sink){.write = refuse});
    struct err err = {0};

    fill(&in, 20 * COMPRESS_CHUNK, false);
    OK(compressor_write(c, in.ptr, in.size, &err) == -1);
    EQ_STR(err.text, "no room for these bytes");
    compressor_close(c);
    pool_close(pool);
}

static void names_and_levels(void)
{
    enum codec codec;

    OK(codec_parse(STR("gzip"), &codec) && codec == CODEC_GZIP);
    OK(codec_parse(STR("zstd"), &codec) && codec == CODEC_ZSTD);
    OK(codec_parse(STR("none"), &codec) && codec == CODEC_NONE);
    OK(codec_parse(STR("uncompressed"), &codec) && codec == CODEC_NONE);
    OK(!codec_parse(STR("estargz"), &codec));
    OK(codec_level_valid(CODEC_GZIP, 12) && !codec_level_valid(CODEC_GZIP, 13) &&
       !codec_level_valid(CODEC_GZIP, -1));
    OK(codec_level_valid(CODEC_ZSTD, 19) && !codec_level_valid(CODEC_ZSTD, 20) &&
       !codec_level_valid(CODEC_NONE, 1));
}

TAP_MAIN({"round trips", round_trips}, {"the same for any number of threads", same_for_any_threads},
         {"pinned bytes", pinned}, {"foreign gzip", foreign_gzip}, {"refusals", refusals},
         {"a failing sink", failing_sink}, {"names and levels", names_and_levels})
