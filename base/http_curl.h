/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_HTTP_CURL_H
#define BASE_HTTP_CURL_H

/*
 * The door to libcurl, for http_wire.c alone: the library opened when the first handle is wanted,
 * and handles lent out one to a thread. A handle goes again to the host it last spoke to, so that
 * its connection lives on; DNS answers and TLS sessions are shared by all. (libcurl's own sharing
 * of connections between threads is documented as unsafe.)
 */
#define CURL_DISABLE_TYPECHECK
#define CURL_DISABLE_DEPRECATION
#include <curl/curl.h>

#include "base/err.h"
#include "base/http_wire.h"

struct curl_api {
    CURLcode (*global_init)(long);
    void (*global_cleanup)(void);
    CURL *(*easy_init)(void);
    void (*easy_cleanup)(CURL *);
    void (*easy_reset)(CURL *);
    CURLcode (*easy_setopt)(CURL *, CURLoption, ...);
    CURLcode (*easy_perform)(CURL *);
    CURLcode (*easy_getinfo)(CURL *, CURLINFO, ...);
    const char *(*easy_strerror)(CURLcode);
    struct curl_slist *(*slist_append)(struct curl_slist *, const char *);
    void (*slist_free_all)(struct curl_slist *);
    CURLSH *(*share_init)(void);
    CURLSHcode (*share_setopt)(CURLSH *, CURLSHoption, ...);
    CURLSHcode (*share_cleanup)(CURLSH *);
    curl_version_info_data *(*version_info)(CURLversion);
};

/* The functions; valid once a handle was taken. */
const struct curl_api *http_curl_api(const struct http_wire *wire);
/* A handle with every option at its default but those all exchanges share. NULL: libcurl is
 * missing. */
CURL *http_curl_take(struct http_wire *wire, const char *host, struct err *err);
void http_curl_give(struct http_wire *wire, CURL *easy, const char *host);

#endif
