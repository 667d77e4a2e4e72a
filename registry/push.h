/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_PUSH_H
#define REGISTRY_PUSH_H

/*
 * A stored image to a registry. Nothing of it is visible there until its manifest, which goes last:
 * blobs (HEAD; mount from a repository of that registry known to have it; else POST and PUT,
 * largest first, in parallel on the pool), the manifests of an index by digest, then what the tag
 * names. Bytes are sent as stored, never printed again. A tag that names the same digest already is
 * success without a byte sent (ECR's immutable tags too). An interrupted upload goes on where
 * the registry stands, also in a later process (registry/upload.h). A blob that the store lacks and
 * can fetch (struct layout_fetch) is fetched only when the registry neither has nor mounts it.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/hash.h"

struct remote;
struct layout;
struct pool;
struct reference;
struct platform;
struct descriptor;
struct uploads;

enum push_flags {
    PUSH_ALL = 1, /* an index must go whole: a platform that is not in the store is an error */
};

enum push_how { PUSH_EXISTING, PUSH_MOUNTED, PUSH_UPLOADED };

struct push_blob {
    char digest[DIGEST_SIZE];
    uint64_t size;
    uint64_t sent;    /* bytes that went over the wire for it, repeats included */
    uint64_t resumed; /* bytes that an earlier process had sent and that count */
    enum push_how how;
    char *from;        /* repository it was mounted from; NULL */
    unsigned attempts; /* upload sessions begun */
    uint64_t time_ms;
};

struct push_result {
    char digest[DIGEST_SIZE]; /* what the tag names now */
    char *media_type;
    uint64_t size;           /* of that manifest */
    bool unchanged;          /* the tag named it already */
    struct push_blob *blobs; /* largest first; empty when unchanged */
    size_t blobs_count;
};

/*
 * image: a manifest or an index in the store. platform NULL: all that is in the store of an index
 * (whole: the index; one platform only: that manifest, with a warning; several but not all: an
 * error that lists them).
 */
int push_image(struct remote *remote, struct layout *layout, struct pool *pool,
               const struct descriptor *image, const struct platform *platform,
               const struct reference *target, unsigned flags, struct push_result *result,
               struct err *err);
/* The same with blobs that may have begun before, to the repository of target. */
int push_through(struct uploads *uploads, const struct descriptor *image,
                 const struct platform *platform, const struct reference *target, unsigned flags,
                 struct push_result *result, struct err *err);
void push_result_release(struct push_result *result);
const char *push_how_name(enum push_how how); /* "existing", "mounted", "uploaded" */

#endif
