/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_COMPRESS_H
#define BUILDER_COMPRESS_H

/*
 * The door to libdeflate, zlib and libzstd.
 *
 * Compressing: the input is cut at fixed offsets into chunks of 1 MiB; each becomes one gzip member
 * (RFC 1952, no name, no time) or one zstd frame, made in parallel on the pool, sent to the sink in
 * order. The output depends on the input, the codec and the level alone, never on the number of
 * threads. A chunk that does not shrink is stored. At most COMPRESS_SLOTS chunks are in memory.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "builder/stream.h"

#define COMPRESS_CHUNK (1 << 20)
#define COMPRESS_SLOTS 12

enum codec { CODEC_NONE, CODEC_GZIP, CODEC_ZSTD };

const char *codec_name(enum codec codec);             /* "none", "gzip", "zstd" */
bool codec_parse(struct str name, enum codec *codec); /* also "uncompressed" */
/* The value of an option "compression": gzip, zstd, uncompressed. ERR_USAGE. */
int codec_read(const char *value, enum codec *codec, struct err *err);
/* Levels: gzip 1-12 (default 3), zstd 1-19 (default 3); 0 means the default. False when out of
 * range. */
bool codec_level_valid(enum codec codec, int level);

struct pool;
struct compressor;

struct compressor *compressor_open(struct pool *pool, enum codec codec, int level, struct sink to);
void compressor_close(
    struct compressor *c); /* waits for what is running, forgets the rest; NULL is fine */
int compressor_write(struct compressor *c, const void *bytes, size_t size, struct err *err);
/* Where the next bytes may be put directly (read(2) into it); then how many were. *room is at
 * least 1. */
char *compressor_space(struct compressor *c, size_t *room);
int compressor_advance(struct compressor *c, size_t size, struct err *err);
/* Sends everything. An empty input gives one empty member or frame. */
int compressor_end(struct compressor *c, struct err *err);

/*
 * Decompressing: any gzip (many members, foreign ones, trailing zero padding), any zstd (many and
 * skippable frames) or plain bytes, told apart by the first bytes. Streams; memory is bounded (zstd
 * windows over 128 MiB are refused). More than output_max bytes of output is an error (0: no
 * limit). Cut or damaged input is an error.
 */
struct inflater;

struct inflater *inflater_open(struct source from, uint64_t output_max, struct err *err);
void inflater_close(struct inflater *in); /* NULL is fine */
ssize_t inflater_read(struct inflater *in, void *bytes, size_t size,
                      struct err *err); /* 0 at the end */
struct source source_of_inflater(struct inflater *in);

#endif
