/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_CACHE_CONTENT_H
#define BUILDER_CACHE_CONTENT_H

/*
 * What is in cache mounts (builder/cache_mount.h), on its way to another host: one layer on nothing
 * for each, with names, modes, owners, times, links and attributes as they are, so the same content
 * has the same digest and moves once. It is read while no step has the cache for itself, and goes
 * into a cache that is new only.
 */
#include <stddef.h>

#include "base/err.h"
#include "base/hash.h"
#include "builder/cache_doc.h"
#include "builder/cache_spec.h"
#include "registry/descriptor.h"

struct build;
struct imported_content;
struct layout;

/* The cache mounts that the build's steps have, remembered or not. */
struct cache_contents {
    struct cache_name {
        char name[SHA256_HEX_SIZE];
        char *id;
    } * items;
    size_t count, capacity;
};

void cache_contents_release(struct cache_contents *contents);
/* Any thread tells. */
void cache_content_used(struct build *build, const char *name, const char *id);

/* Adds to doc what spec asks for, and calls add_layer for each layer. What is over
 * cache-mounts-max-size stays behind, with a warning. */
int cache_content_export(struct build *build, const struct cache_spec *spec, struct cache_doc *doc,
                         void (*add_layer)(void *ctx, const struct descriptor *layer), void *ctx,
                         struct err *err);
/* Fills a new cache, dir_fd: 1; 0: it cannot be had, a warning says why, and dir_fd is empty. */
int cache_content_fill(struct layout *layout, const struct imported_content *from, int dir_fd,
                       struct err *err);

#endif
