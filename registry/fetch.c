/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/fetch.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/enc.h"
#include "base/json.h"
#include "base/log.h"
#include "base/progress.h"
#include "base/scope.h"
#include "registry/descriptor.h"
#include "registry/layout.h"
#include "registry/manifest.h"
#include "registry/origins.h"
#include "registry/places.h"
#include "registry/remote.h"

struct fetching {
    struct remote *remote;
    const struct layout *layout;
    const struct descriptor *blob;
    int step; /* of progress */
    uint64_t received;
};

static void show(void *arg, uint64_t sent, uint64_t received)
{
    const struct fetching *f = arg;

    (void)sent;
    progress_advance(f->step, received, f->blob->size);
}

/* A layer that cannot fit is refused before its first byte; space may still run out later, which
 * costs the file only. */
static int check_space(const struct fetching *f, struct err *err)
{
    struct statvfs fs;

    if (fstatvfs(f->layout->dir_fd, &fs) < 0 || !fs.f_frsize)
        return 0;
    if (f->blob->size / fs.f_frsize < fs.f_bavail)
        return 0;
    return err_set(err, ERR_SYSTEM, ENOSPC,
                   "no space left in the store %s: blob %s needs %" PRIu64 " MiB, %" PRIu64
                   " MiB are free",
                   f->layout->root, f->blob->digest, (f->blob->size >> 20) + 1,
                   (uint64_t)fs.f_bavail * fs.f_frsize >> 20);
}

static int verify(const struct fetching *f, const struct http_reply *reply, const char *from,
                  struct err *err)
{
    if (reply->size != f->blob->size)
        return err_set(err, ERR_REMOTE, 0,
                       "%s sent %" PRIu64 " bytes for blob %s, its manifest says %" PRIu64, from,
                       reply->size, f->blob->digest, f->blob->size);
    if (strcmp(reply->digest, f->blob->digest) != 0)
        return err_set(err, ERR_REMOTE, 0, "%s sent a wrong blob: asked for %s, its bytes are %s",
                       from, f->blob->digest, reply->digest);
    return 0;
}

static int explain_failure(const struct fetching *f, const char *from, struct err *err)
{
    if (err->kind == ERR_NETWORK && err->code == HTTP_FAIL_TOO_LARGE)
        return err_set(err, ERR_REMOTE, 0,
                       "%s sent more for blob %s than the %" PRIu64 " bytes its manifest says",
                       from, f->blob->digest, f->blob->size);
    if (err->kind == ERR_SYSTEM || (err->kind == ERR_NETWORK && err->code == HTTP_FAIL_LOCAL))
        return err_wrap(err, "store %s cannot take blob %s", f->layout->root, f->blob->digest);
    return -1;
}

static struct http_request body_request(struct fetching *f, int fd)
{
    return (struct http_request){
        .method = "GET",
        .reply_fd = fd,
        .has_reply_fd = true,
        .hash_reply = true,
        .reply_max = f->blob->size ? f->blob->size : 1, /* 0 would mean the default */
        .repeatable = true,
        .resume = true,
        .on_progress = show,
        .on_progress_arg = f,
    };
}

/* 0 in the store; 1 the place has it not; -1. */
static int from_place(struct fetching *f, const struct remote_place *place, struct err *err)
{
    AUTO_FREE char *path = xasprintf("blobs/%s", f->blob->digest);

    AUTO_FD int fd = layout_tmpfile(f->layout, err);
    SCOPED(http_reply_release) struct http_reply reply = {0};
    struct remote_call call = {.place = place, .path = path};

    if (fd < 0)
        return -1;
    call.http = body_request(f, fd);
    if (remote_send(f->remote, &call, &reply, err) < 0)
        return explain_failure(f, place->host, err);
    f->received += reply.size;
    if (reply.status == 200 || reply.status == 206) {
        if (verify(f, &reply, place->host, err) < 0)
            return -1;
        return layout_commit(f->layout, fd, f->blob->digest, err);
    }
    remote_refused(f->remote, &call, &reply, err);
    return reply.status == 404 ? 1 : -1;
}

/* Windows base layers: at the vendor's, without a login. */
static int from_urls(struct fetching *f, const struct remote_place *place, struct err *err)
{
    const json_t *urls = descriptor_urls(f->blob);
    const char *url;
    json_t *value;
    size_t i;

    json_array_foreach(urls, i, value)
    {
        AUTO_FD int fd = layout_tmpfile(f->layout, err);
        SCOPED(http_reply_release) struct http_reply reply = {0};
        SCOPED(buf_release) struct buf host = {0};
        struct http_request request = body_request(f, fd);
        struct err failed = {0};

        if (fd < 0)
            return -1;
        url = json_string_value(value);
        if (!url || !str_starts(str_of(url), "https://") || !http_host(url, &host) ||
            !place_may_send_to(place->host, buf_cstr(&host)))
            continue;
        request.url = url;
        if (http_send(remote_http(f->remote), &request, &reply, &failed) == 0 &&
            reply.status == 200 && verify(f, &reply, buf_cstr(&host), &failed) == 0)
            return layout_commit(f->layout, fd, f->blob->digest, err);
        log_debug("foreign layer at %s: status %d %s", buf_cstr(&host), reply.status, failed.text);
    }
    return -1;
}

/* "data" of the descriptor (image-spec descriptor.md): the blob itself, when it is what it should
 * be. */
static bool embedded(const struct fetching *f)
{
    const char *text = descriptor_data(f->blob);
    SCOPED(buf_release) struct buf bytes = {0};
    char digest[DIGEST_SIZE];
    struct err ignored = {0};

    if (!text || !base64_decode(&bytes, str_of(text)) || bytes.size != f->blob->size)
        return false;
    digest_of(buf_cstr(&bytes), bytes.size, digest);
    return strcmp(digest, f->blob->digest) == 0 &&
           layout_put(f->layout, buf_cstr(&bytes), bytes.size, digest, &ignored) == 0;
}

static int from_places(struct fetching *f, const struct remote_places *places, size_t first,
                       struct err *err)
{
    struct err failed = {0};

    for (size_t n = 0; n <= places->count; n++) {
        /* first, then all others in order */
        size_t i = n == 0 ? first : n - 1;
        const struct remote_place *place = &places->items[i];
        struct err one = {0};
        int got;

        if (n > 0 && i == first)
            continue;
        got = from_place(f, place, &one);
        if (got == 0) {
            origins_add(f->layout, f->blob->digest, place->host, place->repository);
            return 0;
        }
        if (one.kind == ERR_SYSTEM || (one.kind == ERR_NETWORK && one.code == HTTP_FAIL_LOCAL)) {
            *err = one; /* our own disk: no other place would do better */
            return -1;
        }
        if (!failed.kind)
            failed = one;
        if (n < places->count)
            log_debug("blob %s: %s", f->blob->digest, one.text);
    }
    if (media_is_foreign(f->blob->media_type) && from_urls(f, &places->items[first], err) == 0)
        return 0;
    *err = failed;
    return -1;
}

int fetch_blob(struct remote *remote, const struct layout *layout,
               const struct remote_places *places, size_t first, const struct descriptor *blob,
               uint64_t *received, struct err *err)
{
    struct fetching f = {.remote = remote, .layout = layout, .blob = blob};
    int done;

    if (layout_has(layout, blob->digest) || embedded(&f))
        return 0;
    if (check_space(&f, err) < 0)
        return -1;
    f.step = progress_begin("pull %.19s (%.1f MB)", blob->digest, (double)blob->size / 1e6);
    done = from_places(&f, places, first, err);
    progress_finish(f.step, done < 0 ? PROGRESS_FAILED : PROGRESS_DONE, NULL);
    *received += f.received;
    return done;
}
