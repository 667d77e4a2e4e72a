/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A ring of slots, each a chunk of input. A full slot goes to the pool; when the ring is full, the
 * oldest is waited for and sent. So order is kept, memory is bounded, and the caller works on while
 * the pool compresses.
 */
#include "builder/compress.h"

#include <errno.h>
#include <libdeflate.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "base/alloc.h"
#include "base/pool.h"
#include "base/scope.h"

#define DEFAULT_LEVEL 3 /* of gzip and of zstd */
/* A chunk whose first bytes do not shrink at level 1 is stored: it would cost as much time as ten
 * good ones. */
#define PROBE_SIZE ((size_t)64 << 10)
#define PROBE_GAIN 3 /* percent */

struct slot {
    struct compressor *c;
    struct job *job; /* NULL: being filled, or empty */
    char *in, *out;
    size_t in_size, out_size;
};

/* What one compression needs; handed from job to job. */
struct engine {
    struct engine *next;
    struct libdeflate_compressor *deflate, *probe, *store;
    ZSTD_CCtx *zstd;
};

struct compressor {
    struct pool *pool;
    enum codec codec;
    int level;
    struct sink to;
    size_t out_max;
    struct slot slots[COMPRESS_SLOTS];
    size_t slots_count; /* how many of them this pool is worth */
    size_t first, used; /* ring: `used` slots from `first` were handed to the pool */
    uint64_t chunks;
    bool ended;
    pthread_mutex_t lock; /* of engines */
    struct engine *engines;
};

const char *codec_name(enum codec codec)
{
    static const char *const names[] = {
        [CODEC_NONE] = "none", [CODEC_GZIP] = "gzip", [CODEC_ZSTD] = "zstd"};

    return names[codec];
}

bool codec_parse(struct str name, enum codec *codec)
{
    if (str_is(name, "gzip"))
        *codec = CODEC_GZIP;
    else if (str_is(name, "zstd"))
        *codec = CODEC_ZSTD;
    else if (str_is(name, "none") || str_is(name, "uncompressed"))
        *codec = CODEC_NONE;
    else
        return false;
    return true;
}

bool codec_level_valid(enum codec codec, int level)
{
    int max = codec == CODEC_GZIP ? 12 : codec == CODEC_ZSTD ? 19 : 0;

    return level >= 0 && level <= max;
}

static struct engine *take_engine(struct compressor *c)
{
    struct engine *e;

    pthread_mutex_lock(&c->lock);
    e = c->engines;
    if (e)
        c->engines = e->next;
    pthread_mutex_unlock(&c->lock);
    return e ? e : xcalloc(1, sizeof(*e));
}

static void give_engine(struct compressor *c, struct engine *e)
{
    pthread_mutex_lock(&c->lock);
    e->next = c->engines;
    c->engines = e;
    pthread_mutex_unlock(&c->lock);
}

static struct libdeflate_compressor *at_level(struct libdeflate_compressor **kept, int level)
{
    if (!*kept)
        *kept = libdeflate_alloc_compressor(level);
    return *kept;
}

static bool shrinks(struct engine *e, const struct slot *s)
{
    size_t probe = s->in_size < PROBE_SIZE ? s->in_size : PROBE_SIZE;
    size_t limit = probe - probe * PROBE_GAIN / 100;

    if (s->in_size < PROBE_SIZE)
        return true;
    if (!at_level(&e->probe, 1))
        return true;
    return libdeflate_deflate_compress(e->probe, s->in, probe, s->out, limit) != 0;
}

static int gzip_chunk(struct engine *e, struct slot *s, struct err *err)
{
    bool worth = shrinks(e, s);
    struct libdeflate_compressor *d =
        worth ? at_level(&e->deflate, s->c->level) : at_level(&e->store, 0);

    if (!d)
        return err_set(err, ERR_SYSTEM, ENOMEM, "no memory for compression");
    s->out_size = libdeflate_gzip_compress(d, s->in, s->in_size, s->out, s->c->out_max);
    BUG_ON(!s->out_size);
    return 0;
}

static int zstd_chunk(struct engine *e, struct slot *s, struct err *err)
{
    size_t size;

    if (!e->zstd)
        e->zstd = ZSTD_createCCtx();
    if (!e->zstd)
        return err_set(err, ERR_SYSTEM, ENOMEM, "no memory for compression");
    size = ZSTD_compressCCtx(e->zstd, s->out, s->c->out_max, s->in, s->in_size, s->c->level);
    if (ZSTD_isError(size))
        return err_set(err, ERR_SYSTEM, ENOMEM, "zstd: %s", ZSTD_getErrorName(size));
    s->out_size = size;
    return 0;
}

static int compress_job(void *arg, struct err *err)
{
    struct slot *s = arg;
    struct engine *e = take_engine(s->c);
    int done;

    if (!s->out)
        s->out = xmalloc(s->c->out_max);
    done = s->c->codec == CODEC_GZIP ? gzip_chunk(e, s, err) : zstd_chunk(e, s, err);
    give_engine(s->c, e);
    return done;
}

static size_t bound(enum codec codec)
{
    return codec == CODEC_GZIP   ? libdeflate_gzip_compress_bound(NULL, COMPRESS_CHUNK)
           : codec == CODEC_ZSTD ? ZSTD_compressBound(COMPRESS_CHUNK)
                                 : 0;
}

struct compressor *compressor_open(struct pool *pool, enum codec codec, int level, struct sink to)
{
    struct compressor *c = xcalloc(1, sizeof(*c));
    size_t threads = pool ? pool_threads(pool) : 1;

    BUG_ON(!codec_level_valid(codec, level) || (codec != CODEC_NONE && !pool));
    c->pool = pool;
    c->codec = codec;
    c->level = level ? level : DEFAULT_LEVEL;
    c->to = to;
    c->out_max = bound(codec);
    c->slots_count = codec == CODEC_NONE                ? 1
                     : 2 + 2 * threads < COMPRESS_SLOTS ? 2 + 2 * threads
                                                        : COMPRESS_SLOTS;
    pthread_mutex_init(&c->lock, NULL);
    for (size_t i = 0; i < COMPRESS_SLOTS; i++)
        c->slots[i].c = c;
    return c;
}

void compressor_close(struct compressor *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < COMPRESS_SLOTS; i++) {
        struct err ignored = {0};

        if (c->slots[i].job)
            job_wait(c->slots[i].job, &ignored);
        free(c->slots[i].in);
        free(c->slots[i].out);
    }
    while (c->engines) {
        struct engine *e = c->engines;

        c->engines = e->next;
        libdeflate_free_compressor(e->deflate);
        libdeflate_free_compressor(e->probe);
        libdeflate_free_compressor(e->store);
        ZSTD_freeCCtx(e->zstd);
        free(e);
    }
    pthread_mutex_destroy(&c->lock);
    free(c);
}

/* Waits for the oldest chunk and sends it. */
static int send_oldest(struct compressor *c, struct err *err)
{
    struct slot *s = &c->slots[c->first];
    int done = job_wait(s->job, err);

    s->job = NULL;
    c->first = (c->first + 1) % c->slots_count;
    c->used--;
    if (done < 0)
        return -1;
    s->in_size = 0;
    return c->to.write(c->to.ctx, s->out, s->out_size, err);
}

static struct slot *current(struct compressor *c)
{
    return &c->slots[(c->first + c->used) % c->slots_count];
}

/* The slot being filled is full, or the last. */
static int hand_over(struct compressor *c, struct err *err)
{
    struct slot *s = current(c);

    c->chunks++;
    if (c->codec == CODEC_NONE) {
        size_t size = s->in_size;

        s->in_size = 0;
        return c->to.write(c->to.ctx, s->in, size, err);
    }
    s->job = pool_start(c->pool, compress_job, s);
    c->used++;
    while (c->used && (c->used == c->slots_count || job_done(c->slots[c->first].job))) {
        if (send_oldest(c, err) < 0)
            return -1;
    }
    return 0;
}

char *compressor_space(struct compressor *c, size_t *room)
{
    struct slot *s = current(c);

    BUG_ON(c->ended);
    if (!s->in)
        s->in = xmalloc(COMPRESS_CHUNK);
    *room = COMPRESS_CHUNK - s->in_size;
    return s->in + s->in_size;
}

int compressor_advance(struct compressor *c, size_t size, struct err *err)
{
    struct slot *s = current(c);

    BUG_ON(size > COMPRESS_CHUNK - s->in_size);
    s->in_size += size;
    return s->in_size == COMPRESS_CHUNK ? hand_over(c, err) : 0;
}

int compressor_write(struct compressor *c, const void *bytes, size_t size, struct err *err)
{
    const char *from = bytes;

    while (size) {
        size_t room;
        char *to = compressor_space(c, &room);
        size_t step = size < room ? size : room;

        memcpy(to, from, step);
        if (compressor_advance(c, step, err) < 0)
            return -1;
        from += step;
        size -= step;
    }
    return 0;
}

int compressor_end(struct compressor *c, struct err *err)
{
    size_t room;

    compressor_space(c, &room);
    if ((current(c)->in_size || !c->chunks) && hand_over(c, err) < 0)
        return -1;
    while (c->used) {
        if (send_oldest(c, err) < 0)
            return -1;
    }
    c->ended = true;
    return 0;
}
