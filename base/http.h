/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_HTTP_H
#define BASE_HTTP_H

/*
 * Requests and replies: the door to libcurl, which is opened (dlopen) on first use. No curl type
 * leaves http.c. One struct http serves any number of threads and keeps connections, TLS sessions
 * and per-host pauses.
 *
 * Retries: only here, only `repeatable` requests; on no reply, 408, 429, 500, 502, 503, 504;
 * Retry-After (seconds or date) is honoured for all requests to that host; else exponential with
 * jitter. Bodies come from memory or from a seekable descriptor, so they can be sent again. Refused
 * connections and unknown host names are tried three times at most. A presigned storage URL that
 * answers 403 after a redirect is asked for anew at its origin, once. Redirects: ours, GET and HEAD
 * only, at most 10; `authorization`, cookies and x-amz-/x-aws- headers are dropped when scheme,
 * host or port changes; https never goes to http. Everything else returns the 3xx as the reply.
 * Headers go out as given: nothing is added but Host, Content-Length, User-Agent and, for bodies
 * over 1 MiB, Expect. Plain http is refused unless the host is loopback, http_options.insecure
 * names it or the request is `plain`. Proxies: HTTPS_PROXY, HTTP_PROXY, NO_PROXY, both cases; never
 * for link-local addresses (169.254.0.0/16). Errors: ERR_NETWORK (code: enum http_fail) when no
 * reply came; a reply of any status is success. Of bodies outside 2xx at most 64 KiB are kept, and
 * a cut one counts as whole. Debug log lines carry method, URL (query values redacted) and status;
 * never a credential.
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/strv.h"

struct http;

enum http_fail {
    HTTP_FAIL_OTHER,
    HTTP_FAIL_RESOLVE,
    HTTP_FAIL_CONNECT,
    HTTP_FAIL_TLS,
    HTTP_FAIL_CUT,
    HTTP_FAIL_TIMEOUT,
    HTTP_FAIL_TOO_LARGE,
    HTTP_FAIL_LOCAL,  /* our own descriptor failed: disk full … */
    HTTP_FAIL_STOPPED /* http_request.stop */
};

struct http_options {
    const char *ca_file; /* PEM bundle added to the system's; NULL: none */
    const struct strv
        *insecure; /* "host[:port]": plain http and unverified TLS allowed; NULL: none */
    const struct strv *connect_to; /* "host[:port]=host:port": where to connect instead; name and
                                      TLS stay the first's */
    unsigned attempts;             /* tries of a repeatable request; 0 means 5 */
    uint64_t retry_base_ms;        /* first pause; 0 means 500 */
    uint64_t stall_timeout_ms; /* no byte moved for so long: given up (retried); 0 means 60000 */
};

struct http_request {
    const char *method; /* "GET" … */
    const char *url;
    const struct strv *headers; /* "Name: value"; NULL: none */
    const char *authorization; /* value of the header, kept from other hosts and logs; NULL: none */
    struct str body;           /* from memory, or … */
    int body_fd; /* … `body_size` bytes from `body_offset` of a file, when has_body_fd */
    bool has_body_fd;
    uint64_t body_offset, body_size;
    bool has_body;      /* send "Content-Length: 0" for an empty body too */
    uint64_t reply_max; /* largest reply body taken; 0 means 1 MiB */
    int reply_fd;       /* 2xx bodies go here from its current offset, when has_reply_fd; others to
                           reply.body */
    bool has_reply_fd;
    bool hash_reply; /* fill reply.digest */
    bool repeatable; /* may be sent again: GET, HEAD, PUT of the same bytes … */
    bool resume; /* what the URL names never changes (a blob): after a cut body the next try asks
                  * for the rest with Range; needs repeatable and has_reply_fd */
    bool no_redirect;
    bool plain; /* an http:// URL is taken as it is: somebody wrote it for this one file. Never with
                 * a credential. */
    uint64_t timeout_ms;         /* for the whole request; 0: none, only the stall time-out */
    uint64_t connect_timeout_ms; /* 0 means 20000 */
    void (*on_progress)(void *arg, uint64_t sent, uint64_t received);
    void *on_progress_arg;
    const atomic_bool *stop; /* true: given up within a second or so, not retried; NULL: none */
};

struct http_reply {
    int status;
    struct strv headers; /* "Name: value", as sent, of the last reply */
    struct buf body;
    uint64_t size;            /* bytes of body, wherever they went */
    char digest[DIGEST_SIZE]; /* of the body, when asked for */
    char *url;                /* where the last reply came from */
    unsigned attempts;        /* requests sent, redirects not counted */
};

struct http *http_open(const struct http_options *options,
                       struct err *err); /* options are copied; NULL: defaults */
void http_free(struct http *http);
int http_send(struct http *http, const struct http_request *request, struct http_reply *reply,
              struct err *err);
void http_reply_release(struct http_reply *reply);
/* First header of that name (any case), value trimmed, or NULL; borrowed. http_next_header: those
 * after it. */
const char *http_header(const struct http_reply *reply, const char *name);
const char *http_next_header(const struct http_reply *reply, const char *name, const char *after);
/* RFC 3986 §5: resolves a Location against the URL it came from. For free(); NULL when it makes no
 * sense. */
char *http_resolve(const char *base, const char *location);
/* The URL for logs and errors: query values as "*" (presigned URLs hold credentials there), control
 * bytes escaped. */
void http_redact(const char *url, struct buf *out);
/* The host is an IP literal that is not public: private, loopback, link-local, unique local,
 * unspecified. */
bool http_is_private(const char *url);
/* "host[:port]" of a URL, lower case, default port removed; false when it is no http(s) URL. */
bool http_host(const char *url, struct buf *out);
bool http_is_loopback(const char *url);
/* The date of a header (RFC 9110 §5.6.7, its preferred form), seconds since 1970. */
bool http_date(const char *value, int64_t *out);

/* Loads now what the first request would load: for who is about to replace this machine's files. */
void http_preload(void);

#endif
