/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/upload_session.h"

#include <inttypes.h>
#include <stdlib.h>
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
#include "registry/places.h"
#include "registry/push.h"
#include "registry/refusal.h"
#include "registry/remote.h"
#include "registry/upload.h"

#define PAUSE_MS 500 /* ours: at most, after the first failure; doubled each time */

/* --- what registries say, in pure functions --- */

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

bool upload_range_parse(const char *range, uint64_t *size)
{
    struct str text = str_of(range), first, last;
    uint64_t begin, end;

    if (str_starts(text, "bytes"))
        text = str_slice(text, strlen("bytes") + 1, text.size);
    if (!str_cut(text, '-', &first, &last) || !str_u64(str_trim(first), &begin) ||
        !str_u64(str_trim(last), &end) || begin != 0 || end == UINT64_MAX)
        return false;
    *size = end ? end + 1 : 0;
    return true;
}

bool upload_instead_parse(const char *text, uint64_t *offset)
{
    static const char words[] = " instead of ";
    const char *at = strstr(text, words);
    size_t digits;

    if (!at)
        return false;
    at += strlen(words);
    digits = strspn(at, "0123456789");
    return str_u64((struct str){at, digits}, offset);
}

/* --- where the session is --- */

/* A stranger's Location leads neither down to http nor behind the firewall. */
static int check_location(const struct upload_session *s, const char *url, int status,
                          struct err *err)
{
    SCOPED(buf_release) struct buf own = {0};
    SCOPED(buf_release) struct buf other = {0};

    if (!url || !http_host(url, &other) || !http_host(s->place->base, &own))
        return err_set(err, ERR_REMOTE, status, "%s began an upload at a Location that is no URL",
                       s->place->host);
    if (str_starts(str_of(s->place->base), "https:") && !str_starts(str_of(url), "https:"))
        return err_set(err, ERR_REMOTE, status, "%s wants the upload sent over plain http, to %s",
                       s->place->host, buf_cstr(&other));
    if (!place_may_send_to(buf_cstr(&own), buf_cstr(&other)))
        return err_set(err, ERR_REMOTE, status,
                       "%s wants the upload sent to the private address %s", s->place->host,
                       buf_cstr(&other));
    return 0;
}

/* Every answer's Location replaces the last. */
static int take_location(struct upload_session *s, const struct http_reply *reply, struct err *err)
{
    const char *location = http_header(reply, "Location");
    AUTO_FREE char *url = location ? http_resolve(reply->url, location) : NULL;

    if (!location)
        return err_set(err, ERR_REMOTE, reply->status, "%s began an upload without a Location",
                       s->place->host);
    if (check_location(s, url, reply->status, err) < 0)
        return -1;
    free(s->location);
    s->location = steal_ptr(&url);
    return 0;
}

int upload_session_take_up(struct upload_session *s, const char *location, uint64_t offset)
{
    struct err why = {0};

    if (offset > s->blob->size || check_location(s, location, 0, &why) < 0)
        return -1;
    upload_session_close(s);
    s->location = xstrdup(location);
    s->offset = offset;
    s->resumed = true;
    return 0;
}

void upload_session_close(struct upload_session *s)
{
    free(s->location);
    s->location = NULL;
    s->offset = 0;
    s->told = s->resumed = false;
}

/* --- begin --- */

/* What a POST without a good answer means when the registry does not know the repository. */
static int explain_begin(const struct upload_session *s, struct remote_call *call, struct err *err)
{
    if (!s->way->no_repository || (err->kind == ERR_REMOTE && err->code != 404))
        return -1;
    if (err->kind == ERR_REMOTE)
        return -1; /* its own words name the repository already */
    log_debug("begin upload: %s", err->text);
    return remote_no_repository(call, err);
}

static void take_chunk_size(struct upload_session *s, const struct http_reply *reply)
{
    const char *text = http_header(reply, "OCI-Chunk-Min-Length");

    s->chunk = 0;
    if (text && !str_u64(str_of(text), &s->chunk))
        s->chunk = 0;
}

int upload_session_begin(struct upload_session *s, const char *from, struct err *err)
{
    SCOPED(buf_release) struct buf path = {0};
    SCOPED(http_reply_release) struct http_reply reply = {0};
    struct remote_call call = {.place = s->place, .push = true, .mount_from = from};

    upload_session_close(s);
    buf_adds(&path, "blobs/uploads/");
    if (from) {
        buf_adds(&path, "?mount=");
        percent_encode(&path, str_of(s->blob->digest), "");
        buf_adds(&path, "&from=");
        percent_encode(&path, str_of(from), "");
    }
    call.path = buf_cstr(&path);
    /* A session begun twice is a session left over; but ECR's cut connection is no accident when it
     * lacks the repository. */
    call.http = (struct http_request){.method = "POST",
                                      .has_body = true,
                                      .repeatable = !s->way->no_repository,
                                      .stop = s->way->stop};
    if (remote_send(s->way->remote, &call, &reply, err) < 0)
        return explain_begin(s, &call, err);
    if (from && reply.status == 201)
        return 1;
    if (reply.status == 202) {
        take_chunk_size(s, &reply);
        return take_location(s, &reply, err);
    }
    if (from && reply.status >= 400 && reply.status < 500 && reply.status != 429) {
        log_debug("mount of %s from %s: %d", s->blob->digest, from, reply.status);
        return 2;
    }
    remote_refused(s->way->remote, &call, &reply, err);
    return explain_begin(s, &call, err);
}

/* --- send --- */

static void acknowledged(struct upload_session *s, uint64_t offset)
{
    s->offset = offset;
    if (offset <= s->most)
        return;
    s->most = offset;
    s->failures = 0;
}

static void show(void *arg, uint64_t sent, uint64_t received)
{
    struct upload_session *s = arg;

    (void)received;
    s->sent = sent;
    progress_advance(s->step, s->offset + sent, s->blob->size);
}

/* A failure is counted. */
static void plan_pause(struct upload_session *s, const struct http_reply *reply)
{
    const char *after = http_header(reply, "Retry-After");
    uint32_t chance = 0;

    if (getrandom(&chance, sizeof(chance), GRND_NONBLOCK) < 0)
        chance = (uint32_t)clock_mono_us();
    s->pause_ms = http_retry_pause(++s->failures, PAUSE_MS, chance);
    if (after && http_retry_after(after, (int64_t)clock_now().tv_sec) <= HTTP_RETRY_AFTER_MAX_MS)
        s->pause_ms = http_retry_after(after, (int64_t)clock_now().tv_sec);
}

/* 416: where it wants us to go on, by header or in words. */
static bool take_wanted_offset(struct upload_session *s, const struct http_reply *reply)
{
    const char *range = http_header(reply, "Range");
    uint64_t wanted;

    if (!upload_instead_parse(buf_cstr(&reply->body), &wanted) &&
        (s->ecr || !range || !upload_range_parse(range, &wanted)))
        return false;
    if (wanted > s->blob->size || wanted == s->offset)
        return false;
    acknowledged(s, wanted);
    s->told = true;
    return true;
}

/* A registry that takes no parts says so in one of these ways, before it has any. */
static bool takes_no_part(const struct upload_session *s, bool last, const struct http_reply *reply)
{
    SCOPED(refusal_release) struct refusal refusal = {0};

    if (last || s->offset)
        return false;
    if (reply->status == 405 || reply->status == 501)
        return true;
    refusal_parse(buf_str(&reply->body), http_header(reply, "Content-Type"), &refusal);
    return refusal_is(&refusal, "UNSUPPORTED");
}

static enum upload_end refused(struct upload_session *s, const struct remote_call *call, bool last,
                               const struct http_reply *reply, struct err *err)
{
    remote_refused(s->way->remote, call, reply, err);
    plan_pause(s, reply);
    if (takes_no_part(s, last, reply))
        return UPLOAD_NO_PART;
    if (reply->status == 416)
        return take_wanted_offset(s, reply) ? UPLOAD_BROKEN : UPLOAD_LOST;
    if (reply->status == 404)
        return UPLOAD_LOST;
    /* bytes that an earlier request or process left there may be others than it thought */
    if (reply->status == 400 && s->resumed)
        return UPLOAD_LOST;
    return http_retry_status(reply->status) ? UPLOAD_BROKEN : UPLOAD_FAILED;
}

static int check_stored(const struct upload_session *s, const struct http_reply *reply,
                        struct err *err)
{
    const char *told = http_header(reply, "Docker-Content-Digest");

    if (told && digest_valid(told) && strcmp(told, s->blob->digest) != 0)
        return err_set(err, ERR_REMOTE, reply->status,
                       "%s stored blob %s as %s: it was damaged on the way", s->place->host,
                       s->blob->digest, told);
    return 0;
}

/* A part was taken. Its Range may stand still (ECR and those that imitate it), so what was
 * acknowledged counts; a registry that has less says 416 to the next. */
static enum upload_end part_taken(struct upload_session *s, uint64_t size,
                                  const struct http_reply *reply, struct err *err)
{
    const char *range = http_header(reply, "Range");
    uint64_t has;

    acknowledged(s, s->offset + size);
    if (range && upload_range_parse(range, &has) && has > s->offset) {
        err_set(err, ERR_REMOTE, reply->status,
                "%s says it has %" PRIu64 " bytes of blob %s, of which %" PRIu64 " were sent",
                s->place->host, has, s->blob->digest, s->offset);
        plan_pause(s, reply);
        return UPLOAD_LOST;
    }
    if (http_header(reply, "Location") && take_location(s, reply, err) < 0)
        return UPLOAD_FAILED;
    return UPLOAD_OK;
}

enum upload_end upload_session_send(struct upload_session *s, uint64_t size, struct err *err)
{
    bool last = s->offset + size == s->blob->size, whole = last && s->offset == 0;
    AUTO_FREE char *url =
        last ? upload_put_url(s->location, s->blob->digest) : xstrdup(s->location);
    SCOPED(strv_release) struct strv headers = {0};
    SCOPED(http_reply_release) struct http_reply reply = {0};
    struct remote_call call = {
        .place = s->place, .url = url, .path = "blobs/uploads/", .push = true};
    AUTO_FD int fd = layout_open_blob(s->way->layout, s->blob->digest, NULL, err);
    int sent;

    if (fd < 0)
        return UPLOAD_FAILED;
    strv_add(&headers, "Content-Type: application/octet-stream");
    if (!whole && size)
        strv_addf(&headers, "Content-Range: %" PRIu64 "-%" PRIu64, s->offset, s->offset + size - 1);
    call.http = (struct http_request){.method = last ? "PUT" : "PATCH",
                                      .headers = &headers,
                                      .has_body_fd = true,
                                      .body_fd = fd,
                                      .body_offset = s->offset,
                                      .body_size = size,
                                      .has_body = true,
                                      .on_progress = show,
                                      .on_progress_arg = s,
                                      .stop = s->way->stop};
    s->sent = 0;
    sent = remote_send(s->way->remote, &call, &reply, err);
    s->record->sent += s->sent;
    if (sent < 0) {
        plan_pause(s, &reply);
        return err->kind == ERR_NETWORK && http_retry_fail((enum http_fail)err->code)
                   ? UPLOAD_BROKEN
                   : UPLOAD_FAILED;
    }
    if (reply.status < 200 || reply.status > 204)
        return refused(s, &call, last, &reply, err);
    if (!last)
        return part_taken(s, size, &reply, err);
    return check_stored(s, &reply, err) < 0 ? UPLOAD_FAILED : UPLOAD_OK;
}

/* --- ask --- */

bool upload_session_ask(struct upload_session *s)
{
    SCOPED(http_reply_release) struct http_reply reply = {0};
    struct remote_call call = {
        .place = s->place, .url = s->location, .path = "blobs/uploads/", .push = true};
    struct err why = {0};
    const char *range;
    uint64_t has;

    if (!s->location)
        return false;
    s->resumed = true;
    if (s->told) { /* by a refusal, which is not to be doubted by the next question */
        s->told = false;
        return true;
    }
    if (s->ecr)
        return s->offset > 0;
    call.http = (struct http_request){.method = "GET", .repeatable = true, .stop = s->way->stop};
    if (remote_send(s->way->remote, &call, &reply, &why) < 0)
        return false;
    range = http_header(&reply, "Range");
    if (reply.status < 200 || reply.status > 204 || !range || !upload_range_parse(range, &has) ||
        has > s->blob->size) {
        log_debug("the upload of %s cannot go on: status %d, Range %s", s->blob->digest,
                  reply.status, range ? range : "none");
        return false;
    }
    acknowledged(s, has);
    return !http_header(&reply, "Location") || take_location(s, &reply, &why) == 0;
}
