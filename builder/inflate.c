/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decompression. gzip members that fit in 1 MiB, as ours do, are taken whole by libdeflate, at more
 * than twice zlib's speed; the first larger one, or one that libdeflate cannot take, sends the rest
 * of the stream to zlib.
 */
#include <errno.h>
#include <libdeflate.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "base/alloc.h"
#include "base/scope.h"
#include "builder/compress.h"

#define INPUT_SIZE ((size_t)COMPRESS_CHUNK + (64 << 10)) /* a member of one stored chunk fits */
#define STREAM_STEP ((size_t)128 << 10) /* read at a time when members are not taken whole */
#define ZSTD_WINDOW_LOG_MAX 27

struct inflater {
    struct source from;
    enum codec codec;
    uint64_t output_max, output;
    char *in;
    size_t at, end;
    bool source_ended;
    bool inside;  /* of a member or frame */
    bool members; /* at least one was read */
    bool whole;   /* libdeflate may be tried */
    struct libdeflate_decompressor *deflate;
    char *out; /* a member taken whole */
    size_t out_at, out_end;
    z_stream z;
    bool z_open;
    ZSTD_DStream *zstd;
};

/* Reads until `want` bytes are there or the source ends. */
static int fill(struct inflater *in, size_t want, struct err *err)
{
    if (in->end - in->at >= want || in->source_ended)
        return 0;
    memmove(in->in, in->in + in->at, in->end - in->at);
    in->end -= in->at;
    in->at = 0;
    while (in->end < want) {
        ssize_t n = in->from.read(in->from.ctx, in->in + in->end, INPUT_SIZE - in->end, err);

        if (n < 0)
            return -1;
        if (n == 0) {
            in->source_ended = true;
            break;
        }
        in->end += (size_t)n;
    }
    return 0;
}

static size_t have(const struct inflater *in)
{
    return in->end - in->at;
}

static bool begins(const struct inflater *in, const char *magic, size_t size)
{
    return have(in) >= size && memcmp(in->in + in->at, magic, size) == 0;
}

static bool at_gzip(const struct inflater *in)
{
    return begins(in, "\x1f\x8b", 2);
}

static bool at_zstd(const struct inflater *in)
{
    bool skippable = have(in) >= 4 && (in->in[in->at] & 0xf0) == 0x50 &&
                     memcmp(in->in + in->at + 1, "\x2a\x4d\x18", 3) == 0;

    return skippable || begins(in, "\x28\xb5\x2f\xfd", 4);
}

static int detect(struct inflater *in, struct err *err)
{
    static const struct {
        const char *magic;
        size_t size;
        const char *name;
    } foreign[] = {{"\xfd"
                    "7zXZ",
                    5, "xz"},
                   {"BZh", 3, "bzip2"},
                   {"\x04\x22\x4d\x18", 4, "lz4"},
                   {"PK\x03\x04", 4, "zip"}};

    if (fill(in, 8, err) < 0)
        return -1;
    in->codec = at_gzip(in) ? CODEC_GZIP : at_zstd(in) ? CODEC_ZSTD : CODEC_NONE;
    for (size_t i = 0; i < ARRAY_SIZE(foreign); i++) {
        if (begins(in, foreign[i].magic, foreign[i].size))
            return err_set(err, ERR_INPUT, EINVAL,
                           "compressed with %s; only gzip and zstd are supported here",
                           foreign[i].name);
    }
    return 0;
}

static int open_codec(struct inflater *in, struct err *err)
{
    if (in->codec == CODEC_GZIP) {
        in->deflate = libdeflate_alloc_decompressor();
        in->whole = in->deflate != NULL;
        if (inflateInit2(&in->z, 15 + 16) != Z_OK)
            return err_set(err, ERR_SYSTEM, ENOMEM, "no memory for decompression");
        in->z_open = true;
    } else if (in->codec == CODEC_ZSTD) {
        in->zstd = ZSTD_createDStream();
        if (!in->zstd || ZSTD_isError(ZSTD_DCtx_setParameter(in->zstd, ZSTD_d_windowLogMax,
                                                             ZSTD_WINDOW_LOG_MAX)))
            return err_set(err, ERR_SYSTEM, ENOMEM, "no memory for decompression");
    }
    return 0;
}

struct inflater *inflater_open(struct source from, uint64_t output_max, struct err *err)
{
    struct inflater *in = xcalloc(1, sizeof(*in));

    in->from = from;
    in->output_max = output_max;
    in->in = xmalloc(INPUT_SIZE);
    if (detect(in, err) < 0 || open_codec(in, err) < 0) {
        inflater_close(in);
        return NULL;
    }
    return in;
}

void inflater_close(struct inflater *in)
{
    if (!in)
        return;
    libdeflate_free_decompressor(in->deflate);
    if (in->z_open)
        inflateEnd(&in->z);
    ZSTD_freeDStream(in->zstd);
    free(in->out);
    free(in->in);
    free(in);
}

static int cut_short(const struct inflater *in, struct err *err)
{
    return err_set(err, ERR_INPUT, EINVAL, "the %s data ends in the middle", codec_name(in->codec));
}

/* Between members. 1: another begins; 0: the end, perhaps after zero padding; -1: something else
 * follows. */
static int next_member(struct inflater *in, struct err *err)
{
    for (;;) {
        if (fill(in, 8, err) < 0)
            return -1;
        if (!have(in))
            return 0;
        if (in->codec == CODEC_GZIP ? at_gzip(in) : at_zstd(in))
            return 1;
        if (!in->members || in->in[in->at] != '\0')
            return err_set(err, ERR_INPUT, EINVAL, "the %s data is followed by something else",
                           codec_name(in->codec));
        in->at++;
    }
}

/* One member into in->out: 1 taken, 0 it does not fit or is damaged (zlib will tell which). */
static int take_whole(struct inflater *in, struct err *err)
{
    size_t used = 0, made = 0;

    if (!in->whole)
        return 0;
    if (fill(in, INPUT_SIZE, err) < 0)
        return -1;
    if (!in->out)
        in->out = xmalloc(COMPRESS_CHUNK);
    if (libdeflate_gzip_decompress_ex(in->deflate, in->in + in->at, have(in), in->out,
                                      COMPRESS_CHUNK, &used, &made) != LIBDEFLATE_SUCCESS) {
        in->whole = false;
        return 0;
    }
    in->at += used;
    in->out_at = 0;
    in->out_end = made;
    return 1;
}

static int begin_member(struct inflater *in, struct err *err)
{
    int got = next_member(in, err);

    if (got <= 0)
        return got;
    in->members = true;
    if (in->codec == CODEC_GZIP) {
        got = take_whole(in, err);
        if (got != 0)
            return got;
        inflateReset(&in->z);
    } else {
        ZSTD_DCtx_reset(in->zstd, ZSTD_reset_session_only);
    }
    in->inside = true;
    return 1;
}

/* Both: bytes made, perhaps 0 though more will come; -1. */
static ssize_t step_zlib(struct inflater *in, void *bytes, size_t size, struct err *err)
{
    int result;

    in->z.next_in = (Bytef *)in->in + in->at;
    in->z.avail_in = (uInt)have(in);
    in->z.next_out = bytes;
    in->z.avail_out = size < (1u << 30) ? (uInt)size : 1u << 30;
    size = in->z.avail_out;
    result = inflate(&in->z, Z_NO_FLUSH);
    in->at = in->end - in->z.avail_in;
    if (result == Z_STREAM_END)
        in->inside = false;
    else if (result != Z_OK && result != Z_BUF_ERROR)
        return err_set(err, ERR_INPUT, EINVAL, "the gzip data is damaged: %s",
                       in->z.msg ? in->z.msg : "unknown error");
    return (ssize_t)(size - in->z.avail_out);
}

static ssize_t step_zstd(struct inflater *in, void *bytes, size_t size, struct err *err)
{
    ZSTD_inBuffer from = {in->in + in->at, have(in), 0};
    ZSTD_outBuffer to = {bytes, size, 0};
    size_t result = ZSTD_decompressStream(in->zstd, &to, &from);

    if (ZSTD_isError(result))
        return err_set(err, ERR_INPUT, EINVAL, "the zstd data is damaged: %s",
                       ZSTD_getErrorName(result));
    in->at += from.pos;
    if (result == 0)
        in->inside = false;
    return (ssize_t)to.pos;
}

static ssize_t read_member(struct inflater *in, void *bytes, size_t size, struct err *err)
{
    ssize_t made;
    size_t before;

    if (!have(in)) {
        if (fill(in, 1, err) < 0)
            return -1;
        /* Output may still be inside the decoder: only when it makes nothing is the data cut. */
    }
    before = have(in);
    made =
        in->codec == CODEC_GZIP ? step_zlib(in, bytes, size, err) : step_zstd(in, bytes, size, err);
    if (made == 0 && in->inside && before == 0 && in->source_ended)
        return cut_short(in, err);
    return made;
}

static ssize_t read_plain(struct inflater *in, void *bytes, size_t size, struct err *err)
{
    if (!have(in)) {
        if (size >= STREAM_STEP)
            return in->from.read(in->from.ctx, bytes, size, err);
        if (fill(in, 1, err) < 0)
            return -1;
    }
    if (have(in) < size)
        size = have(in);
    memcpy(bytes, in->in + in->at, size);
    in->at += size;
    return (ssize_t)size;
}

static ssize_t read_some(struct inflater *in, void *bytes, size_t size, struct err *err)
{
    if (in->codec == CODEC_NONE)
        return read_plain(in, bytes, size, err);
    for (;;) {
        if (in->out_at < in->out_end) {
            if (in->out_end - in->out_at < size)
                size = in->out_end - in->out_at;
            memcpy(bytes, in->out + in->out_at, size);
            in->out_at += size;
            return (ssize_t)size;
        }
        if (in->inside) {
            ssize_t made = read_member(in, bytes, size, err);

            if (made != 0)
                return made;
        } else {
            int got = begin_member(in, err);

            if (got <= 0)
                return got;
        }
    }
}

ssize_t inflater_read(struct inflater *in, void *bytes, size_t size, struct err *err)
{
    ssize_t n = size ? read_some(in, bytes, size, err) : 0;

    if (n <= 0)
        return n;
    in->output += (uint64_t)n;
    if (in->output_max && in->output > in->output_max)
        return err_set(err, ERR_INPUT, EFBIG, "it unpacks to more than %llu bytes",
                       (unsigned long long)in->output_max);
    return n;
}

static ssize_t source_read(void *ctx, void *bytes, size_t size, struct err *err)
{
    return inflater_read(ctx, bytes, size, err);
}

struct source source_of_inflater(struct inflater *in)
{
    return (struct source){.read = source_read, .ctx = in};
}
