/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_HTTP_URL_H
#define BASE_HTTP_URL_H

/*
 * http and https URLs taken apart, as base/http needs them (RFC 3986). Pure. User names in a URL,
 * white space, control bytes and backslashes make it invalid: they are how requests get smuggled.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

struct http_url {
    bool tls;
    bool has_port;
    uint16_t port;    /* the scheme's default when none was given */
    struct str host;  /* as written; IPv6 literals without brackets */
    struct str path;  /* from the first "/"; may be empty */
    struct str query; /* after "?"; ptr NULL when there is none */
    bool ipv6;
};

/* Slices are borrowed from text. A fragment is left out. */
bool http_url_parse(struct str text, struct http_url *out);
bool http_url_same_origin(const char *a, const char *b); /* scheme, host and port */
/* The host is a literal in 169.254.0.0/16 or fe80::/10, where cloud machines hand out credentials.
 */
bool http_is_link_local(const char *url);

#endif
