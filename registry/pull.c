/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/pull.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/pool.h"
#include "base/scope.h"
#include "registry/config.h"
#include "registry/descriptor.h"
#include "registry/fetch.h"
#include "registry/layout.h"
#include "registry/manifest.h"
#include "registry/platform.h"
#include "registry/reference.h"
#include "registry/remote.h"

struct pulling {
    struct remote *remote;
    struct layout *layout;
    struct pool *pool;
    const struct reference *ref;
    const struct platform *want; /* NULL: whatever a single manifest is for */
    struct platform platform;
    unsigned flags;
    struct remote_places places;
    size_t first;             /* the place that gave the manifest */
    struct descriptor *blobs; /* to be had, each once */
    size_t blobs_count, blobs_capacity;
    struct manifest *manifests; /* children before their index */
    size_t manifests_count, manifests_capacity;
    atomic_bool failed; /* the first failure stops what has not begun */
};

static void pulling_release(struct pulling *p)
{
    for (size_t i = 0; i < p->blobs_count; i++)
        descriptor_release(&p->blobs[i]);
    for (size_t i = 0; i < p->manifests_count; i++)
        manifest_release(&p->manifests[i]);
    free(p->blobs);
    free(p->manifests);
    remote_places_release(&p->places);
}

static void want_blob(struct pulling *p, const struct descriptor *blob)
{
    for (size_t i = 0; i < p->blobs_count; i++)
        if (strcmp(p->blobs[i].digest, blob->digest) == 0)
            return;
    VEC_GROW(p->blobs, p->blobs_count, p->blobs_capacity);
    p->blobs[p->blobs_count] = (struct descriptor){0};
    descriptor_copy(&p->blobs[p->blobs_count++], blob);
}

/* --- manifests --- */

static int take_manifest(struct pulling *p, struct manifest *m, unsigned depth, struct err *err);

/* One entry of an index: from the store, else from the registry, by digest and no longer than it
 * says. */
static int take_child(struct pulling *p, const struct descriptor *d, unsigned depth,
                      struct err *err)
{
    SCOPED(manifest_release) struct manifest m = {0};
    SCOPED(remote_manifest_release) struct remote_manifest got = {0};

    if (d->size > MANIFEST_MAX)
        return err_set(err, ERR_INPUT, 0, "manifest %s is too large: %" PRIu64 " bytes", d->digest,
                       d->size);
    if (layout_has(p->layout, d->digest)) {
        if (layout_read_blob(p->layout, d->digest, MANIFEST_MAX, &got.bytes, err) < 0)
            return -1;
    } else if (remote_fetch_manifest(p->remote, &p->places, NULL, d->digest, &got, err) <= 0) {
        return -1;
    }
    if (got.bytes.size != d->size)
        return err_set(err, ERR_INPUT, 0, "manifest %s has %zu bytes, its index says %" PRIu64,
                       d->digest, got.bytes.size, d->size);
    if (manifest_parse(buf_str(&got.bytes), d->media_type, &m, err) < 0)
        return err_wrap(err, "manifest %s", d->digest);
    return take_manifest(p, &m, depth + 1, err);
}

static int take_index(struct pulling *p, const struct manifest *m, unsigned depth, struct err *err)
{
    const struct descriptor *chosen;

    if (depth >= MANIFEST_DEPTH_MAX)
        return err_set(err, ERR_INPUT, 0, "index %s: indexes inside indexes, more than %d deep",
                       m->digest, MANIFEST_DEPTH_MAX);
    if (p->flags & PULL_ALL) {
        for (size_t i = 0; i < m->manifests_count; i++)
            if (take_child(p, &m->manifests[i], depth, err) < 0)
                return -1;
        return 0;
    }
    chosen = manifest_select(m, &p->platform, err);
    if (!chosen)
        return -1;
    return take_child(p, chosen, depth, err);
}

/* Keeps the manifest (m is empty after), notes its blobs. */
static int take_manifest(struct pulling *p, struct manifest *m, unsigned depth, struct err *err)
{
    if (m->is_index && take_index(p, m, depth, err) < 0)
        return -1;
    if (!m->is_index) {
        want_blob(p, &m->config);
        for (size_t i = 0; i < m->layers_count && !(p->flags & PULL_CONFIG); i++)
            want_blob(p, &m->layers[i]);
    }
    VEC_GROW(p->manifests, p->manifests_count, p->manifests_capacity);
    p->manifests[p->manifests_count++] = *m;
    *m = (struct manifest){0};
    return 0;
}

static int take_root(struct pulling *p, struct err *err)
{
    SCOPED(manifest_release) struct manifest m = {0};
    SCOPED(remote_manifest_release) struct remote_manifest got = {0};

    if (remote_fetch_manifest(p->remote, &p->places, p->ref->tag, p->ref->digest, &got, err) <= 0)
        return -1;
    p->first = got.place;
    if (manifest_parse(buf_str(&got.bytes), got.media_type, &m, err) < 0)
        return -1;
    return take_manifest(p, &m, 0, err);
}

/* --- blobs --- */

struct fetch_job {
    struct pulling *p;
    const struct descriptor *blob;
    uint64_t received;
    bool present;
};

static int fetch_one(void *arg, struct err *err)
{
    struct fetch_job *job = arg;
    struct pulling *p = job->p;

    if (atomic_load(&p->failed))
        return 0;
    if (fetch_blob(p->remote, p->layout, &p->places, p->first, job->blob, &job->received, err) <
        0) {
        atomic_store(&p->failed, true);
        return -1;
    }
    return 0;
}

static int by_size_down(const void *a, const void *b)
{
    const struct descriptor *x = a, *y = b;

    if (x->size != y->size)
        return x->size < y->size ? 1 : -1;
    return strcmp(x->digest, y->digest);
}

/* 1 the store has it, 0 not; -1 it has other bytes than the manifest tells. */
static int is_present(const struct pulling *p, const struct descriptor *blob, struct err *err)
{
    AUTO_FD int fd = -1;
    uint64_t size;
    int damaged;

    if (!layout_has(p->layout, blob->digest))
        return 0;
    fd = layout_open_blob(p->layout, blob->digest, &size, err);
    if (fd < 0)
        return -1;
    if (size == blob->size)
        return 1;
    damaged = layout_drop_damaged(p->layout, blob->digest, err);
    if (damaged == 0)
        return err_set(err, ERR_INPUT, 0,
                       "blob %s has %" PRIu64 " bytes in the store, its manifest says %" PRIu64,
                       blob->digest, size, blob->size);
    return damaged < 0 ? -1 : 0;
}

static int fetch_all(struct pulling *p, struct pull_result *result, struct err *err)
{
    AUTO_FREE struct fetch_job *jobs = xcalloc(p->blobs_count + 1, sizeof(*jobs));
    AUTO_FREE struct job **handles = xcalloc(p->blobs_count + 1, sizeof(*handles));
    struct err first = {0};

    /* the longest first: it decides when all is done */
    if (p->blobs_count)
        qsort(p->blobs, p->blobs_count, sizeof(*p->blobs), by_size_down);
    for (size_t i = 0; i < p->blobs_count; i++) {
        int present = is_present(p, &p->blobs[i], err);

        if (present < 0)
            return -1;
        jobs[i] = (struct fetch_job){.p = p, .blob = &p->blobs[i], .present = present > 0};
    }
    for (size_t i = 0; i < p->blobs_count; i++)
        if (!jobs[i].present)
            handles[i] = pool_start(p->pool, fetch_one, &jobs[i]);
    for (size_t i = 0; i < p->blobs_count; i++) {
        struct err one = {0};

        if (handles[i] && job_wait(handles[i], &one) < 0 && !first.kind)
            first = one;
        result->fetched_size += jobs[i].received;
        if (jobs[i].present)
            result->present++;
        else
            result->fetched++;
    }
    if (first.kind) {
        *err = first;
        return -1;
    }
    return 0;
}

/* --- the whole --- */

/* One manifest and no index: nothing was chosen, so say when it is for another machine than asked.
 */
static void check_platform(const struct pulling *p)
{
    const struct manifest *m = &p->manifests[0];
    SCOPED(buf_release) struct buf bytes = {0};
    char want[PLATFORM_TEXT_SIZE], have[PLATFORM_TEXT_SIZE];
    struct platform is;
    struct err ignored = {0};

    if (p->manifests_count != 1 || !p->want || !media_is_config(m->config.media_type) ||
        layout_read_blob(p->layout, m->config.digest, MANIFEST_CONFIG_MAX, &bytes, &ignored) < 0)
        return;
    json_auto_t *config = config_parse(buf_str(&bytes), &ignored);
    if (config && config_platform(config, &is, &ignored) == 0 && platform_match(p->want, &is) < 0)
        log_warn("%s is an image for %s only, not for %s", p->ref->path, platform_format(&is, have),
                 platform_format(p->want, want));
}

static int store_manifests(struct pulling *p, struct err *err)
{
    char digest[DIGEST_SIZE];

    for (size_t i = 0; i < p->manifests_count; i++) {
        const struct manifest *m = &p->manifests[i];

        if (!layout_has(p->layout, m->digest) &&
            layout_put(p->layout, buf_cstr(&m->bytes), m->bytes.size, digest, err) < 0)
            return -1;
    }
    return 0;
}

static int pull(struct pulling *p, struct descriptor *out, struct pull_result *result,
                struct err *err)
{
    SCOPED(descriptor_release) struct descriptor root = {0};
    const struct manifest *m;

    if (remote_find(p->remote, p->ref, false, &p->places, err) < 0 || take_root(p, err) < 0 ||
        fetch_all(p, result, err) < 0)
        return -1;
    result->place = p->first;
    if (!(p->flags & PULL_CONFIG))
        check_platform(p); /* else the caller asks for what it is, and says so */
    if (store_manifests(p, err) < 0)
        return -1;
    m = &p->manifests[p->manifests_count - 1];
    descriptor_set(&root, m->media_type, m->digest, m->bytes.size);
    if (!(p->flags & PULL_CONFIG) && layout_tag(p->layout, p->ref, &root, err) < 0)
        return -1;
    *out = root;
    root = (struct descriptor){0};
    return 0;
}

int pull_image_with(struct remote *remote, struct layout *layout, struct pool *pool,
                    const struct reference *ref, const struct platform *platform, unsigned flags,
                    struct descriptor *out, struct pull_result *result, struct err *err)
{
    SCOPED(pulling_release)
    struct pulling p = {
        .remote = remote,
        .layout = layout,
        .pool = pool,
        .ref = ref,
        .want = platform,
        .platform = platform ? *platform : platform_host(),
        .flags = flags,
    };
    struct pull_result ignored = {0};
    AUTO_FREE char *name = NULL;

    if (pull(&p, out, result ? result : &ignored, err) == 0)
        return 0;
    name = reference_familiar(ref);
    return err_wrap(err, "pull %s", name);
}

int pull_image(struct remote *remote, struct layout *layout, struct pool *pool,
               const struct reference *ref, const struct platform *platform, struct descriptor *out,
               struct err *err)
{
    return pull_image_with(remote, layout, pool, ref, platform, 0, out, NULL, err);
}
