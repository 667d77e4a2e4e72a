/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_PULL_H
#define REGISTRY_PULL_H

/*
 * A whole image from a registry into the store: manifest (and the index it came from) as the bytes
 * that were sent, config, layers. Blobs come in parallel on the pool, straight into nameless files,
 * hashed on the way; a blob appears in the store only when its length and digest are what the
 * manifest says, and is never fetched when it is there. A body cut short goes on where it stopped
 * (Range). Mirrors are asked in order, then the origin. Layers of foreign type ("nondistributable")
 * are taken from their `urls`.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct remote;
struct layout;
struct pool;
struct reference;
struct platform;
struct descriptor;

enum pull_flags {
    PULL_ALL = 2,    /* every platform of an index */
    PULL_CONFIG = 4, /* manifests and configs, no layers; the store gets no name for it */
};

struct pull_result {
    uint64_t fetched_size;   /* bytes of blobs that came over the wire */
    size_t fetched, present; /* blobs that came; blobs the store had */
    size_t place;            /* of the reference's places, the one that gave the manifest */
};

/*
 * platform NULL: this host's. *out is what the reference names (an index stays an index:
 * layout_load_image() with the same platform finds the image in it); release it with
 * descriptor_release().
 */
int pull_image(struct remote *remote, struct layout *layout, struct pool *pool,
               const struct reference *ref, const struct platform *platform, struct descriptor *out,
               struct err *err);
/* The same with flags (enum pull_flags) and, when result is not NULL, what was done. */
int pull_image_with(struct remote *remote, struct layout *layout, struct pool *pool,
                    const struct reference *ref, const struct platform *platform, unsigned flags,
                    struct descriptor *out, struct pull_result *result, struct err *err);

#endif
