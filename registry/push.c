/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/push.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/scope.h"
#include "registry/descriptor.h"
#include "registry/layout.h"
#include "registry/manifest.h"
#include "registry/platform.h"
#include "registry/reference.h"
#include "registry/remote.h"
#include "registry/uploads.h"

struct pushing {
    struct uploads *uploads; /* borrowed, as are: */
    struct remote *remote;
    struct layout *layout;
    const struct reference *target;
    unsigned flags;
    struct manifest
        *manifests; /* children before their index; what the tag is to name is the last */
    size_t manifests_count, manifests_capacity;
    const struct descriptor **blobs; /* each once, largest first; borrowed from manifests */
    size_t blobs_count, blobs_capacity;
};

static void pushing_release(struct pushing *p)
{
    for (size_t i = 0; i < p->manifests_count; i++)
        manifest_release(&p->manifests[i]);
    free(p->manifests);
    free(p->blobs);
}

void push_result_release(struct push_result *result)
{
    for (size_t i = 0; i < result->blobs_count; i++)
        free(result->blobs[i].from);
    free(result->blobs);
    free(result->media_type);
    *result = (struct push_result){0};
}

const char *push_how_name(enum push_how how)
{
    switch (how) {
    case PUSH_EXISTING:
        return "existing";
    case PUSH_MOUNTED:
        return "mounted";
    case PUSH_UPLOADED:
        return "uploaded";
    }
    return "unknown";
}

/* --- what to push --- */

/* All that the manifest needs is here. Foreign layers stay where their `urls` say. */
static bool is_complete(struct pushing *p, const struct descriptor *d, unsigned depth)
{
    SCOPED(manifest_release) struct manifest m = {0};
    struct err ignored = {0};

    if (depth > MANIFEST_DEPTH_MAX || !layout_has(p->layout, d->digest) ||
        layout_load_manifest(p->layout, d, &m, &ignored) < 0)
        return false;
    for (size_t i = 0; i < m.manifests_count; i++)
        if (!is_complete(p, &m.manifests[i], depth + 1))
            return false;
    for (size_t i = 0; i < m.layers_count; i++)
        if (!media_is_foreign(m.layers[i].media_type) &&
            !layout_can_have(p->layout, m.layers[i].digest))
            return false;
    return m.is_index || layout_has(p->layout, m.config.digest);
}

static void add_platform(struct strv *list, const struct descriptor *d)
{
    char text[PLATFORM_TEXT_SIZE];

    strv_add(list, d->has_platform ? platform_format(&d->platform, text) : d->digest);
}

/*
 * An index of which one platform alone is here (as a pull leaves it) goes as that platform's image;
 * what is here of more than one is for the user to name.
 */
static int choose_from_index(struct pushing *p, const struct manifest *index,
                             struct descriptor *out, struct err *err)
{
    SCOPED(strv_release) struct strv here = {0};
    SCOPED(strv_release) struct strv missing = {0};
    const struct descriptor *only = NULL;
    AUTO_FREE char *here_text = NULL, *missing_text = NULL;

    for (size_t i = 0; i < index->manifests_count; i++) {
        const struct descriptor *d = &index->manifests[i];

        if (!is_complete(p, d, 1)) {
            add_platform(&missing, d);
        } else if (!descriptor_is_attestation(d)) {
            add_platform(&here, d);
            only = d;
        }
    }
    if (!missing.count)
        return 0;
    here_text = strv_join(&here, ", ");
    missing_text = strv_join(&missing, ", ");
    if (p->flags & PUSH_ALL)
        return err_set(err, ERR_INPUT, 0,
                       "not in the store: %s; pull every platform first, or leave out --all",
                       missing_text);
    if (here.count == 0)
        return err_set(err, ERR_INPUT, 0,
                       "no platform of it is whole in the store (%s); pull it again", missing_text);
    if (here.count > 1)
        return err_set(err, ERR_INPUT, 0, "in the store are %s, but not %s; choose with --platform",
                       here_text, missing_text);
    log_warn("pushing the %s image alone: the store has no other platform of it", here_text);
    descriptor_release(out);
    descriptor_copy(out, only);
    return 0;
}

/* *out: the manifest or index that goes, a copy. */
static int choose(struct pushing *p, const struct descriptor *image,
                  const struct platform *platform, struct descriptor *out, struct err *err)
{
    SCOPED(manifest_release) struct manifest m = {0};
    SCOPED(image_release) struct image one = {0};

    if (platform) {
        if (layout_load_image(p->layout, image, platform, &one, err) < 0)
            return -1;
        descriptor_copy(out, &one.descriptor);
        return 0;
    }
    if (layout_load_manifest(p->layout, image, &m, err) < 0)
        return -1;
    descriptor_copy(out, image);
    return m.is_index ? choose_from_index(p, &m, out, err) : 0;
}

static int take_manifests(struct pushing *p, const struct descriptor *d, unsigned depth,
                          struct err *err)
{
    SCOPED(manifest_release) struct manifest m = {0};

    if (depth > MANIFEST_DEPTH_MAX)
        return err_set(err, ERR_INPUT, 0, "index %s: indexes inside indexes, more than %d deep",
                       d->digest, MANIFEST_DEPTH_MAX);
    if (layout_load_manifest(p->layout, d, &m, err) < 0)
        return -1;
    for (size_t i = 0; i < m.manifests_count; i++)
        if (take_manifests(p, &m.manifests[i], depth + 1, err) < 0)
            return -1;
    VEC_GROW(p->manifests, p->manifests_count, p->manifests_capacity);
    p->manifests[p->manifests_count++] = m;
    m = (struct manifest){0};
    return 0;
}

/* What can be fetched is not fetched yet: the registry may have it already. */
static int check_blob(const struct pushing *p, const struct descriptor *d, struct err *err)
{
    AUTO_FD int fd = -1;
    uint64_t size;

    if (!layout_can_have(p->layout, d->digest))
        return err_set(err, ERR_INPUT, 0,
                       "blob %s is not in the store; pull or build the image again", d->digest);
    if (!layout_has(p->layout, d->digest))
        return 0;
    fd = layout_open_blob(p->layout, d->digest, &size, err);
    if (fd < 0)
        return -1;
    if (size == d->size)
        return 0;
    return err_set(err, ERR_INPUT, 0,
                   "blob %s has %" PRIu64 " bytes in the store, its manifest says %" PRIu64
                   "; the store is damaged: pull, load or build the image again",
                   d->digest, size, d->size);
}

static int want_blob(struct pushing *p, const struct descriptor *d, struct err *err)
{
    if (media_is_foreign(d->media_type))
        return 0;
    for (size_t i = 0; i < p->blobs_count; i++)
        if (strcmp(p->blobs[i]->digest, d->digest) == 0)
            return 0;
    if (check_blob(p, d, err) < 0)
        return -1;
    VEC_GROW(p->blobs, p->blobs_count, p->blobs_capacity);
    p->blobs[p->blobs_count++] = d;
    return 0;
}

static int by_size_down(const void *a, const void *b)
{
    const struct descriptor *const *x = a, *const *y = b;

    if ((*x)->size != (*y)->size)
        return (*x)->size < (*y)->size ? 1 : -1;
    return strcmp((*x)->digest, (*y)->digest);
}

static int take_blobs(struct pushing *p, struct err *err)
{
    for (size_t i = 0; i < p->manifests_count; i++) {
        const struct manifest *m = &p->manifests[i];

        if (m->is_index)
            continue;
        if (want_blob(p, &m->config, err) < 0)
            return -1;
        for (size_t j = 0; j < m->layers_count; j++)
            if (want_blob(p, &m->layers[j], err) < 0)
                return -1;
    }
    if (p->blobs_count)
        qsort(p->blobs, p->blobs_count, sizeof(const struct descriptor *), by_size_down);
    return 0;
}

/* --- what the registry gets --- */

/* What the tag names now: 1 the same, 0 not. */
static int ask_tag(const struct pushing *p, const char *digest, struct err *err)
{
    const struct reference *to = p->target;

    return uploads_ask(p->uploads, to->digest ? to->digest : to->tag, digest, err);
}

/* 0 stored; 1 refused because a tag that does not move is taken; -1. err is set for 1 too. */
static int put_manifest(struct pushing *p, const struct manifest *m, const char *name,
                        struct err *err)
{
    const struct remote_place *place = uploads_place(p->uploads);
    AUTO_FREE char *path = xasprintf("manifests/%s", name);
    SCOPED(strv_release) struct strv headers = {0};
    SCOPED(http_reply_release) struct http_reply reply = {0};
    struct remote_call call = {.place = place, .path = path, .push = true};
    const char *told;

    strv_addf(&headers, "Content-Type: %s", m->media_type);
    call.http = (struct http_request){.method = "PUT",
                                      .headers = &headers,
                                      .body = buf_str(&m->bytes),
                                      .has_body = true,
                                      .repeatable = true};
    if (remote_send(p->remote, &call, &reply, err) < 0)
        return -1;
    if (reply.status < 200 || reply.status > 204) {
        remote_refused(p->remote, &call, &reply, err);
        return reply.status == 400 || reply.status == 409 || reply.status == 403 ? 1 : -1;
    }
    told = http_header(&reply, "Docker-Content-Digest");
    if (told && digest_valid(told) && strcmp(told, m->digest) != 0)
        return err_set(err, ERR_REMOTE, reply.status,
                       "%s stored the manifest %s as %s: it was changed on the way", place->host,
                       m->digest, told);
    return 0;
}

static int put_manifests(struct pushing *p, struct err *err)
{
    size_t last = p->manifests_count - 1;
    const struct manifest *root = &p->manifests[last];
    struct err ignored = {0};
    int done;

    for (size_t i = 0; i < last; i++)
        if (put_manifest(p, &p->manifests[i], p->manifests[i].digest, err) != 0)
            return -1;
    done = put_manifest(p, root, p->target->digest ? p->target->digest : p->target->tag, err);
    /* somebody pushed the same meanwhile, to a repository whose tags do not move */
    if (done == 1)
        return ask_tag(p, root->digest, &ignored) == 1 ? 0 : -1;
    return done;
}

/* --- the whole --- */

static int prepare(struct pushing *p, const struct descriptor *image,
                   const struct platform *platform, struct push_result *result, struct err *err)
{
    SCOPED(descriptor_release) struct descriptor chosen = {0};
    const struct manifest *root;

    if (choose(p, image, platform, &chosen, err) < 0 || take_manifests(p, &chosen, 0, err) < 0 ||
        take_blobs(p, err) < 0)
        return -1;
    root = &p->manifests[p->manifests_count - 1];
    memcpy(result->digest, root->digest, sizeof(result->digest));
    result->media_type = xstrdup(root->media_type);
    result->size = root->bytes.size;
    if (p->target->digest && strcmp(p->target->digest, root->digest) != 0)
        return err_set(err, ERR_USAGE, 0,
                       "the image is %s; it cannot be pushed under another digest", root->digest);
    return 0;
}

static int push(struct pushing *p, const struct descriptor *image, const struct platform *platform,
                struct push_result *result, struct err *err)
{
    struct err refused = {0}, why = {0};
    int same;

    if (prepare(p, image, platform, result, err) < 0)
        return -1;
    same = ask_tag(p, result->digest, err);
    if (same < 0)
        return -1;
    if (same) {
        result->unchanged = true;
        return 0;
    }
    result->blobs = xcalloc(p->blobs_count + 1, sizeof(*result->blobs));
    result->blobs_count = p->blobs_count;
    if (uploads_finish(p->uploads, p->blobs, p->blobs_count, result->blobs, err) < 0)
        return -1;
    if (put_manifests(p, &refused) == 0)
        return 0;
    if (refused.kind == ERR_REMOTE && (refused.code == 400 || refused.code == 404) &&
        uploads_look_again(p->uploads, p->blobs, p->blobs_count, result->blobs, &why) == 1) {
        log_info("%s; blobs were gone there, and are sent again", refused.text);
        return put_manifests(p, err);
    }
    *err = refused;
    return -1;
}

int push_through(struct uploads *uploads, const struct descriptor *image,
                 const struct platform *platform, const struct reference *target, unsigned flags,
                 struct push_result *result, struct err *err)
{
    SCOPED(pushing_release)
    struct pushing p = {.uploads = uploads,
                        .remote = uploads_remote(uploads),
                        .layout = uploads_layout(uploads),
                        .target = target,
                        .flags = flags};
    AUTO_FREE char *name = NULL;

    if (push(&p, image, platform, result, err) == 0)
        return 0;
    push_result_release(result);
    name = reference_familiar(target);
    return err_wrap(err, "push to %s", name);
}

int push_image(struct remote *remote, struct layout *layout, struct pool *pool,
               const struct descriptor *image, const struct platform *platform,
               const struct reference *target, unsigned flags, struct push_result *result,
               struct err *err)
{
    struct uploads *uploads = uploads_open(remote, layout, pool, target);
    int rc = push_through(uploads, image, platform, target, flags, result, err);

    uploads_close(uploads);
    return rc;
}
