/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/download.h"

#include <errno.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/enc.h"
#include "base/fs.h"
#include "base/http.h"
#include "base/http_url.h"
#include "base/json.h"
#include "base/log.h"
#include "base/path.h"
#include "base/progress.h"
#include "base/scope.h"
#include "builder/secret_source.h"
#include "registry/layout.h"

#define RECORD_MAX (64 << 10)

/* One file on its way. */
struct fetch {
    const struct layout *layout;
    struct http *http;
    const struct secret_source *secrets;
    const char *url, *checksum;
    char record[SHA256_HEX_SIZE + 8]; /* "urls/<hex>" */
    struct buf shown;                 /* the URL, for people */
    bool known;                       /* the store has what the URL gave last: */
    struct download last;
    char *etag, *last_modified;
    int step; /* in base/progress */
};

static void fetch_release(struct fetch *f)
{
    buf_release(&f->shown);
    free(f->etag);
    free(f->last_modified);
}

bool download_is_url(const char *text)
{
    return strncasecmp(text, "http://", 7) == 0 || strncasecmp(text, "https://", 8) == 0;
}

char *download_name(const char *url)
{
    SCOPED(buf_release) struct buf path = {0};
    struct http_url parts;
    struct str base;

    if (!http_url_parse(str_of(url), &parts) || !percent_decode(&path, parts.path) ||
        memchr(buf_cstr(&path), 0, path.size))
        return xstrdup("__unnamed__");
    AUTO_FREE char *clean = path_beneath(buf_str(&path));
    base = path_base(str_of(clean));
    return xstrdup(str_is(base, ".") ? "__unnamed__" : base.ptr);
}

static void read_record(struct fetch *f)
{
    SCOPED(buf_release) struct buf text = {0};
    const char *digest, *etag = NULL, *last_modified = NULL;
    json_int_t size, mtime;
    struct err ignored = {0};
    json_auto_t *doc = NULL;

    if (fs_read_file(f->layout->cache_fd, f->record, &text, RECORD_MAX, &ignored) < 0)
        return;
    doc = json_parse(buf_str(&text), &ignored);
    if (!doc ||
        json_take(doc, &ignored, "{s:s, s:I, s:I, s?s, s?s}", "digest", &digest, "size", &size,
                  "mtime", &mtime, "etag", &etag, "lastModified", &last_modified) < 0) {
        log_debug("record of %s counts as none: %s", buf_cstr(&f->shown), ignored.text);
        return;
    }
    if (!digest_valid(digest) || size < 0 || !layout_has(f->layout, digest))
        return;
    f->known = true;
    memcpy(f->last.digest, digest, DIGEST_SIZE);
    f->last.size = (uint64_t)size;
    f->last.mtime = mtime;
    f->etag = xstrdup(etag);
    f->last_modified = xstrdup(last_modified);
}

static int write_record(const struct fetch *f, const struct download *d,
                        const struct http_reply *reply, struct err *err)
{
    const char *etag = http_header(reply, "ETag"),
               *last_modified = http_header(reply, "Last-Modified");
    json_auto_t *doc = json_pack("{s:s, s:I, s:I}", "digest", d->digest, "size",
                                 (json_int_t)d->size, "mtime", (json_int_t)d->mtime);
    SCOPED(buf_release) struct buf text = {0};

    /* A tag that is no text is none that can be sent back. */
    if (etag)
        json_object_set_new(doc, "etag", json_string(etag));
    if (last_modified)
        json_object_set_new(doc, "lastModified", json_string(last_modified));
    json_print(doc, &text);
    if (fs_mkdirs(f->layout->cache_fd, "urls", 0700, err) < 0)
        return -1;
    return fs_replace(f->layout->cache_fd, f->record, text.ptr, text.size, 0600, false, err);
}

static int find_credential(const struct fetch *f, struct buf *out, struct err *err)
{
    struct http_url parts;
    AUTO_FREE char *header = NULL, *token = NULL;
    int found;

    if (!http_url_parse(str_of(f->url), &parts))
        return err_set(err, ERR_INPUT, 0,
                       "not an http or https URL; a user and a password cannot "
                       "stand in it");
    header = xasprintf("HTTP_AUTH_HEADER_" STR_FMT, STR_ARG(parts.host));
    token = xasprintf("HTTP_AUTH_TOKEN_" STR_FMT, STR_ARG(parts.host));
    found = secret_header(f->secrets, header, out, err);
    if (found == 0) {
        SCOPED(buf_release) struct buf value = {0};

        found = secret_header(f->secrets, token, &value, err);
        if (found > 0)
            buf_addf(out, "Bearer %s", buf_cstr(&value));
    }
    if (found > 0 && !parts.tls && !http_is_loopback(f->url))
        return err_set(err, ERR_INPUT, 0,
                       "a secret is meant for " STR_FMT ", but plain http would tell it to "
                       "everybody on the way; use https",
                       STR_ARG(parts.host));
    return found;
}

static void on_progress(void *arg, uint64_t sent, uint64_t received)
{
    const struct fetch *f = arg;

    (void)sent;
    progress_advance(f->step, received, 0);
}

static int refused(const struct http_reply *reply, struct err *err)
{
    const char *hint = "";

    if (reply->status == 401 || reply->status == 403)
        hint = "; --secret id=HTTP_AUTH_TOKEN_<host> or HTTP_AUTH_HEADER_<host> sends a credential";
    return err_set(err, ERR_REMOTE, reply->status, "the server answers %d%s", reply->status, hint);
}

static int check(const struct fetch *f, const char *digest, struct err *err)
{
    if (!f->checksum || strcmp(f->checksum, digest) == 0)
        return 0;
    return err_set(err, ERR_INPUT, 0, "its digest is %s, not %s", digest, f->checksum);
}

/* A new body is in fd. */
static int keep(struct fetch *f, int fd, const struct http_reply *reply, struct download *out,
                struct err *err)
{
    const char *last_modified = http_header(reply, "Last-Modified");

    if (check(f, reply->digest, err) < 0)
        return -1;
    *out = (struct download){.size = reply->size};
    memcpy(out->digest, reply->digest, DIGEST_SIZE);
    if (last_modified && !http_date(last_modified, &out->mtime))
        log_debug("%s: Last-Modified is no date: %s", buf_cstr(&f->shown), last_modified);
    if (layout_commit(f->layout, fd, out->digest, err) < 0)
        return -1;
    return write_record(f, out, reply, err);
}

static int send_request(struct fetch *f, struct download *out, struct err *err)
{
    SCOPED(http_reply_release) struct http_reply reply = {0};
    SCOPED(buf_release) struct buf credential = {0};
    SCOPED(strv_release) struct strv headers = {0};
    AUTO_FD int fd = layout_tmpfile(f->layout, err);
    int has_credential = fd < 0 ? -1 : find_credential(f, &credential, err);
    struct http_request request = {.method = "GET",
                                   .url = f->url,
                                   .headers = &headers,
                                   .authorization =
                                       has_credential > 0 ? buf_cstr(&credential) : NULL,
                                   .reply_max = DOWNLOAD_MAX,
                                   .reply_fd = fd,
                                   .has_reply_fd = true,
                                   .hash_reply = true,
                                   .repeatable = true,
                                   .plain = has_credential == 0,
                                   .on_progress = on_progress,
                                   .on_progress_arg = f};

    if (has_credential < 0)
        return -1;
    strv_add(&headers, "Accept: */*");
    if (f->known && f->etag)
        strv_addf(&headers, "If-None-Match: %s", f->etag);
    else if (f->known && f->last_modified)
        strv_addf(&headers, "If-Modified-Since: %s", f->last_modified);
    if (http_send(f->http, &request, &reply, err) < 0)
        return err->code == HTTP_FAIL_TOO_LARGE && err->kind == ERR_NETWORK
                   ? err_add(err, " (DOWNLOAD_MAX: %llu GiB)",
                             (unsigned long long)(DOWNLOAD_MAX >> 30))
                   : -1;
    if (reply.status == 304 && f->known) {
        *out = f->last;
        return check(f, out->digest, err);
    }
    if (reply.status != 200)
        return refused(&reply, err);
    return keep(f, fd, &reply, out, err);
}

static int fetch(struct fetch *f, struct download *out, struct err *err)
{
    int rc;

    read_record(f);
    if (f->known && f->checksum && strcmp(f->last.digest, f->checksum) == 0) {
        *out = f->last;
        return 0;
    }
    f->step = progress_begin("fetch %s", buf_cstr(&f->shown));
    rc = send_request(f, out, err);
    if (rc < 0)
        progress_finish(f->step, PROGRESS_FAILED, NULL);
    else if (f->known && strcmp(f->last.digest, out->digest) == 0)
        progress_finish(f->step, PROGRESS_CACHED, out->digest);
    else
        progress_finish(f->step, PROGRESS_DONE, out->digest);
    return rc;
}

int download(const struct layout *layout, struct http *http, const struct secret_source *secrets,
             const char *url, const char *checksum, struct download *out, struct err *err)
{
    SCOPED(fetch_release)
    struct fetch f = {
        .layout = layout, .http = http, .secrets = secrets, .url = url, .checksum = checksum};
    char hex[SHA256_HEX_SIZE];
    AUTO_FREE char *lock = NULL;
    struct sha256 h;

    if (checksum && !digest_valid(checksum))
        return err_set(err, ERR_INPUT, 0,
                       "a checksum is sha256: and 64 hexadecimal digits in lower case");
    sha256_begin(&h);
    sha256_add(&h, url, strlen(url));
    sha256_end_hex(&h, hex);
    snprintf(f.record, sizeof(f.record), "urls/%s", hex);
    http_redact(url, &f.shown);
    /* Two that want the same wait for each other: the second has it for one conditional request. */
    lock = xasprintf("url %s", hex);
    AUTO_FD int lock_fd = layout_lock(layout, lock, true, err);
    if (lock_fd < 0)
        return -1;
    return fetch(&f, out, err) < 0 ? err_wrap(err, "%s", buf_cstr(&f.shown)) : 0;
}
