/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_BUNDLE_H
#define BUILDER_BUNDLE_H

/*
 * Images in one tar, out of the store and back: OCI archives (image-spec image-layout.md, tarred)
 * and docker archives
 * ("docker save": manifest.json, repositories, configs, layers). Streamed both ways, every digest
 * checked both ways.
 *
 * Written: entries in a fixed order with time 0 and owner 0: the same images give the same bytes.
 * Layers go as they are in the store; docker archives name them <hex>.tar.gz, .tar.zst or .tar.
 * Read: either kind, plain or compressed with gzip or zstd, from a file or a pipe. Nothing is
 * written to a path that the archive names: contents become blobs under their own digests, and
 * images get their names only when all they need is there and checked. Plain layers of docker
 * archives are compressed; compressed ones stay as they are.
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "registry/descriptor.h"
#include "registry/platform.h"
#include "registry/reference.h"

struct layout;
struct pool;

enum bundle_format { BUNDLE_OCI, BUNDLE_DOCKER };

struct bundle_image {
    char *name; /* full name, or NULL */
    struct descriptor descriptor;
};

struct bundle {
    struct bundle_image *images;
    size_t count, capacity;
};

void bundle_release(struct bundle *b);
void bundle_add(struct bundle *b, const char *name, const struct descriptor *d); /* copies */

/* platform NULL: OCI archives take an index whole, with what the store has of it; docker archives
 * take the host's. */
int bundle_save(const struct layout *layout, const struct bundle *images, enum bundle_format format,
                const struct platform *platform, int fd, struct err *err);

/* name: what the one image of the archive shall be called; NULL: as the archive says. *out: what
 * was loaded. */
int bundle_load(struct layout *layout, struct pool *pool, int fd, const struct reference *name,
                struct bundle *out, struct err *err);

#endif
