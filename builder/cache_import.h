/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_CACHE_IMPORT_H
#define BUILDER_CACHE_IMPORT_H

/*
 * What --cache-from knows of steps: read once before the build, manifests and configs only; a layer
 * comes when something needs its bytes (builder/lazy.h). What cannot be read is a warning, for a
 * first build has nothing to read; ignore-error=false makes it an error.
 *
 * Written by strangers. A step takes a record only when its layer can be had; once the layer is
 * here, it must hold what the record's diff id says. Finding is for any thread.
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "builder/cache.h"
#include "builder/cache_doc.h"
#include "builder/cache_spec.h"

struct build;
struct lazy;
struct layout;
struct making;
struct platform;
struct remote;
struct stage;

struct imported_record {
    char hex[SHA256_HEX_SIZE];
    size_t number; /* of what was read: the first --cache-from wins */
    struct cache_record record;
};

struct imported_content {
    struct cache_content content; /* id owned */
    struct descriptor blob;
};

struct imported {
    struct imported_record *records; /* sorted by hex */
    size_t count, capacity;
    struct imported_content *contents; /* of cache mounts */
    size_t contents_count, contents_capacity;
};

struct import_tools {
    struct layout *layout;
    struct remote *remote;
    struct lazy *lazy;
    const struct platform *platforms; /* of which images in an index are looked at */
    size_t platforms_count;
};

/* Appends what each of the specs leads to. */
int imported_read(struct imported *imported, const struct cache_spec *specs, size_t count,
                  const struct import_tools *tools, struct err *err);
void imported_release(struct imported *imported);
/* Contents of the cache mount of this name; borrowed, NULL: none. */
const struct imported_content *imported_find_content(const struct imported *imported,
                                                     const char *name);

/* What a step may take from a build before: the store's own records, then those from elsewhere.
 * 1 found, 2 found elsewhere, 0 not (also when nothing is to be taken for this stage), -1. */
int cache_recall(const struct build *build, const struct making *making, const char *hex,
                 struct cache_record *record, struct err *err);
/* Not with --no-cache, nor for a stage that --no-cache-filter names. */
bool cache_may_recall(const struct build *build, const struct making *making);
/* --no-cache-filter names the stage: what is made of it goes by its layers, not by its definition.
 */
bool cache_is_filtered(const struct build *build, const struct making *making);
/* After a build: what was taken from elsewhere, and is here now and looked at, is remembered. */
int cache_keep_imported(struct build *build, struct err *err);
/* Is this the stage's name, or its index? */
bool cache_names_stage(const struct stage *stage, const char *text);

#endif
