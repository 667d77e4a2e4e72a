/* SPDX-License-Identifier: Apache-2.0 */
#include "base/http_wire.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/http_curl.h"
#include "base/scope.h"

#define HEADERS_MAX (256u << 10)
#define ERROR_BODY_MAX (64u << 10) /* of a reply outside 2xx */
#define EXPECT_ABOVE (1u << 20) /* a body of which one wants to know first whether it is wanted */
/* A registry may take long over a big upload it has just received, without a byte on the wire. */
#define COMMIT_PATIENCE 5

/* State of one exchange, which the callbacks share. */
struct transfer {
    const struct curl_api *curl;
    struct http_exchange *x;
    struct http_reply *reply;
    CURL *easy;
    char detail[CURL_ERROR_SIZE];
    size_t headers_size;
    bool headers_done, body_begun;
    uint64_t sent;  /* of the request's body: the read position */
    uint64_t moved; /* bytes both ways, as last seen */
    uint64_t moved_at_ms;
    bool stalled, stopped, too_large, enough, bad_headers;
    const char *local; /* what of ours failed, with local_errno; or words alone */
    int local_errno;
};

static int fail_local(struct transfer *t, const char *what, int code)
{
    if (!t->local) {
        t->local = what;
        t->local_errno = code;
    }
    return -1;
}

/* Puts the sink back to its start, so that a body can come once more. */
static int rewind_sink(struct transfer *t)
{
    struct http_sink *sink = t->x->sink;
    const struct http_request *request = t->x->request;

    if (request->has_reply_fd && sink->have > 0) {
        if (!sink->seekable)
            return fail_local(t, "the reply was cut and what it is written to cannot be rewound",
                              0);
        if (lseek(request->reply_fd, sink->start, SEEK_SET) < 0 ||
            ftruncate(request->reply_fd, sink->start) < 0)
            return fail_local(t, "rewind the file for the reply", errno);
    }
    buf_clear(&t->reply->body);
    sink->have = 0;
    sha256_begin(&sink->hash);
    return 0;
}

static bool is_good(const struct http_reply *reply)
{
    return reply->status >= 200 && reply->status < 300;
}

static uint64_t body_limit(const struct http_request *request)
{
    return request->reply_max ? request->reply_max : 1u << 20;
}

/* All headers are there: decide what will become of the body. */
static int begin_body(struct transfer *t)
{
    struct http_sink *sink = t->x->sink;
    uint64_t length;

    t->body_begun = true;
    if (!is_good(t->reply))
        return 0;
    if (t->x->resume && sink->have > 0 && t->reply->status == 206) {
        const char *range = http_header(t->reply, "Content-Range");
        char want[40];

        snprintf(want, sizeof(want), "bytes %" PRIu64 "-", sink->have);
        if (!range || !str_starts(str_of(range), want)) {
            t->x->resume_refused = true;
            return -1;
        }
        return 0;
    }
    if (rewind_sink(t) < 0)
        return -1;
    const char *text = http_header(t->reply, "Content-Length");

    if (text && strcmp(t->x->request->method, "HEAD") != 0 && str_u64(str_of(text), &length) &&
        length > body_limit(t->x->request)) {
        t->too_large = true;
        return -1;
    }
    return 0;
}

static void take_status(struct transfer *t, struct str line)
{
    struct str version, rest, code;
    uint64_t status = 0;

    str_cut(line, ' ', &version, &rest);
    str_cut(str_trim_left(rest), ' ', &code, &rest);
    str_u64(str_slice(code, 0, 3), &status);
    t->reply->status = (int)status;
    strv_clear(&t->reply->headers);
    t->headers_size = 0;
    t->headers_done = false;
}

static size_t on_header(char *bytes, size_t one, size_t size, void *arg)
{
    struct transfer *t = arg;
    struct str line = str_trim_right((struct str){bytes, size});

    (void)one;
    if (t->body_begun) /* trailers */
        return size;
    if (str_starts(line, "HTTP/")) {
        take_status(t, line);
        return size;
    }
    t->headers_size += size;
    if (t->headers_size > HEADERS_MAX) {
        t->bad_headers = true;
        return 0;
    }
    if (line.size > 0) {
        strv_add_str(&t->reply->headers, line);
        return size;
    }
    if (t->reply->status < 200) /* 100 Continue, 103 Early Hints: the reply is yet to come */
        return size;
    t->headers_done = true;
    return begin_body(t) < 0 ? 0 : size;
}

static int write_all(struct transfer *t, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t n = write(t->x->request->reply_fd, bytes, size);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail_local(t, "write the reply", errno);
        bytes += n;
        size -= (size_t)n;
    }
    return 0;
}

static size_t on_body(char *bytes, size_t one, size_t size, void *arg)
{
    struct transfer *t = arg;
    const struct http_request *request = t->x->request;
    struct http_sink *sink = t->x->sink;

    (void)one;
    if (!is_good(t->reply)) {
        size_t room = ERROR_BODY_MAX - t->reply->body.size;

        t->enough = size > room;
        buf_add(&t->reply->body, bytes, size < room ? size : room);
        return t->enough ? 0 : size;
    }
    if (size > body_limit(request) - sink->have) {
        t->too_large = true;
        return 0;
    }
    if (!request->has_reply_fd)
        buf_add(&t->reply->body, bytes, size);
    else if (write_all(t, bytes, size) < 0)
        return 0;
    if (request->hash_reply)
        sha256_add(&sink->hash, bytes, size);
    sink->have += size;
    return size;
}

static uint64_t body_size(const struct http_request *request)
{
    return request->has_body_fd ? request->body_size : request->body.size;
}

static size_t on_send(char *out, size_t one, size_t room, void *arg)
{
    struct transfer *t = arg;
    const struct http_request *request = t->x->request;
    uint64_t left = body_size(request) - t->sent;
    size_t size = left < room * one ? (size_t)left : room * one;

    if (size == 0)
        return 0;
    if (!request->has_body_fd) {
        memcpy(out, request->body.ptr + t->sent, size);
    } else {
        ssize_t n;

        do {
            n = pread(request->body_fd, out, size, (off_t)(request->body_offset + t->sent));
        } while (n < 0 && errno == EINTR);
        if (n <= 0) {
            fail_local(t, n < 0 ? "read what is to be sent" : "what is to be sent became shorter",
                       n < 0 ? errno : 0);
            return CURL_READFUNC_ABORT;
        }
        size = (size_t)n;
    }
    t->sent += size;
    return size;
}

static int on_seek(void *arg, curl_off_t offset, int origin)
{
    struct transfer *t = arg;

    if (origin != SEEK_SET || offset < 0 || (uint64_t)offset > body_size(t->x->request))
        return CURL_SEEKFUNC_FAIL;
    t->sent = (uint64_t)offset;
    return CURL_SEEKFUNC_OK;
}

static int on_progress(void *arg, curl_off_t down_total, curl_off_t down, curl_off_t up_total,
                       curl_off_t up)
{
    struct transfer *t = arg;
    const struct http_request *request = t->x->request;
    uint64_t moved = (uint64_t)down + (uint64_t)up + t->headers_size;
    uint64_t now = clock_mono_ms();
    uint64_t limit = t->x->stall_timeout_ms;

    (void)down_total;
    (void)up_total;
    t->stopped = request->stop && atomic_load(request->stop);
    if (t->stopped)
        return 1;
    if (moved != t->moved) {
        t->moved = moved;
        t->moved_at_ms = now;
        if (request->on_progress)
            request->on_progress(request->on_progress_arg, (uint64_t)up, t->x->sink->have);
        return 0;
    }
    if (body_size(request) > EXPECT_ABOVE && t->sent == body_size(request) && !t->headers_done)
        limit *= COMMIT_PATIENCE;
    t->stalled = now - t->moved_at_ms > limit;
    return t->stalled ? 1 : 0;
}

/* Headers that say who we are, besides `authorization`; they stay with the origin they were meant
 * for. */
static bool is_private_header(struct str name)
{
    static const char *const names[] = {"authorization", "cookie", "proxy-authorization"};

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (str_is_nocase(name, names[i]))
            return true;
    }
    return str_is_nocase(str_slice(name, 0, 6), "x-amz-") ||
           str_is_nocase(str_slice(name, 0, 6), "x-aws-");
}

static int add_header(struct transfer *t, struct curl_slist **list, struct str line,
                      struct err *err)
{
    struct str name, value;
    SCOPED(buf_release) struct buf text = {0};

    if (!str_cut(line, ':', &name, &value) || name.size == 0)
        return err_set(err, ERR_INPUT, 0, "a request header has no name");
    for (size_t i = 0; i < line.size; i++) {
        if ((unsigned char)line.ptr[i] < ' ' && line.ptr[i] != '\t')
            return err_set(err, ERR_INPUT, 0,
                           "request header " STR_FMT " holds a control character", STR_ARG(name));
    }
    if (t->x->foreign && is_private_header(name))
        return 0;
    value = str_trim(value);
    buf_add_str(&text, name);
    if (value.size == 0) {
        buf_addc(&text, ';'); /* curl's way to say: there, and empty */
    } else {
        buf_adds(&text, ": ");
        buf_add_str(&text, value);
    }
    *list = t->curl->slist_append(*list, buf_cstr(&text));
    return 0;
}

static bool has_header(const struct strv *headers, const char *name)
{
    for (size_t i = 0; headers && i < headers->count; i++) {
        struct str head, value;

        if (str_cut(str_of(headers->ptr[i]), ':', &head, &value) && str_is_nocase(head, name))
            return true;
    }
    return false;
}

static int make_headers(struct transfer *t, struct curl_slist **list, struct err *err)
{
    const struct http_request *request = t->x->request;
    SCOPED(buf_release) struct buf line = {0};
    /* "Name:" takes away what curl would add of its own. */
    static const char *const ours[] = {"Accept", "Content-Type", "Expect"};

    for (size_t i = 0; request->headers && i < request->headers->count; i++) {
        if (add_header(t, list, str_of(request->headers->ptr[i]), err) < 0)
            return -1;
    }
    for (size_t i = 0; i < ARRAY_SIZE(ours); i++) {
        bool wanted = i == 2 && body_size(request) > EXPECT_ABOVE;

        if (has_header(request->headers, ours[i]))
            continue;
        buf_clear(&line);
        buf_addf(&line, "%s:%s", ours[i], wanted ? " 100-continue" : "");
        *list = t->curl->slist_append(*list, buf_cstr(&line));
    }
    if (request->authorization && !t->x->foreign) {
        buf_clear(&line);
        buf_addf(&line, "Authorization: %s", request->authorization);
        if (add_header(t, list, buf_str(&line), err) < 0)
            return -1;
    }
    if (t->x->resume && t->x->sink->have > 0) {
        buf_clear(&line);
        buf_addf(&line, "Range: bytes=%" PRIu64 "-", t->x->sink->have);
        *list = t->curl->slist_append(*list, buf_cstr(&line));
    }
    return 0;
}

static void set_body(struct transfer *t)
{
    const struct curl_api *curl = t->curl;
    const struct http_request *request = t->x->request;
    const char *method = request->method;
    bool has_body = request->has_body || body_size(request) > 0 || strcmp(method, "POST") == 0 ||
                    strcmp(method, "PUT") == 0 || strcmp(method, "PATCH") == 0;

    if (strcmp(method, "HEAD") == 0) {
        curl->easy_setopt(t->easy, CURLOPT_NOBODY, 1L);
        return;
    }
    if (has_body) {
        curl->easy_setopt(t->easy, CURLOPT_UPLOAD, 1L);
        curl->easy_setopt(t->easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)body_size(request));
        curl->easy_setopt(t->easy, CURLOPT_READFUNCTION, on_send);
        curl->easy_setopt(t->easy, CURLOPT_READDATA, t);
        curl->easy_setopt(t->easy, CURLOPT_SEEKFUNCTION, on_seek);
        curl->easy_setopt(t->easy, CURLOPT_SEEKDATA, t);
    }
    curl->easy_setopt(t->easy, CURLOPT_CUSTOMREQUEST, method);
}

static void set_options(struct transfer *t, struct curl_slist *headers)
{
    const struct curl_api *curl = t->curl;
    const struct http_exchange *x = t->x;
    uint64_t connect_ms = x->request->connect_timeout_ms ? x->request->connect_timeout_ms : 20000;

    curl->easy_setopt(t->easy, CURLOPT_URL, x->url);
    curl->easy_setopt(t->easy, CURLOPT_HTTPHEADER, headers);
    curl->easy_setopt(t->easy, CURLOPT_PROXY, x->proxy);
    curl->easy_setopt(t->easy, CURLOPT_NOPROXY, "");
    curl->easy_setopt(t->easy, CURLOPT_SSL_VERIFYPEER, x->verify_tls ? 1L : 0L);
    curl->easy_setopt(t->easy, CURLOPT_SSL_VERIFYHOST, x->verify_tls ? 2L : 0L);
    curl->easy_setopt(t->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)connect_ms);
    curl->easy_setopt(t->easy, CURLOPT_TIMEOUT_MS, (long)x->timeout_ms);
    curl->easy_setopt(t->easy, CURLOPT_ERRORBUFFER, t->detail);
    curl->easy_setopt(t->easy, CURLOPT_HEADERFUNCTION, on_header);
    curl->easy_setopt(t->easy, CURLOPT_HEADERDATA, t);
    curl->easy_setopt(t->easy, CURLOPT_WRITEFUNCTION, on_body);
    curl->easy_setopt(t->easy, CURLOPT_WRITEDATA, t);
    curl->easy_setopt(t->easy, CURLOPT_NOPROGRESS, 0L);
    curl->easy_setopt(t->easy, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl->easy_setopt(t->easy, CURLOPT_XFERINFODATA, t);
    /* On a kept connection that turns out dead curl sends again by itself: not what may be done
     * once only. */
    if (!x->request->repeatable &&
        (strcmp(x->request->method, "POST") == 0 || strcmp(x->request->method, "PATCH") == 0))
        curl->easy_setopt(t->easy, CURLOPT_FRESH_CONNECT, 1L);
    set_body(t);
}

/* Our own reasons for stopping a transfer, which curl only knows as "a callback said no". */
static int explain_ours(const struct transfer *t, struct err *err)
{
    if (t->local && t->local_errno)
        return err_set(err, ERR_SYSTEM, t->local_errno, "%s: %s", t->local,
                       strerror(t->local_errno));
    if (t->local)
        return err_set(err, ERR_NETWORK, HTTP_FAIL_LOCAL, "%s", t->local);
    if (t->too_large)
        return err_set(err, ERR_NETWORK, HTTP_FAIL_TOO_LARGE,
                       "the reply is larger than %" PRIu64 " bytes", body_limit(t->x->request));
    if (t->bad_headers)
        return err_set(err, ERR_NETWORK, HTTP_FAIL_TOO_LARGE,
                       "the reply's headers are larger than %u bytes", HEADERS_MAX);
    if (t->x->resume_refused)
        return err_set(err, ERR_NETWORK, HTTP_FAIL_CUT,
                       "the server did not continue where the reply was cut");
    if (t->stopped)
        return err_set(err, ERR_NETWORK, HTTP_FAIL_STOPPED, "stopped");
    return err_set(err, ERR_NETWORK, HTTP_FAIL_TIMEOUT, "nothing moved for %.3g s",
                   (double)t->x->stall_timeout_ms / 1000);
}

static const char *detail_of(const struct transfer *t, CURLcode code, struct buf *out)
{
    buf_clear(out);
    buf_add_escaped(out, str_trim(str_of(t->detail[0] ? t->detail : t->curl->easy_strerror(code))));
    return buf_cstr(out);
}

static int explain_tls(const struct transfer *t, CURLcode code, const char *host, struct err *err)
{
    SCOPED(buf_release) struct buf detail = {0};
    long sys = 0;

    detail_of(t, code, &detail);
    t->curl->easy_getinfo(t->easy, CURLINFO_OS_ERRNO, &sys);
    if (code == CURLE_PEER_FAILED_VERIFICATION)
        return err_set(
            err, ERR_NETWORK, HTTP_FAIL_TLS,
            "the certificate of %s is not trusted: %s (a private CA is given with --ca-file)", host,
            buf_cstr(&detail));
    if (strstr(buf_cstr(&detail), "wrong version number"))
        return err_set(err, ERR_NETWORK, HTTP_FAIL_TLS,
                       "%s does not speak TLS (--insecure %s allows plain http)", host, host);
    if (code == CURLE_SSL_CONNECT_ERROR &&
        (sys == ECONNRESET || strstr(buf_cstr(&detail), "SSL_ERROR_SYSCALL")))
        return err_set(err, ERR_NETWORK, HTTP_FAIL_CUT,
                       "%s closed the connection during the TLS handshake", host);
    return err_set(err, ERR_NETWORK, HTTP_FAIL_TLS, "TLS with %s failed: %s", host,
                   buf_cstr(&detail));
}

static int explain_cut(const struct transfer *t, CURLcode code, const char *host, struct err *err)
{
    SCOPED(buf_release) struct buf detail = {0};
    const char *length = http_header(t->reply, "Content-Length");
    long proxy_status = 0;

    t->curl->easy_getinfo(t->easy, CURLINFO_HTTP_CONNECTCODE, &proxy_status);
    if (proxy_status == 407)
        return err_set(
            err, ERR_NETWORK, HTTP_FAIL_OTHER,
            "the proxy wants a login (407): put user:password@ into its URL (HTTPS_PROXY)");
    if (proxy_status >= 300)
        return err_set(err, ERR_NETWORK, proxy_status >= 500 ? HTTP_FAIL_CONNECT : HTTP_FAIL_OTHER,
                       "the proxy refused to connect to %s (%ld)", host, proxy_status);
    if (t->headers_done && length)
        return err_set(err, ERR_NETWORK, HTTP_FAIL_CUT, "the reply was cut after %" PRIu64 " bytes",
                       t->x->sink->have);
    if (t->headers_done)
        return err_set(err, ERR_NETWORK, HTTP_FAIL_CUT, "the reply was cut: %s",
                       detail_of(t, code, &detail));
    if (t->sent > 0)
        return err_set(err, ERR_NETWORK, HTTP_FAIL_CUT,
                       "%s closed the connection after %" PRIu64 " of %" PRIu64
                       " bytes sent, without a reply",
                       host, t->sent, body_size(t->x->request));
    return err_set(err, ERR_NETWORK, HTTP_FAIL_CUT, "%s closed the connection without a reply",
                   host);
}

static int explain_connect(const struct transfer *t, const char *host, struct err *err)
{
    long sys = 0;

    t->curl->easy_getinfo(t->easy, CURLINFO_OS_ERRNO, &sys);
    return err_set(err, ERR_NETWORK, HTTP_FAIL_CONNECT, "cannot connect to %s%s%s%s", host,
                   t->x->proxy[0] ? " through the proxy" : "", sys ? ": " : "",
                   sys ? strerror((int)sys) : "");
}

static int explain_timeout(const struct transfer *t, const char *host, struct err *err)
{
    const struct http_request *request = t->x->request;
    uint64_t connect_ms = request->connect_timeout_ms ? request->connect_timeout_ms : 20000;
    curl_off_t connected = 0;

    t->curl->easy_getinfo(t->easy, CURLINFO_CONNECT_TIME_T, &connected);
    if (connected == 0 && (request->timeout_ms == 0 || connect_ms < request->timeout_ms))
        return err_set(err, ERR_NETWORK, HTTP_FAIL_CONNECT, "no connection to %s within %.3g s",
                       host, (double)connect_ms / 1000);
    return err_set(err, ERR_NETWORK, HTTP_FAIL_TIMEOUT, "not finished within %.3g s",
                   (double)request->timeout_ms / 1000);
}

static int explain(const struct transfer *t, CURLcode code, const char *host, struct err *err)
{
    SCOPED(buf_release) struct buf detail = {0};

    switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
        return err_set(err, ERR_NETWORK, HTTP_FAIL_RESOLVE,
                       "the name of host %s cannot be resolved", host);
    case CURLE_COULDNT_RESOLVE_PROXY:
        return err_set(err, ERR_NETWORK, HTTP_FAIL_RESOLVE,
                       "the name of the proxy cannot be resolved");
    case CURLE_COULDNT_CONNECT:
        return explain_connect(t, host, err);
    case CURLE_OPERATION_TIMEDOUT:
        return explain_timeout(t, host, err);
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
        return explain_tls(t, code, host, err);
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_PARTIAL_FILE:
        return explain_cut(t, code, host, err);
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WEIRD_SERVER_REPLY:
        return err_set(err, ERR_NETWORK, HTTP_FAIL_OTHER, "what %s answers is not HTTP", host);
    default:
        return err_set(err, ERR_NETWORK, HTTP_FAIL_OTHER, "%s", detail_of(t, code, &detail));
    }
}

static int perform(struct transfer *t, const char *host, struct err *err)
{
    CURLcode code = t->curl->easy_perform(t->easy);

    if (code == CURLE_OK)
        return 0;
    if (t->local || t->too_large || t->bad_headers || t->stalled || t->stopped ||
        t->x->resume_refused)
        return explain_ours(t, err);
    /* A refusal is told by its status; that its words were cut, or our body unfinished, changes
     * nothing. */
    if (t->headers_done && t->reply->status >= 300)
        return 0;
    return explain(t, code, host, err);
}

int http_wire_send(struct http_wire *wire, struct http_exchange *exchange, struct http_reply *reply,
                   struct err *err)
{
    SCOPED(buf_release) struct buf host = {0};
    struct curl_slist *headers = NULL;
    int result = -1;

    if (!http_host(exchange->url, &host))
        return err_set(err, ERR_INPUT, 0, "not an http or https URL");
    CURL *easy = http_curl_take(wire, buf_cstr(&host), err);

    if (!easy)
        return -1;
    struct transfer t = {.curl = http_curl_api(wire), .x = exchange, .reply = reply, .easy = easy};

    t.moved_at_ms = clock_mono_ms();
    exchange->resume_refused = false;
    reply->status = 0;
    strv_clear(&reply->headers);
    /* What a cut try left of a body in memory goes when the next begins; its own kind is kept for
     * `resume`. */
    buf_clear(&reply->body);
    if (make_headers(&t, &headers, err) == 0) {
        set_options(&t, headers);
        result = perform(&t, buf_cstr(&host), err);
    }
    http_curl_give(wire, easy, buf_cstr(&host));
    t.curl->slist_free_all(headers);
    return result;
}
