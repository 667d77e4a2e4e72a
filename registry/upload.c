/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/upload.h"

#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/progress.h"
#include "base/scope.h"
#include "registry/descriptor.h"
#include "registry/layout.h"
#include "registry/origins.h"
#include "registry/push.h"
#include "registry/remote.h"
#include "registry/upload_journal.h"
#include "registry/upload_session.h"

#define FAILURES_MAX 6 /* ours: in a row, with nothing more acknowledged between them */
#define PART_SIZE                                                                                  \
    (16u << 20) /* ours: of a PATCH; ECR wants 5 MiB and more, and takes no more than 4,200 parts  \
                 */
#define PARTS_MAX 4000

struct upload {
    const struct upload_way *way;
    const struct descriptor *blob;
    struct push_blob *record;
    struct upload_session session;
    struct journal journal;
    bool parts;      /* a line that broke once is not trusted with all again */
    bool whole_only; /* the registry takes no parts */
};

/*
 * 1 it is there, 0 it is not, or nobody says: some registries refuse HEAD (public.ecr.aws with 401,
 * others with 403 or 405). The POST after it tells what is wrong, in words that a HEAD has no body
 * for. -1.
 */
static int exists(struct upload *u, struct err *err)
{
    AUTO_FREE char *path = xasprintf("blobs/%s", u->blob->digest);
    SCOPED(http_reply_release) struct http_reply reply = {0};
    struct remote_call call = {.place = u->way->place, .path = path, .push = true};
    const char *told;

    call.http = (struct http_request){.method = "HEAD", .repeatable = true, .stop = u->way->stop};
    if (remote_send(u->way->remote, &call, &reply, err) < 0)
        return -1;
    told = http_header(&reply, "Docker-Content-Digest");
    if (reply.status != 200 || (told && digest_valid(told) && strcmp(told, u->blob->digest) != 0))
        return 0;
    return 1;
}

static int open_session(struct upload *u, struct err *err)
{
    SCOPED(strv_release) struct strv from = {0};
    int begun;

    if (u->record->attempts == 0)
        origins_find(u->way->layout, u->blob->digest, u->way->place->host,
                     u->way->place->repository, &from);
    /* one source only: a refused mount is an open session already, and asking on would leave it
     * behind */
    begun = from.count ? upload_session_begin(&u->session, from.ptr[0], err) : 2;
    if (begun == 1)
        u->record->from = xstrdup(from.ptr[0]);
    if (begun == 2)
        begun = upload_session_begin(&u->session, NULL, err);
    if (begun == 0) {
        u->record->attempts++;
        journal_note(&u->journal, u->session.location, 0);
    }
    return begun;
}

/* What a killed process, or one whose line broke, had sent already. */
static void take_up(struct upload *u)
{
    struct upload_session *s = &u->session;

    if (!u->journal.location)
        return;
    u->parts = true;
    if (upload_session_take_up(s, u->journal.location, u->journal.offset) == 0 &&
        upload_session_ask(s) && s->offset) {
        u->record->resumed = s->offset;
        log_info("upload of %.19s: going on after %.1f MB that %s has", u->blob->digest,
                 (double)s->offset / 1e6, u->way->place->host);
        return;
    }
    upload_session_close(s);
}

static uint64_t part_size(const struct upload *u)
{
    uint64_t size = PART_SIZE, left = u->blob->size - u->session.offset;

    if (u->session.chunk > size)
        size = u->session.chunk;
    if (u->blob->size / PARTS_MAX > size)
        size = u->blob->size / PARTS_MAX;
    return u->parts && !u->whole_only && left > size ? size : left;
}

/* All that is left, in one request or in parts. */
static enum upload_end send_rest(struct upload *u, struct err *err)
{
    struct upload_session *s = &u->session;

    for (;;) {
        uint64_t size = part_size(u);
        bool last = s->offset + size == u->blob->size;
        enum upload_end end = upload_session_send(s, size, err);

        if (end != UPLOAD_OK || last)
            return end;
        journal_note(&u->journal, s->location, s->offset);
    }
}

/* After a failure: in this session when it is known where it stands, else in a new one. */
static void go_on(struct upload *u, enum upload_end end)
{
    u->parts = true;
    u->whole_only = u->whole_only || end == UPLOAD_NO_PART;
    if (end == UPLOAD_BROKEN && !u->whole_only && upload_session_ask(&u->session) &&
        u->session.offset) {
        journal_note(&u->journal, u->session.location, u->session.offset);
        return;
    }
    upload_session_close(&u->session);
}

static int send_blob(struct upload *u, struct err *err)
{
    take_up(u);
    for (;;) {
        struct err failed = {0};
        enum upload_end end;
        int begun = u->session.location ? 0 : open_session(u, err);

        if (begun < 0)
            return -1;
        u->record->how = begun == 1 ? PUSH_MOUNTED : PUSH_UPLOADED;
        end = begun == 1 ? UPLOAD_OK : send_rest(u, &failed);
        if (end == UPLOAD_OK)
            return 0;
        if (end == UPLOAD_FAILED || u->session.failures >= FAILURES_MAX) {
            *err = failed;
            return end == UPLOAD_FAILED
                       ? -1
                       : err_add(err,
                                 " (the upload of %s failed %u times, nothing more got through)",
                                 u->blob->digest, u->session.failures);
        }
        log_info("upload of %.19s: %s; %s", u->blob->digest, failed.text,
                 end == UPLOAD_BROKEN ? "trying again" : "beginning again");
        if (!clock_sleep_unless(u->session.pause_ms, u->way->stop)) {
            *err = failed;
            return -1;
        }
        /* the answer may have been lost, not the blob */
        if (exists(u, err) > 0)
            return 0;
        go_on(u, end);
    }
}

static int upload(struct upload *u, struct err *err)
{
    const struct remote_place *place = u->way->place;
    int there = exists(u, err), done;

    if (there < 0)
        return -1;
    if (there > 0) {
        u->record->how = PUSH_EXISTING;
        journal_forget(u->way->layout, place->base, place->repository, u->blob->digest);
        return 0;
    }
    journal_open(&u->journal, u->way->layout, place->base, place->repository, u->blob->digest);
    done = send_blob(u, err);
    if (done == 0)
        journal_end(&u->journal);
    else
        journal_close(&u->journal);
    return done;
}

static void finish(const struct upload *u, int done)
{
    if (done < 0 && u->way->stop && atomic_load(u->way->stop))
        progress_finish(u->session.step, PROGRESS_SKIPPED, "called off");
    else if (done < 0 && u->way->early)
        progress_finish(u->session.step, PROGRESS_SKIPPED, "failed; it comes again with the image");
    else if (done < 0)
        progress_finish(u->session.step, PROGRESS_FAILED, NULL);
    else if (u->record->how == PUSH_EXISTING)
        progress_finish(u->session.step, PROGRESS_CACHED, "already there");
    else if (u->record->how == PUSH_MOUNTED)
        progress_finish(u->session.step, PROGRESS_CACHED, "mounted from another repository");
    else
        progress_finish(u->session.step, PROGRESS_DONE, NULL);
}

int upload_blob(const struct upload_way *way, const struct descriptor *blob,
                struct push_blob *record, struct err *err)
{
    struct upload u = {.way = way, .blob = blob, .record = record, .journal = JOURNAL_CLOSED};
    uint64_t begun_ms = clock_mono_ms();
    int done;

    memcpy(record->digest, blob->digest, sizeof(record->digest));
    record->size = blob->size;
    u.session = (struct upload_session){.way = way,
                                        .place = way->place,
                                        .blob = blob,
                                        .record = record,
                                        .ecr = remote_is_ecr(way->place)};
    u.session.step = progress_begin("push %.19s (%.1f MB)", blob->digest, (double)blob->size / 1e6);
    done = upload(&u, err);
    finish(&u, done);
    upload_session_close(&u.session);
    record->time_ms = clock_mono_ms() - begun_ms;
    if (done == 0)
        origins_add(way->layout, blob->digest, way->place->host, way->place->repository);
    return done;
}
