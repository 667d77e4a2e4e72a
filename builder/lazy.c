/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/lazy.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/pool.h"
#include "base/scope.h"
#include "builder/compress.h"
#include "builder/foreign.h"
#include "registry/fetch.h"
#include "registry/layout.h"
#include "registry/origins.h"
#include "registry/remote.h"

#define PIECE (1 << 18)

/* Where blobs are. */
struct lazy_source {
    struct remote_places places; /* empty: a directory */
    size_t first;
    int dir_fd;
};

struct lazy_origin {
    const struct lazy_source *source;
    struct descriptor blob; /* its size is what this source says */
};

enum lazy_state { LAZY_AWAY, LAZY_COMING, LAZY_HERE };

struct lazy_blob {
    char digest[DIGEST_SIZE];
    struct lazy_origin *origins;
    size_t count, capacity;
    char diff_id[DIGEST_SIZE]; /* what it must hold; "": nothing is said */
    char content[DIGEST_SIZE]; /* what it holds; "": nobody looked */
    enum lazy_state state;
    struct job *job; /* a prefetch; waited for at the end */
    struct lazy *lazy;
};

struct lazy {
    struct layout_fetch hook;
    struct layout *layout;
    struct remote *remote;
    struct pool *pool;
    pthread_mutex_t lock;
    pthread_cond_t arrived;
    struct lazy_source **sources;
    size_t sources_count, sources_capacity;
    struct lazy_blob **blobs; /* each on its own, sorted by digest */
    size_t blobs_count, blobs_capacity;
    bool closing;
};

/* With the lock. *at: where it is, or belongs. */
static struct lazy_blob *find(const struct lazy *lazy, const char *digest, size_t *at)
{
    size_t low = 0, high = lazy->blobs_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(lazy->blobs[middle]->digest, digest);

        if (order == 0)
            return lazy->blobs[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (at)
        *at = low;
    return NULL;
}

static struct lazy_blob *find_or_add(struct lazy *lazy, const char *digest)
{
    size_t at = 0;
    struct lazy_blob *blob = find(lazy, digest, &at);

    if (blob)
        return blob;
    blob = xcalloc(1, sizeof(*blob));
    memcpy(blob->digest, digest, DIGEST_SIZE);
    blob->lazy = lazy;
    VEC_GROW(lazy->blobs, lazy->blobs_count, lazy->blobs_capacity);
    memmove(&lazy->blobs[at + 1], &lazy->blobs[at],
            (lazy->blobs_count - at) * sizeof(*lazy->blobs));
    lazy->blobs[at] = blob;
    lazy->blobs_count++;
    return blob;
}

/* ---- fetching ---- */

static int from_origin(const struct lazy *lazy, const struct lazy_origin *o, struct err *err)
{
    uint64_t received = 0;

    if (o->source->places.count)
        return fetch_blob(lazy->remote, lazy->layout, &o->source->places, o->source->first,
                          &o->blob, &received, err);
    return foreign_copy_blob(lazy->layout, o->source->dir_fd, &o->blob, err);
}

/* Of a blob that is here. Not through the hook, which waits for who asks. */
static int hash_content(const struct layout *layout, const char *digest,
                        char diff_id[static DIGEST_SIZE], struct err *err)
{
    struct layout plain = *layout; /* borrowed */
    AUTO_FREE char *bytes = xmalloc(PIECE);
    AUTO_FD int fd = -1;

    plain.fetch = NULL;
    fd = layout_open_blob(&plain, digest, NULL, err);
    struct inflater *in = fd < 0 ? NULL : inflater_open(source_of_fd(&fd), 0, err);
    struct sha256 hash;
    ssize_t n = -1;

    sha256_begin(&hash);
    while (in && (n = inflater_read(in, bytes, PIECE, err)) > 0)
        sha256_add(&hash, bytes, (size_t)n);
    inflater_close(in);
    sha256_end_digest(&hash, diff_id);
    return n < 0 ? -1 : 0;
}

/* Looked at once. */
static int content_of(struct lazy *lazy, struct lazy_blob *blob, char out[static DIGEST_SIZE],
                      struct err *err)
{
    pthread_mutex_lock(&lazy->lock);
    memcpy(out, blob->content, DIGEST_SIZE);
    pthread_mutex_unlock(&lazy->lock);
    if (out[0])
        return 0;
    if (hash_content(lazy->layout, blob->digest, out, err) < 0)
        return err_wrap(err, "layer %s", blob->digest);
    pthread_mutex_lock(&lazy->lock);
    memcpy(blob->content, out, DIGEST_SIZE);
    pthread_mutex_unlock(&lazy->lock);
    return 0;
}

int lazy_check(struct lazy *lazy, const char *digest, const char *diff_id, struct err *err)
{
    char found[DIGEST_SIZE];
    struct lazy_blob *blob;

    pthread_mutex_lock(&lazy->lock);
    blob = find_or_add(lazy, digest);
    pthread_mutex_unlock(&lazy->lock);
    if (content_of(lazy, blob, found, err) < 0)
        return -1;
    return strcmp(found, diff_id) == 0;
}

static int check_content(struct lazy *lazy, struct lazy_blob *blob, struct err *err)
{
    char found[DIGEST_SIZE];

    if (!blob->diff_id[0])
        return 0;
    if (content_of(lazy, blob, found, err) < 0)
        return -1;
    if (strcmp(found, blob->diff_id) == 0)
        return 0;
    return err_set(err, ERR_INPUT, EINVAL,
                   "layer %s: its content is %s, but the cache says %s; build without that "
                   "--cache-from",
                   blob->digest, found, blob->diff_id);
}

/* Without the lock; origins do not change while it is LAZY_COMING. */
static int from_origins(struct lazy *lazy, struct lazy_blob *blob, struct err *err)
{
    struct err failed = {0};

    for (size_t i = 0; i < blob->count; i++) {
        struct err one = {0};

        if (from_origin(lazy, &blob->origins[i], &one) == 0)
            return check_content(lazy, blob, err);
        if (!failed.kind)
            failed = one;
        if (one.kind == ERR_SYSTEM && one.code == ENOSPC)
            break;
        log_debug("blob %s: %s", blob->digest, one.text);
    }
    *err = failed;
    return -1;
}

/* With the lock; it is given back for the time the bytes come. wait: else who comes second goes. */
static int come(struct lazy *lazy, struct lazy_blob *blob, bool wait, struct err *err)
{
    int rc;

    while (blob->state == LAZY_COMING && wait)
        pthread_cond_wait(&lazy->arrived, &lazy->lock);
    if (blob->state != LAZY_AWAY)
        return 0;
    blob->state = LAZY_COMING;
    pthread_mutex_unlock(&lazy->lock);
    rc = from_origins(lazy, blob, err);
    pthread_mutex_lock(&lazy->lock);
    blob->state = rc < 0 ? LAZY_AWAY : LAZY_HERE;
    pthread_cond_broadcast(&lazy->arrived);
    return rc;
}

static bool can(void *arg, const char *digest)
{
    struct lazy *lazy = arg;
    struct lazy_blob *blob;
    bool found;

    pthread_mutex_lock(&lazy->lock);
    blob = find(lazy, digest, NULL);
    found = blob && blob->count;
    pthread_mutex_unlock(&lazy->lock);
    return found;
}

static int fetch(void *arg, const char *digest, struct err *err)
{
    struct lazy *lazy = arg;
    struct lazy_blob *blob;
    int rc;

    pthread_mutex_lock(&lazy->lock);
    blob = find(lazy, digest, NULL);
    rc = come(lazy, blob, true, err);
    pthread_mutex_unlock(&lazy->lock);
    return rc;
}

/* A failure is told to whoever needs the blob, when he does. */
static int prefetch_one(void *arg, struct err *err)
{
    struct lazy_blob *blob = arg;
    struct lazy *lazy = blob->lazy;

    pthread_mutex_lock(&lazy->lock);
    if (!lazy->closing && come(lazy, blob, false, err) < 0)
        log_debug("blob %s does not come ahead of its use: %s", blob->digest, err->text);
    pthread_mutex_unlock(&lazy->lock);
    return 0;
}

static void prefetch(void *arg, const char *digest)
{
    struct lazy *lazy = arg;
    struct lazy_blob *blob;

    pthread_mutex_lock(&lazy->lock);
    blob = find(lazy, digest, NULL);
    if (blob && blob->state == LAZY_AWAY && !blob->job)
        blob->job = pool_start(lazy->pool, prefetch_one, blob);
    pthread_mutex_unlock(&lazy->lock);
}

/* ---- where they are ---- */

static void add(struct lazy *lazy, const struct lazy_source *source, const struct descriptor *d)
{
    struct lazy_blob *blob;

    pthread_mutex_lock(&lazy->lock);
    blob = find_or_add(lazy, d->digest);
    while (blob->state == LAZY_COMING)
        pthread_cond_wait(&lazy->arrived, &lazy->lock);
    VEC_GROW(blob->origins, blob->count, blob->capacity);
    blob->origins[blob->count] = (struct lazy_origin){.source = source};
    descriptor_copy(&blob->origins[blob->count++].blob, d);
    pthread_mutex_unlock(&lazy->lock);
}

static struct lazy_source *add_source(struct lazy *lazy, const struct lazy_source *from)
{
    struct lazy_source *source = xcalloc(1, sizeof(*source));

    *source = *from;
    pthread_mutex_lock(&lazy->lock);
    VEC_GROW(lazy->sources, lazy->sources_count, lazy->sources_capacity);
    lazy->sources[lazy->sources_count++] = source;
    pthread_mutex_unlock(&lazy->lock);
    return source;
}

int lazy_add_remote(struct lazy *lazy, const struct reference *ref, size_t place,
                    const struct descriptor *blobs, size_t count, struct err *err)
{
    struct lazy_source from = {.dir_fd = -1};
    const struct lazy_source *source;
    const struct remote_place *at;

    if (remote_find(lazy->remote, ref, false, &from.places, err) < 0)
        return -1;
    from.first = place < from.places.count ? place : 0;
    source = add_source(lazy, &from);
    at = &source->places.items[source->first];
    for (size_t i = 0; i < count; i++) {
        add(lazy, source, &blobs[i]);
        origins_add(lazy->layout, blobs[i].digest, at->host, at->repository);
    }
    return 0;
}

int lazy_add_dir(struct lazy *lazy, int dir_fd, const struct descriptor *blobs, size_t count,
                 struct err *err)
{
    struct lazy_source from = {.dir_fd = fcntl(dir_fd, F_DUPFD_CLOEXEC, 0)};
    const struct lazy_source *source;

    if (from.dir_fd < 0)
        return err_errno(err, "keep a directory open");
    source = add_source(lazy, &from);
    for (size_t i = 0; i < count; i++)
        add(lazy, source, &blobs[i]);
    return 0;
}

bool lazy_expect(struct lazy *lazy, const char *digest, const char *diff_id)
{
    struct lazy_blob *blob;
    bool same;

    pthread_mutex_lock(&lazy->lock);
    blob = find_or_add(lazy, digest);
    if (!blob->diff_id[0])
        memcpy(blob->diff_id, diff_id, DIGEST_SIZE);
    same = strcmp(blob->diff_id, diff_id) == 0;
    pthread_mutex_unlock(&lazy->lock);
    return same;
}

/* ---- life ---- */

struct lazy *lazy_open(struct layout *layout, struct remote *remote, struct pool *pool)
{
    struct lazy *lazy = xcalloc(1, sizeof(*lazy));

    *lazy = (struct lazy){.layout = layout, .remote = remote, .pool = pool};
    lazy->hook =
        (struct layout_fetch){.arg = lazy, .can = can, .fetch = fetch, .prefetch = prefetch};
    pthread_mutex_init(&lazy->lock, NULL);
    pthread_cond_init(&lazy->arrived, NULL);
    layout->fetch = &lazy->hook;
    return lazy;
}

static void blob_free(struct lazy_blob *blob)
{
    for (size_t i = 0; i < blob->count; i++)
        descriptor_release(&blob->origins[i].blob);
    free(blob->origins);
    free(blob);
}

void lazy_close(struct lazy *lazy)
{
    struct err ignored = {0};

    if (!lazy)
        return;
    pthread_mutex_lock(&lazy->lock);
    lazy->closing = true; /* what has not begun need not */
    pthread_mutex_unlock(&lazy->lock);
    lazy->layout->fetch = NULL;
    for (size_t i = 0; i < lazy->blobs_count; i++) {
        if (lazy->blobs[i]->job)
            job_wait(lazy->blobs[i]->job, &ignored);
        blob_free(lazy->blobs[i]);
    }
    for (size_t i = 0; i < lazy->sources_count; i++) {
        remote_places_release(&lazy->sources[i]->places);
        scope_close(&lazy->sources[i]->dir_fd);
        free(lazy->sources[i]);
    }
    free(lazy->blobs);
    free(lazy->sources);
    pthread_cond_destroy(&lazy->arrived);
    pthread_mutex_destroy(&lazy->lock);
    free(lazy);
}
