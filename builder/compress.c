/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A ring of slots, each a chunk of input. A full slot goes to the pool; whichever thread finishes
 * the oldest one sends it, and those after it that are ready, in order. When the ring is full, the
 * caller waits for the oldest. So order is kept, memory is bounded, and the caller does nothing but
 * fill.
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
/* Half of what zstd's level 3 has: its tables then lie in a core's second cache. An eighth faster,
 * and layers are 0.7 % larger. */
#define ZSTD_HASH_LOG 16
#define ZSTD_CHAIN_LOG 15
/* A chunk whose first bytes do not shrink at level 1 is stored: it would cost as much time as ten
 * good ones. */
#define PROBE_SIZE ((size_t)64 << 10)
#define PROBE_GAIN 3 /* percent */

struct slot {
    struct compressor *c;
    struct job *job; /* the caller's alone; NULL: being filled, or empty */
    bool ready;      /* compressed, */
    bool pending;    /* and not sent; both under the lock */
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
    size_t next;        /* the slot that is filled; of those handed over it is the oldest */
    uint64_t chunks;
    bool ended;
    pthread_mutex_t lock; /* of what follows, and of the slots' states */
    pthread_cond_t sent;
    struct engine *engines;
    size_t first; /* the oldest slot that is not sent */
    bool draining, failed;
    struct err err; /* the first failure */
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

int codec_read(const char *value, enum codec *codec, struct err *err)
{
    if (strcmp(value, "estargz") == 0)
        return err_set(err, ERR_USAGE, 0,
                       "estargz layers are not made here; gzip, zstd and uncompressed are");
    if (strcmp(value, "none") == 0 || !codec_parse(str_of(value), codec))
        return err_set(err, ERR_USAGE, 0, "want gzip, zstd or uncompressed");
    return 0;
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
    ZSTD_CCtx_reset(e->zstd, ZSTD_reset_session_and_parameters);
    ZSTD_CCtx_setParameter(e->zstd, ZSTD_c_compressionLevel, s->c->level);
    if (s->c->level == DEFAULT_LEVEL) {
        ZSTD_CCtx_setParameter(e->zstd, ZSTD_c_hashLog, ZSTD_HASH_LOG);
        ZSTD_CCtx_setParameter(e->zstd, ZSTD_c_chainLog, ZSTD_CHAIN_LOG);
    }
    size = ZSTD_compress2(e->zstd, s->out, s->c->out_max, s->in, s->in_size);
    if (ZSTD_isError(size))
        return err_set(err, ERR_SYSTEM, ENOMEM, "zstd: %s", ZSTD_getErrorName(size));
    s->out_size = size;
    return 0;
}

static void fail(struct compressor *c, const struct err *err)
{
    if (!c->failed)
        c->err = *err;
    c->failed = true;
}

/* The lock is held on entry and on return, not while a chunk is sent; one thread sends at a time.
 */
static void drain(struct compressor *c)
{
    if (c->draining)
        return;
    c->draining = true;
    while (!c->failed && c->slots[c->first].pending && c->slots[c->first].ready) {
        struct slot *s = &c->slots[c->first];
        struct err err = {0};
        int rc;

        pthread_mutex_unlock(&c->lock);
        rc = c->to.write(c->to.ctx, s->out, s->out_size, &err);
        pthread_mutex_lock(&c->lock);
        if (rc < 0)
            fail(c, &err);
        s->pending = s->ready = false;
        c->first = (c->first + 1) % c->slots_count;
        pthread_cond_broadcast(&c->sent);
    }
    c->draining = false;
}

static int compress_job(void *arg, struct err *err)
{
    struct slot *s = arg;
    struct compressor *c = s->c;
    struct engine *e = take_engine(c);
    int done;

    if (!s->out)
        s->out = xmalloc(c->out_max);
    done = c->codec == CODEC_GZIP ? gzip_chunk(e, s, err) : zstd_chunk(e, s, err);
    give_engine(c, e);
    pthread_mutex_lock(&c->lock);
    s->ready = true;
    if (done < 0)
        fail(c, err);
    drain(c);
    pthread_cond_broadcast(&c->sent);
    pthread_mutex_unlock(&c->lock);
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
                     : 2 + 4 * threads < COMPRESS_SLOTS ? 2 + 4 * threads
                                                        : COMPRESS_SLOTS;
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->sent, NULL);
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
    pthread_cond_destroy(&c->sent);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

/* Until the slot may be filled: its chunk is compressed (by this thread, when no other has begun)
 * and sent. */
static int wait_for(struct compressor *c, struct slot *s, struct err *err)
{
    struct err ignored = {0}; /* it is c->err, too */
    bool failed;

    if (!s->job)
        return 0;
    job_wait(s->job, &ignored);
    s->job = NULL;
    pthread_mutex_lock(&c->lock);
    while (s->pending && !c->failed)
        pthread_cond_wait(&c->sent, &c->lock);
    failed = c->failed;
    if (failed)
        *err = c->err;
    pthread_mutex_unlock(&c->lock);
    s->in_size = 0;
    return failed ? -1 : 0;
}

/* The slot being filled is full, or the last. The next one is made free. */
static int hand_over(struct compressor *c, struct err *err)
{
    struct slot *s = &c->slots[c->next];

    c->chunks++;
    if (c->codec == CODEC_NONE) {
        size_t size = s->in_size;

        s->in_size = 0;
        return c->to.write(c->to.ctx, s->in, size, err);
    }
    pthread_mutex_lock(&c->lock);
    s->pending = true;
    pthread_mutex_unlock(&c->lock);
    s->job = pool_start(c->pool, compress_job, s);
    c->next = (c->next + 1) % c->slots_count;
    return wait_for(c, &c->slots[c->next], err);
}

char *compressor_space(struct compressor *c, size_t *room)
{
    struct slot *s = &c->slots[c->next];

    BUG_ON(c->ended);
    if (!s->in)
        s->in = xmalloc(COMPRESS_CHUNK);
    *room = COMPRESS_CHUNK - s->in_size;
    return s->in + s->in_size;
}

int compressor_advance(struct compressor *c, size_t size, struct err *err)
{
    struct slot *s = &c->slots[c->next];

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
    if ((c->slots[c->next].in_size || !c->chunks) && hand_over(c, err) < 0)
        return -1;
    for (size_t i = 0; i < c->slots_count; i++)
        if (wait_for(c, &c->slots[(c->next + i) % c->slots_count], err) < 0)
            return -1;
    c->ended = true;
    return 0;
}
