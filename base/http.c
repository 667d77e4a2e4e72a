/* SPDX-License-Identifier: Apache-2.0 */
#include "base/http.h"

#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <string.h>
#include <sys/random.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/http_proxy.h"
#include "base/http_retry.h"
#include "base/http_url.h"
#include "base/http_wire.h"
#include "base/log.h"
#include "base/scope.h"

#define REDIRECTS_MAX 10
#define CA_FILE_MAX (1u << 20)
/* A try that brought this much is no failed one: a long download over a bad line is finished,
 * however often it is cut. */
#define PROGRESS_BYTES (1u << 20)

struct pause {
    char *host;
    uint64_t until_ms;
};

struct http {
    struct http_wire *wire;
    struct http_proxy proxy;
    struct buf ca_bytes;
    struct strv insecure;
    struct strv connect_hosts; /* those of connect_to that lead to this machine */
    struct strv connect_to;    /* curl's form: host:port:host:port */
    unsigned attempts;
    uint64_t retry_base_ms, stall_timeout_ms;
    pthread_mutex_t mutex; /* guards the pauses */
    struct pause *pauses;
    size_t pauses_count, pauses_capacity;
};

/* One request on its way through tries and redirects. */
struct sending {
    struct http *http;
    const struct http_request *request;
    struct http_reply *reply;
    struct http_sink sink;
    uint64_t deadline_ms; /* monotonic; 0: none */
    unsigned failed;      /* tries in a row that brought nothing */
    bool asked_anew;      /* the 403 of a presigned URL was answered by asking its origin again */
    bool redirected;
    bool no_resume;   /* the server will not go on where it stopped … */
    bool begins_anew; /* … as this try has shown */
};

/* "host[:port]=host:port"; without a port the first stands for both schemes' own. */
static int add_connect_to(struct http *http, const char *text, struct err *err)
{
    struct str from, to, name, port;
    SCOPED(buf_release) struct buf from_url = {0};
    SCOPED(buf_release) struct buf to_url = {0};
    SCOPED(buf_release) struct buf host = {0};
    struct http_url u, target;

    str_cut(str_of(text), '=', &from, &to);
    buf_addf(&from_url, "https://" STR_FMT, STR_ARG(from));
    buf_addf(&to_url, "https://" STR_FMT, STR_ARG(to));
    if (!http_url_parse(buf_str(&from_url), &u) || u.path.size > 0 ||
        !http_url_parse(buf_str(&to_url), &target) || target.path.size > 0 || !target.has_port)
        return err_set(err, ERR_INPUT, 0, "\"%s\" is not HOST[:PORT]=HOST:PORT", text);
    name = from;
    if (u.has_port)
        str_cut_last(from, ':', &name, &port);
    if (u.has_port || u.port == 443)
        strv_addf(&http->connect_to, STR_FMT ":%u:" STR_FMT, STR_ARG(name), u.port, STR_ARG(to));
    if (!u.has_port)
        strv_addf(&http->connect_to, STR_FMT ":80:" STR_FMT, STR_ARG(name), STR_ARG(to));
    http_host(buf_cstr(&from_url), &host);
    if (http_is_loopback(buf_cstr(&to_url)))
        strv_add(&http->connect_hosts, buf_cstr(&host));
    return 0;
}

static int read_ca_file(struct http *http, const char *path, struct err *err)
{
    if (fs_read_file(AT_FDCWD, path, &http->ca_bytes, CA_FILE_MAX, err) < 0)
        return err_wrap(err, "CA file");
    if (str_search(buf_str(&http->ca_bytes), "-----BEGIN ") < 0)
        return err_set(err, ERR_INPUT, 0, "CA file %s holds no PEM certificate", path);
    return 0;
}

/* Lower case, the default port of https dropped, as http_host() gives it. */
static void add_insecure(struct http *http, const char *text)
{
    SCOPED(buf_release) struct buf url = {0};
    SCOPED(buf_release) struct buf host = {0};

    buf_addf(&url, "https://%s", text);
    strv_add(&http->insecure, http_host(buf_cstr(&url), &host) ? buf_cstr(&host) : text);
}

struct http *http_open(const struct http_options *options, struct err *err)
{
    static const struct http_options none = {0};
    const struct http_options *o = options ? options : &none;
    struct http *http = xcalloc(1, sizeof(*http));

    pthread_mutex_init(&http->mutex, NULL);
    http_proxy_from_env(&http->proxy);
    http->attempts = o->attempts ? o->attempts : 5;
    http->retry_base_ms = o->retry_base_ms ? o->retry_base_ms : 500;
    http->stall_timeout_ms = o->stall_timeout_ms ? o->stall_timeout_ms : 60000;
    for (size_t i = 0; o->insecure && i < o->insecure->count; i++)
        add_insecure(http, o->insecure->ptr[i]);
    for (size_t i = 0; o->connect_to && i < o->connect_to->count; i++) {
        if (add_connect_to(http, o->connect_to->ptr[i], err) < 0) {
            http_free(http);
            return NULL;
        }
    }
    if (o->ca_file && read_ca_file(http, o->ca_file, err) < 0) {
        http_free(http);
        return NULL;
    }
    http->wire = http_wire_open(o->ca_file ? buf_cstr(&http->ca_bytes) : NULL, &http->connect_to);
    return http;
}

void http_free(struct http *http)
{
    if (!http)
        return;
    http_wire_free(http->wire);
    http_proxy_release(&http->proxy);
    buf_release(&http->ca_bytes);
    strv_release(&http->insecure);
    strv_release(&http->connect_hosts);
    strv_release(&http->connect_to);
    for (size_t i = 0; i < http->pauses_count; i++)
        free(http->pauses[i].host);
    free(http->pauses);
    pthread_mutex_destroy(&http->mutex);
    free(http);
}

void http_reply_release(struct http_reply *reply)
{
    strv_release(&reply->headers);
    buf_release(&reply->body);
    free(reply->url);
    *reply = (struct http_reply){0};
}

static const char *header_value(const char *line, const char *name)
{
    size_t size = strlen(name);

    if (strncasecmp(line, name, size) != 0 || line[size] != ':')
        return NULL;
    line += size + 1;
    return line + strspn(line, " \t");
}

const char *http_next_header(const struct http_reply *reply, const char *name, const char *after)
{
    bool passed = after == NULL;

    for (size_t i = 0; i < reply->headers.count; i++) {
        const char *value = header_value(reply->headers.ptr[i], name);

        if (value && passed)
            return value;
        passed = passed || value == after;
    }
    return NULL;
}

const char *http_header(const struct http_reply *reply, const char *name)
{
    return http_next_header(reply, name, NULL);
}

/* Threads that talk to a host which asked for a pause wait here, all of them. */
static void set_pause(struct http *http, const char *host, uint64_t pause_ms)
{
    uint64_t until = clock_mono_ms() + pause_ms;
    size_t i = 0;

    pthread_mutex_lock(&http->mutex);
    while (i < http->pauses_count && strcmp(http->pauses[i].host, host) != 0)
        i++;
    if (i == http->pauses_count) {
        VEC_GROW(http->pauses, http->pauses_count, http->pauses_capacity);
        http->pauses[http->pauses_count++] = (struct pause){xstrdup(host), until};
    } else if (http->pauses[i].until_ms < until) {
        http->pauses[i].until_ms = until;
    }
    pthread_mutex_unlock(&http->mutex);
}

static uint64_t pause_left(struct http *http, const char *host)
{
    uint64_t now = clock_mono_ms(), until = 0;

    pthread_mutex_lock(&http->mutex);
    for (size_t i = 0; i < http->pauses_count; i++) {
        if (strcmp(http->pauses[i].host, host) == 0)
            until = http->pauses[i].until_ms;
    }
    pthread_mutex_unlock(&http->mutex);
    return until > now ? until - now : 0;
}

static bool is_stopped(const struct sending *s)
{
    return s->request->stop && atomic_load(s->request->stop);
}

/* Sleeps, but not past the deadline; false when it would, or when the request is stopped. */
static bool wait_ms(const struct sending *s, uint64_t pause_ms)
{
    if (s->deadline_ms && clock_mono_ms() + pause_ms >= s->deadline_ms)
        return false;
    return clock_sleep_unless(pause_ms, s->request->stop);
}

static int check_url(const struct sending *s, const char *url, bool *verify_tls, struct err *err)
{
    SCOPED(buf_release) struct buf host = {0};
    struct http_url u;

    if (!http_url_parse(str_of(url), &u) || !http_host(url, &host))
        return err_set(err, ERR_INPUT, 0, "not an http or https URL");
    bool insecure = strv_has(&s->http->insecure, buf_cstr(&host));

    *verify_tls = !insecure;
    if (!u.tls && !insecure && !s->request->plain && !http_is_loopback(url) &&
        !strv_has(&s->http->connect_hosts, buf_cstr(&host)))
        return err_set(err, ERR_NETWORK, HTTP_FAIL_OTHER,
                       "plain http is refused (--insecure %s allows it)", buf_cstr(&host));
    return 0;
}

static bool is_redirect(const struct sending *s)
{
    const char *method = s->request->method;
    int status = s->reply->status;

    if (s->request->no_redirect || (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0))
        return false;
    return (status == 301 || status == 302 || status == 303 || status == 307 || status == 308) &&
           http_header(s->reply, "Location");
}

/* Where the redirect leads, in place of *url. */
static int follow(struct sending *s, char **url, struct err *err)
{
    const char *location = http_header(s->reply, "Location");
    AUTO_FREE char *next = http_resolve(*url, location);
    SCOPED(buf_release) struct buf shown = {0};
    struct http_url from, to;

    http_redact(next ? next : location, &shown);
    if (!next || !http_url_parse(str_of(next), &to) || !http_url_parse(str_of(*url), &from))
        return err_set(err, ERR_NETWORK, HTTP_FAIL_OTHER, "redirected to \"%s\", which is no URL",
                       buf_cstr(&shown));
    if (from.tls && !to.tls)
        return err_set(err, ERR_NETWORK, HTTP_FAIL_OTHER, "redirected from https to plain %s",
                       buf_cstr(&shown));
    /* Where cloud machines keep credentials: nothing on the net has business to send us there. */
    if (http_is_link_local(next) && !http_is_link_local(s->request->url))
        return err_set(err, ERR_NETWORK, HTTP_FAIL_OTHER, "redirected to the link-local %s",
                       buf_cstr(&shown));
    free(*url);
    *url = steal_ptr(&next);
    return 0;
}

static void log_exchange(const struct sending *s, const char *url, uint64_t begun_us,
                         const struct err *err)
{
    SCOPED(buf_release) struct buf shown = {0};
    double ms = (double)(clock_mono_us() - begun_us) / 1000;

    if (log_get_level() < LOG_DEBUG)
        return;
    http_redact(url, &shown);
    if (err)
        log_debug("%s %s: %s (%.1f ms)", s->request->method, buf_cstr(&shown), err->text, ms);
    else
        log_debug("%s %s: %d (%.1f ms)", s->request->method, buf_cstr(&shown), s->reply->status,
                  ms);
}

/* One hop. */
static int exchange(struct sending *s, const char *url, struct err *err)
{
    struct http_exchange x = {.request = s->request,
                              .sink = &s->sink,
                              .url = url,
                              .stall_timeout_ms = s->http->stall_timeout_ms};
    SCOPED(buf_release) struct buf host = {0};
    uint64_t begun_us = clock_mono_us();

    if (check_url(s, url, &x.verify_tls, err) < 0)
        return -1;
    http_host(url, &host);
    if (!wait_ms(s, pause_left(s->http, buf_cstr(&host))) && !is_stopped(s))
        return err_set(err, ERR_NETWORK, HTTP_FAIL_TIMEOUT, "%s asked for a pause beyond our time",
                       buf_cstr(&host));
    if (is_stopped(s))
        return err_set(err, ERR_NETWORK, HTTP_FAIL_STOPPED, "stopped");
    if (s->deadline_ms) {
        uint64_t now = clock_mono_ms();

        if (now >= s->deadline_ms)
            return err_set(err, ERR_NETWORK, HTTP_FAIL_TIMEOUT, "not finished within %.3g s",
                           (double)s->request->timeout_ms / 1000);
        x.timeout_ms = s->deadline_ms - now;
    }
    x.proxy = http_proxy_for(&s->http->proxy, url);
    x.foreign = !http_url_same_origin(url, s->request->url);
    x.resume = s->request->resume && s->request->repeatable && s->request->has_reply_fd &&
               s->sink.have > 0 && !s->no_resume;
    int result = http_wire_send(s->http->wire, &x, s->reply, err);

    log_exchange(s, url, begun_us, result < 0 ? err : NULL);
    s->begins_anew = x.resume_refused || (result == 0 && x.resume && s->reply->status == 416);
    s->no_resume = s->no_resume || s->begins_anew;
    return result;
}

/* One try: the hops from the request's own URL to the reply that is none. */
static int try_once(struct sending *s, struct err *err)
{
    AUTO_FREE char *url = xstrdup(s->request->url);

    s->redirected = false;
    for (int hops = 0;; hops++) {
        free(s->reply->url);
        s->reply->url = xstrdup(url);
        if (exchange(s, url, err) < 0)
            return -1;
        if (!is_redirect(s))
            return 0;
        if (hops == REDIRECTS_MAX)
            return err_set(err, ERR_NETWORK, HTTP_FAIL_OTHER, "redirected more than %d times",
                           REDIRECTS_MAX);
        if (follow(s, &url, err) < 0)
            return -1;
        s->redirected = true;
    }
}

static uint32_t chance(void)
{
    uint32_t value = 0;

    if (getrandom(&value, sizeof(value), GRND_NONBLOCK) != (ssize_t)sizeof(value))
        value = (uint32_t)clock_mono_us();
    return value;
}

/* How long to wait before the next try; false: no other try. */
static bool plan_pause(struct sending *s, uint64_t *pause_ms)
{
    const char *after = http_header(s->reply, "Retry-After");
    SCOPED(buf_release) struct buf host = {0};
    uint64_t asked = UINT64_MAX;
    int status = s->reply->status;

    http_host(s->reply->url, &host);
    *pause_ms = http_retry_pause(s->failed, s->http->retry_base_ms, chance());
    if (after && http_retry_status(status))
        asked = http_retry_after(after, (int64_t)clock_now().tv_sec);
    if (asked != UINT64_MAX) {
        if (asked > HTTP_RETRY_AFTER_MAX_MS)
            return false;
        /* Not all at the same moment, when many were told the same. */
        *pause_ms = asked + chance() % (asked / 8 + 50);
    }
    if (asked != UINT64_MAX || status == 429)
        set_pause(s->http, buf_cstr(&host), *pause_ms);
    if (s->deadline_ms && clock_mono_ms() + *pause_ms >= s->deadline_ms)
        return false;
    if (*pause_ms > 5000)
        log_info("%s answers %d; trying again in %" PRIu64 " s", buf_cstr(&host), status,
                 *pause_ms / 1000);
    return true;
}

/* Whether the request is to be sent again, after the pause it takes first. */
static bool again(struct sending *s, int result, uint64_t had, const struct err *err)
{
    unsigned limit = s->http->attempts;
    uint64_t pause_ms = 0;

    if (!s->request->repeatable)
        return false;
    if (result == 0 && s->redirected && s->reply->status == 403 && !s->asked_anew) {
        s->asked_anew = true;
        return true;
    }
    if (result < 0) {
        enum http_fail fail = (enum http_fail)err->code;

        if (err->kind != ERR_NETWORK || !http_retry_fail(fail))
            return false;
        s->reply->status = 0;
        if ((fail == HTTP_FAIL_RESOLVE || fail == HTTP_FAIL_CONNECT) &&
            limit > HTTP_ATTEMPTS_NO_HOST)
            limit = HTTP_ATTEMPTS_NO_HOST;
    } else if (!http_retry_status(s->reply->status) && !s->begins_anew) {
        return false;
    }
    s->failed = s->sink.have >= had + PROGRESS_BYTES ? 1 : s->failed + 1;
    if (s->failed >= limit || !plan_pause(s, &pause_ms))
        return false;
    return wait_ms(s, pause_ms);
}

static void finish_reply(struct sending *s)
{
    struct http_reply *reply = s->reply;
    bool good = reply->status >= 200 && reply->status < 300;

    reply->size = good ? s->sink.have : reply->body.size;
    if (!s->request->hash_reply)
        return;
    if (good)
        sha256_end_digest(&s->sink.hash, reply->digest);
    else
        digest_of(buf_cstr(&reply->body), reply->body.size, reply->digest);
}

int http_send(struct http *http, const struct http_request *request, struct http_reply *reply,
              struct err *err)
{
    struct sending s = {.http = http, .request = request, .reply = reply};
    struct err failure;
    uint64_t had;
    int result;

    BUG_ON(!request->method || !request->url);
    http_reply_release(reply);
    if (request->timeout_ms)
        s.deadline_ms = clock_mono_ms() + request->timeout_ms;
    if (request->has_reply_fd) {
        s.sink.start = lseek(request->reply_fd, 0, SEEK_CUR);
        s.sink.seekable = s.sink.start >= 0;
    }
    sha256_begin(&s.sink.hash);
    do {
        had = s.sink.have;
        failure = (struct err){0};
        result = try_once(&s, &failure);
        reply->attempts++;
    } while (again(&s, result, had, &failure));
    if (result == 0) {
        finish_reply(&s);
        return 0;
    }
    SCOPED(buf_release) struct buf shown = {0};

    http_redact(reply->url ? reply->url : request->url, &shown);
    *err = failure;
    if (reply->attempts > 1)
        err_add(err, " (tried %u times)", reply->attempts);
    return err_wrap(err, "%s %s", request->method, buf_cstr(&shown));
}
