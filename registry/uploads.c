/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/uploads.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/pool.h"
#include "base/scope.h"
#include "registry/descriptor.h"
#include "registry/layout.h"
#include "registry/manifest.h"
#include "registry/push.h"
#include "registry/reference.h"
#include "registry/remote.h"
#include "registry/upload.h"

/* One blob. Its record belongs to its job while that runs. */
struct uploading {
    struct uploads *uploads;
    struct descriptor blob;
    struct push_blob record;
    struct job *job; /* NULL: waited for */
    bool wanted;     /* by an image that is being pushed: its failure counts */
    bool failed;     /* it ended so while it was not wanted, or is gone: it is to go again */
};

struct uploads {
    struct remote *remote;
    struct layout *layout;
    struct pool *pool;
    struct reference target;
    pthread_mutex_t asking; /* held while the first blob asks; then of nothing */
    struct remote_places places;
    bool no_repository; /* the registry said so */
    bool asked;
    struct err refused;     /* why blobs do not go before the image, when that is so */
    bool early;             /* blobs began before their image */
    pthread_mutex_t lock;   /* of the list, and of wanted and failed in it */
    struct uploading **all; /* each on its own: jobs keep pointers to them */
    size_t count, capacity;
    atomic_bool stop;   /* all of it ends */
    atomic_bool failed; /* the first failure that counts stops what has not begun */
};

struct uploads *uploads_open(struct remote *remote, struct layout *layout, struct pool *pool,
                             const struct reference *target)
{
    struct uploads *u = xcalloc(1, sizeof(*u));

    u->remote = remote;
    u->layout = layout;
    u->pool = pool;
    reference_copy(&u->target, target);
    pthread_mutex_init(&u->asking, NULL);
    pthread_mutex_init(&u->lock, NULL);
    return u;
}

static void record_release(struct push_blob *record)
{
    free(record->from);
    *record = (struct push_blob){0};
}

void uploads_close(struct uploads *u)
{
    struct err ignored = {0};

    if (!u)
        return;
    atomic_store(&u->stop, true);
    for (size_t i = 0; i < u->count; i++) {
        if (u->all[i]->job)
            job_wait(u->all[i]->job, &ignored);
        descriptor_release(&u->all[i]->blob);
        record_release(&u->all[i]->record);
        free(u->all[i]);
    }
    free(u->all);
    remote_places_release(&u->places);
    reference_release(&u->target);
    pthread_mutex_destroy(&u->asking);
    pthread_mutex_destroy(&u->lock);
    free(u);
}

bool uploads_lead_to(const struct uploads *u, const struct reference *ref)
{
    return strcmp(u->target.host, ref->host) == 0 && strcmp(u->target.path, ref->path) == 0;
}

const struct remote_place *uploads_place(const struct uploads *u)
{
    return &u->places.items[0];
}

struct remote *uploads_remote(const struct uploads *u)
{
    return u->remote;
}

struct layout *uploads_layout(const struct uploads *u)
{
    return u->layout;
}

/* --- what the registry has --- */

static int ask(struct uploads *u, const char *name, const char *digest, struct err *err)
{
    SCOPED(remote_manifest_release) struct remote_manifest now = {0};
    struct err failed = {0};
    bool no_repository = false;
    int found;

    if (!u->places.count && remote_find(u->remote, &u->target, true, &u->places, err) < 0)
        return -1;
    found = remote_get_manifest(u->remote, uploads_place(u), true, name, NULL, &u->stop, &now,
                                &no_repository, &failed);
    u->no_repository = no_repository;
    if (found > 0)
        return strcmp(now.digest, digest) == 0;
    if (found == 0)
        return 0;
    /* who may push need not be allowed to pull; the rest would fail in the same way */
    if (failed.kind != ERR_REMOTE || failed.code == 401 || failed.code == 429 ||
        failed.code >= 500) {
        *err = failed;
        return -1;
    }
    log_debug("what %s names now: %s", uploads_place(u)->repository, failed.text);
    return 0;
}

int uploads_ask(struct uploads *u, const char *name, const char *digest, struct err *err)
{
    int same;

    pthread_mutex_lock(&u->asking);
    same = ask(u, name, digest, err);
    u->asked = true;
    if (same >= 0)
        u->refused = (struct err){0};
    pthread_mutex_unlock(&u->asking);
    return same;
}

/* Once, before the first blob goes; what failed then keeps all back until the image is pushed. */
static int ask_once(struct uploads *u, bool *no_repository, struct err *err)
{
    const char *tag = u->target.tag ? u->target.tag : "latest";
    int rc = 0;

    pthread_mutex_lock(&u->asking);
    if (!u->asked && ask(u, tag, "", &u->refused) < 0)
        log_debug("%s gets nothing before the image is complete: %s", u->target.host,
                  u->refused.text);
    u->asked = true;
    if (u->refused.kind) {
        *err = u->refused;
        rc = -1;
    }
    *no_repository = u->no_repository;
    pthread_mutex_unlock(&u->asking);
    return rc;
}

/* --- one blob --- */

static int send_one(struct uploading *one, bool early, struct err *err)
{
    struct uploads *u = one->uploads;
    struct upload_way way = {
        .remote = u->remote, .layout = u->layout, .early = early, .stop = &u->stop};
    struct err ignored = {0};

    if (ask_once(u, &way.no_repository, err) < 0)
        return -1;
    way.place = uploads_place(u);
    record_release(&one->record);
    if (upload_blob(&way, &one->blob, &one->record, err) == 0)
        return 0;
    /* A registry that refuses the bytes may be right: ours are looked at before it is blamed. */
    if (!early && err->kind == ERR_REMOTE && err->code == 400 &&
        layout_drop_damaged(u->layout, one->blob.digest, &ignored) == 1)
        return err_set(
            err, ERR_INPUT, 0,
            "blob %s was damaged in the store, and is removed; pull, load or build the image again",
            one->blob.digest);
    return -1;
}

static bool is_wanted(struct uploading *one)
{
    bool wanted;

    pthread_mutex_lock(&one->uploads->lock);
    wanted = one->wanted;
    pthread_mutex_unlock(&one->uploads->lock);
    return wanted;
}

/* False when the image came to want it meanwhile: then it is for this job to try again. */
static bool give_up(struct uploading *one)
{
    bool wanted;

    pthread_mutex_lock(&one->uploads->lock);
    wanted = one->wanted;
    one->failed = !wanted;
    pthread_mutex_unlock(&one->uploads->lock);
    return !wanted;
}

static int carry(void *arg, struct err *err)
{
    struct uploading *one = arg;
    struct uploads *u = one->uploads;

    for (;;) {
        bool early = !is_wanted(one);
        struct err why = {0};

        if (atomic_load(&u->stop) || (!early && atomic_load(&u->failed)))
            return 0;
        if (send_one(one, early, &why) == 0)
            return 0;
        if (!early) {
            atomic_store(&u->failed, true);
            *err = why;
            return -1;
        }
        log_debug("blob %s did not go before its image: %s", one->blob.digest, why.text);
        if (give_up(one))
            return 0;
    }
}

/* With the lock; NULL: none yet. */
static struct uploading *find(const struct uploads *u, const char *digest)
{
    for (size_t i = 0; i < u->count; i++)
        if (strcmp(u->all[i]->blob.digest, digest) == 0)
            return u->all[i];
    return NULL;
}

/* With the lock. */
static struct uploading *find_or_begin(struct uploads *u, const struct descriptor *blob,
                                       bool wanted)
{
    struct uploading *one = find(u, blob->digest);

    if (one)
        return one;
    one = xcalloc(1, sizeof(*one));
    one->uploads = u;
    one->wanted = wanted;
    descriptor_copy(&one->blob, blob);
    VEC_GROW(u->all, u->count, u->capacity);
    u->all[u->count++] = one;
    one->job = pool_start(u->pool, carry, one);
    return one;
}

void uploads_begin(struct uploads *u, const struct descriptor *blob)
{
    if (media_is_foreign(blob->media_type))
        return;
    pthread_mutex_lock(&u->lock);
    u->early = true;
    find_or_begin(u, blob, false);
    pthread_mutex_unlock(&u->lock);
}

/* Whoever failed before begins anew; who runs knows now that its failure counts. */
static struct uploading *want(struct uploads *u, const struct descriptor *blob)
{
    struct uploading *one;
    struct err ignored = {0};
    bool again;

    pthread_mutex_lock(&u->lock);
    one = find_or_begin(u, blob, true);
    one->wanted = true;
    again = one->failed;
    one->failed = false;
    pthread_mutex_unlock(&u->lock);
    if (!again)
        return one;
    if (one->job)
        job_wait(one->job, &ignored);
    one->job = pool_start(u->pool, carry, one);
    return one;
}

static int wait_for(struct uploading *one, struct err *err)
{
    int rc = one->job ? job_wait(one->job, err) : 0;

    one->job = NULL;
    return rc;
}

int uploads_finish(struct uploads *u, const struct descriptor *const *blobs, size_t count,
                   struct push_blob *records, struct err *err)
{
    AUTO_FREE struct uploading **list = xcalloc(count + 1, sizeof(*list));
    struct err first = {0};

    for (size_t i = 0; i < count; i++)
        list[i] = want(u, blobs[i]);
    for (size_t i = 0; i < count; i++) {
        struct err one = {0};

        if (wait_for(list[i], &one) < 0 && !first.kind)
            first = one;
        record_release(&records[i]);
        records[i] = list[i]->record;
        records[i].from = records[i].from ? xstrdup(records[i].from) : NULL;
    }
    if (first.kind) {
        *err = first;
        return -1;
    }
    return 0;
}

int uploads_look_again(struct uploads *u, const struct descriptor *const *blobs, size_t count,
                       struct push_blob *records, struct err *err)
{
    size_t gone = 0;

    pthread_mutex_lock(&u->lock);
    for (size_t i = 0; u->early && i < u->count; i++)
        u->all[i]->failed = true;
    pthread_mutex_unlock(&u->lock);
    if (!u->early)
        return 0;
    if (uploads_finish(u, blobs, count, records, err) < 0)
        return -1;
    for (size_t i = 0; i < count; i++)
        gone += records[i].how != PUSH_EXISTING;
    return gone > 0;
}
