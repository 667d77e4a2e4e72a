/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_DOWNLOAD_H
#define BUILDER_DOWNLOAD_H

/*
 * What a URL gives, as a blob in the store. A record, cache/urls/<hex of the URL's SHA-256>, tells
 * what it gave last, and by which ETag or Last-Modified:
 *   {"digest":"sha256:…","size":N,"mtime":N,"etag":"…","lastModified":"…"}
 * While the blob is there a URL that has not changed costs one conditional request, and one whose
 * checksum is known none at all. The URL itself is not written down: it may hold a credential.
 *
 * The body streams into a nameless file and is hashed on the way. Over https the secrets
 * HTTP_AUTH_HEADER_<host> or HTTP_AUTH_TOKEN_<host> are sent to that host alone.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/hash.h"

#define DOWNLOAD_MAX ((uint64_t)64 << 30) /* ours: larger is nothing that belongs into an image */

struct http;
struct layout;
struct secret_source;

struct download {
    char digest[DIGEST_SIZE]; /* its blob is in the store */
    uint64_t size;
    int64_t mtime; /* Last-Modified, or 0: seconds */
};

/* Is this an http or https URL? */
bool download_is_url(const char *text);
/* checksum: the digest ("sha256:…") that it must have; NULL: any. ERR_REMOTE (code: the status)
 * when the server refuses; ERR_INPUT, with both digests, when it gives something else. */
int download(const struct layout *layout, struct http *http, const struct secret_source *secrets,
             const char *url, const char *checksum, struct download *out, struct err *err);
/* The name of the file that a URL stands for: the last component of its path, "__unnamed__" when it
 * has none. For free(). */
char *download_name(const char *url);

#endif
