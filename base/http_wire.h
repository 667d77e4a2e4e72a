/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_HTTP_WIRE_H
#define BASE_HTTP_WIRE_H

/*
 * One exchange, request out and reply in, over libcurl; no policy (base/http.c has that). libcurl
 * is opened with dlopen when the first exchange begins. Handles are kept and given out again to the
 * host they last spoke to, so connections live on; DNS answers and TLS sessions are shared by all.
 * No curl type leaves http_wire.c.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/hash.h"
#include "base/http.h"

struct http_wire;

/* Where a 2xx body goes; outlives the exchange, so that the next can go on where a cut one stopped.
 */
struct http_sink {
    bool seekable;
    off_t start;        /* of reply_fd */
    uint64_t have;      /* bytes taken since start */
    struct sha256 hash; /* of those */
};

struct http_exchange {
    const struct http_request *request;
    struct http_sink *sink;
    const char *url;   /* of this hop */
    const char *proxy; /* "" for none */
    bool foreign;      /* not the request's own origin: its credentials stay behind */
    bool verify_tls;
    bool resume;         /* ask for the bytes from sink->have on */
    bool resume_refused; /* out: the server gave other bytes than those; begin anew */
    uint64_t timeout_ms; /* 0: none */
    uint64_t stall_timeout_ms;
};

/* ca_bytes: PEM to trust besides the system's, borrowed; NULL: none. connect_to: curl's form,
 * borrowed. */
struct http_wire *http_wire_open(const char *ca_bytes, const struct strv *connect_to);
void http_wire_free(struct http_wire *wire);
/* Fills status, headers and body of the emptied reply. -1: err (ERR_NETWORK, enum http_fail),
 * without the URL. */
int http_wire_send(struct http_wire *wire, struct http_exchange *exchange, struct http_reply *reply,
                   struct err *err);

#endif
