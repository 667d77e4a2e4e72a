/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_CACHE_EXPORT_H
#define BUILDER_CACHE_EXPORT_H

/*
 * What a build's steps gave, to where --cache-to says: an image manifest whose config holds the
 * records (builder/cache_doc.h) and whose layers are theirs. A layer that is there already, or was
 * never needed here, moves only when it must. mode=min: the steps of which the targets are made;
 * mode=max: all of them, those of stages too that were not looked at because others were
 * remembered.
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/json.h"
#include "builder/cache.h"
#include "builder/cache_spec.h"

struct build;
struct making;
struct product;

/* A step that was taken or made: any thread tells. */
struct cache_use {
    char hex[SHA256_HEX_SIZE];
    const struct making *making;
    struct cache_record record;
};

struct cache_uses {
    struct cache_use *items;
    size_t count, capacity;
};

void cache_uses_release(struct cache_uses *uses);
void cache_used(struct build *build, const struct making *making, const char *hex,
                const struct cache_record *record);

/* Before the build: names, places. ERR_USAGE. */
int cache_export_check(const struct cache_spec *specs, size_t count, struct err *err);
/* After it: all specs but inline ones. */
int cache_export(struct build *build, struct err *err);
/* The member CACHE_DOC_INLINE for the image of this product; NULL: none is asked for. New. */
json_t *cache_export_inline(struct build *build, const struct product *product);

#endif
