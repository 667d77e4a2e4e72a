/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/upload.h"

#include <string.h>
#include <sys/random.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/enc.h"
#include "base/http_retry.h"
#include "base/log.h"
#include "base/progress.h"
#include "base/scope.h"
#include "registry/descriptor.h"
#include "registry/layout.h"
#include "registry/origins.h"
#include "registry/places.h"
#include "registry/push.h"
#include "registry/remote.h"

#define SESSIONS_MAX 5        /* ours: uploads begun for one blob */
#define RESTART_PAUSE_MS 1000 /* ours: before the second, doubled each time */

struct upload {
    const struct upload_way *way;
    const struct remote_place *place; /* its own */
    const struct descriptor *blob;
    struct push_blob *record;
    int step;          /* of progress */
    uint64_t sent;     /* by the PUT under way */
    char *location;    /* of the open session */
    uint64_t pause_ms; /* before the next session */
};

char *upload_put_url(const char *location, const char *digest)
{
    struct buf url = {0};
    size_t size = strlen(location);

    buf_adds(&url, location);
    if (!strchr(location, '?'))
        buf_addc(&url, '?');
    else if (location[size - 1] != '?' && location[size - 1] != '&')
        buf_addc(&url, '&');
    buf_adds(&url, "digest=");
    percent_encode(&url, str_of(digest), "");
    return buf_steal(&url);
}

/*
 * 1 it is there, 0 it is not, or nobody says: some registries refuse HEAD (public.ecr.aws with 401,
 * others with 403 or 405). The POST after it tells what is wrong, in words that a HEAD has no body
 * for. -1.
 */
static int exists(struct upload *u, struct err *err)
{
    AUTO_FREE char *path = xasprintf("blobs/%s", u->blob->digest);
    SCOPED(http_reply_release) struct http_reply reply = {0};
    struct remote_call call = {.place = u->place, .path = path, .push = true};
    const char *told;

    call.http = (struct http_request){.method = "HEAD", .repeatable = true, .stop = u->way->stop};
    if (remote_send(u->way->remote, &call, &reply, err) < 0)
        return -1;
    told = http_header(&reply, "Docker-Content-Digest");
    if (reply.status != 200 || (told && digest_valid(told) && strcmp(told, u->blob->digest) != 0))
        return 0;
    return 1;
}

/* Keeps where the session is; a stranger's Location leads neither down to http nor behind the
 * firewall. */
static int take_location(struct upload *u, const struct http_reply *reply, struct err *err)
{
    const char *location = http_header(reply, "Location");
    SCOPED(buf_release) struct buf own = {0};
    SCOPED(buf_release) struct buf other = {0};
    AUTO_FREE char *url = NULL;

    if (!location)
        return err_set(err, ERR_REMOTE, reply->status, "%s began an upload without a Location",
                       u->place->host);
    url = http_resolve(reply->url, location);
    if (!url || !http_host(url, &other) || !http_host(u->place->base, &own))
        return err_set(err, ERR_REMOTE, reply->status,
                       "%s began an upload at a Location that is no URL", u->place->host);
    if (str_starts(str_of(u->place->base), "https:") && !str_starts(str_of(url), "https:"))
        return err_set(err, ERR_REMOTE, reply->status,
                       "%s wants the upload sent over plain http, to %s", u->place->host,
                       buf_cstr(&other));
    if (!place_may_send_to(buf_cstr(&own), buf_cstr(&other)))
        return err_set(err, ERR_REMOTE, reply->status,
                       "%s wants the upload sent to the private address %s", u->place->host,
                       buf_cstr(&other));
    free(u->location);
    u->location = steal_ptr(&url);
    return 0;
}

/* What a POST without a good answer means when the registry does not know the repository. */
static int explain_begin(const struct upload *u, struct remote_call *call, struct err *err)
{
    if (!u->way->no_repository || (err->kind == ERR_REMOTE && err->code != 404))
        return -1;
    if (err->kind == ERR_REMOTE)
        return -1; /* its own words name the repository already */
    log_debug("begin upload: %s", err->text);
    return remote_no_repository(call, err);
}

/* 1 mounted, 0 a session is open, 2 the mount was refused: ask without, -1. */
static int begin(struct upload *u, const char *from, struct err *err)
{
    SCOPED(buf_release) struct buf path = {0};
    SCOPED(http_reply_release) struct http_reply reply = {0};
    struct remote_call call = {.place = u->place, .push = true, .mount_from = from};

    buf_adds(&path, "blobs/uploads/");
    if (from) {
        buf_adds(&path, "?mount=");
        percent_encode(&path, str_of(u->blob->digest), "");
        buf_adds(&path, "&from=");
        percent_encode(&path, str_of(from), "");
    }
    call.path = buf_cstr(&path);
    /* A session begun twice is a session left over; but ECR's cut connection is no accident when it
     * lacks the repository. */
    call.http = (struct http_request){.method = "POST",
                                      .has_body = true,
                                      .repeatable = !u->way->no_repository,
                                      .stop = u->way->stop};
    if (remote_send(u->way->remote, &call, &reply, err) < 0)
        return explain_begin(u, &call, err);
    if (from && reply.status == 201)
        return 1;
    if (reply.status == 202)
        return take_location(u, &reply, err);
    if (from && reply.status >= 400 && reply.status < 500 && reply.status != 429) {
        log_debug("mount of %s from %s: %d", u->blob->digest, from, reply.status);
        return 2;
    }
    remote_refused(u->way->remote, &call, &reply, err);
    return explain_begin(u, &call, err);
}

static void show(void *arg, uint64_t sent, uint64_t received)
{
    struct upload *u = arg;

    (void)received;
    u->sent = sent;
    progress_advance(u->step, sent, u->blob->size);
}

/* Refusals that another session may do without: lost sessions, pauses asked for, faults of the
 * server. */
static bool may_restart(int status)
{
    return status == 404 || status == 416 || http_retry_status(status);
}

static void plan_pause(struct upload *u, const struct http_reply *reply)
{
    const char *after = http_header(reply, "Retry-After");
    uint32_t chance = 0;

    if (getrandom(&chance, sizeof(chance), GRND_NONBLOCK) < 0)
        chance = (uint32_t)clock_mono_us();
    u->pause_ms = http_retry_pause(u->record->attempts, RESTART_PAUSE_MS, chance);
    if (after && http_retry_after(after, (int64_t)clock_now().tv_sec) <= HTTP_RETRY_AFTER_MAX_MS)
        u->pause_ms = http_retry_after(after, (int64_t)clock_now().tv_sec);
}

/* 0 done, 1 worth another session, -1. err is set for 1 too. */
static int put(struct upload *u, struct err *err)
{
    AUTO_FREE char *url = upload_put_url(u->location, u->blob->digest);
    SCOPED(strv_release) struct strv headers = {0};
    SCOPED(http_reply_release) struct http_reply reply = {0};
    struct remote_call call = {
        .place = u->place, .url = url, .path = "blobs/uploads/", .push = true};
    AUTO_FD int fd = layout_open_blob(u->way->layout, u->blob->digest, NULL, err);
    const char *told;

    if (fd < 0)
        return -1;
    strv_add(&headers, "Content-Type: application/octet-stream");
    call.http = (struct http_request){.method = "PUT",
                                      .headers = &headers,
                                      .has_body_fd = true,
                                      .body_fd = fd,
                                      .body_size = u->blob->size,
                                      .has_body = true,
                                      .on_progress = show,
                                      .on_progress_arg = u,
                                      .stop = u->way->stop};
    u->sent = 0;
    if (remote_send(u->way->remote, &call, &reply, err) < 0) {
        u->record->sent += u->sent;
        plan_pause(u, &reply);
        return err->kind == ERR_NETWORK && http_retry_fail((enum http_fail)err->code) ? 1 : -1;
    }
    u->record->sent += u->sent;
    if (reply.status < 200 || reply.status > 204) {
        remote_refused(u->way->remote, &call, &reply, err);
        plan_pause(u, &reply);
        return may_restart(reply.status) ? 1 : -1;
    }
    told = http_header(&reply, "Docker-Content-Digest");
    if (told && digest_valid(told) && strcmp(told, u->blob->digest) != 0)
        return err_set(err, ERR_REMOTE, reply.status,
                       "%s stored blob %s as %s: it was damaged on the way", u->place->host,
                       u->blob->digest, told);
    return 0;
}

static int open_session(struct upload *u, struct err *err)
{
    SCOPED(strv_release) struct strv from = {0};
    int begun;

    if (u->record->attempts == 0)
        origins_find(u->way->layout, u->blob->digest, u->place->host, u->place->repository, &from);
    /* one source only: a refused mount is an open session already, and asking on would leave it
     * behind */
    begun = from.count ? begin(u, from.ptr[0], err) : 2;
    if (begun == 1)
        u->record->from = xstrdup(from.ptr[0]);
    return begun == 2 ? begin(u, NULL, err) : begun;
}

static int send_blob(struct upload *u, struct err *err)
{
    for (;;) {
        struct err failed = {0};
        int done = open_session(u, err);

        if (done < 0)
            return -1;
        if (done == 1) {
            u->record->how = PUSH_MOUNTED;
            return 0;
        }
        u->record->attempts++;
        u->record->how = PUSH_UPLOADED;
        done = put(u, &failed);
        if (done == 0)
            return 0;
        if (done < 0 || u->record->attempts >= SESSIONS_MAX) {
            *err = failed;
            return done < 0 ? -1
                            : err_add(err, " (upload of %s begun %u times)", u->blob->digest,
                                      u->record->attempts);
        }
        log_info("upload of %.19s: %s; beginning again", u->blob->digest, failed.text);
        if (!clock_sleep_unless(u->pause_ms, u->way->stop)) {
            *err = failed;
            return -1;
        }
        /* the answer may have been lost, not the blob */
        if (exists(u, err) > 0)
            return 0;
    }
}

static int upload(struct upload *u, struct err *err)
{
    int there = exists(u, err);

    if (there < 0)
        return -1;
    if (there > 0) {
        u->record->how = PUSH_EXISTING;
        return 0;
    }
    return send_blob(u, err);
}

static void finish(const struct upload *u, int done)
{
    if (done < 0 && u->way->stop && atomic_load(u->way->stop))
        progress_finish(u->step, PROGRESS_SKIPPED, "called off");
    else if (done < 0 && u->way->early)
        progress_finish(u->step, PROGRESS_SKIPPED, "failed; it comes again with the image");
    else if (done < 0)
        progress_finish(u->step, PROGRESS_FAILED, NULL);
    else if (u->record->how == PUSH_EXISTING)
        progress_finish(u->step, PROGRESS_CACHED, "already there");
    else if (u->record->how == PUSH_MOUNTED)
        progress_finish(u->step, PROGRESS_CACHED, "mounted from another repository");
    else
        progress_finish(u->step, PROGRESS_DONE, NULL);
}

int upload_blob(const struct upload_way *way, const struct descriptor *blob,
                struct push_blob *record, struct err *err)
{
    struct upload u = {.way = way, .place = way->place, .blob = blob, .record = record};
    uint64_t begun_ms = clock_mono_ms();
    int done;

    memcpy(record->digest, blob->digest, sizeof(record->digest));
    record->size = blob->size;
    u.step = progress_begin("push %.19s (%.1f MB)", blob->digest, (double)blob->size / 1e6);
    done = upload(&u, err);
    finish(&u, done);
    free(u.location);
    record->time_ms = clock_mono_ms() - begun_ms;
    if (done == 0)
        origins_add(way->layout, blob->digest, way->place->host, way->place->repository);
    return done;
}
