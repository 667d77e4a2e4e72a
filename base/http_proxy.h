/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_HTTP_PROXY_H
#define BASE_HTTP_PROXY_H

/* Which proxy a URL goes through. Pure but for http_proxy_from_env. */
#include <stdbool.h>

struct http_proxy {
    char *https, *http; /* proxy URLs; NULL: none */
    char *except; /* NO_PROXY: names, ".suffix", "*.suffix", IP, CIDR, each with an optional :port;
                     "*" for all */
};

/* HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY; the lower-case form wins, as it does in other
 * programs. */
void http_proxy_from_env(struct http_proxy *out);
void http_proxy_release(struct http_proxy *proxy);
/* The proxy's URL, or "" for none: loopback and link-local addresses never go through one. Borrowed
 * from proxy. */
const char *http_proxy_for(const struct http_proxy *proxy, const char *url);

#endif
