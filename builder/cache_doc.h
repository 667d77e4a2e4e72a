/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_CACHE_DOC_H
#define BUILDER_CACHE_DOC_H

/*
 * Records of steps as they travel: the config of a cache manifest, whose layers are the layers of
 * the steps, or a member of an image's config (inline). Pure; what is read was written by
 * strangers.
 *
 *     {"version": 1,
 *      "records": [{"keys": ["<64 hex>", …], "created": "…",
 *                   "diffId": "sha256:…", "layer": "sha256:…"}, …],
 *      "mounts": [{"name": "<64 hex>", "id": "…", "mode": 493, "uid": 0, "gid": 0,
 *                  "diffId": "sha256:…", "layer": "sha256:…"}, …]}
 *
 * A step without a layer has neither diffId nor layer. Inline, layer is left out: it is the layer
 * of the image that has the diff id. "mounts": contents of RUN --mount=type=cache, as one layer on
 * nothing each; name as builder/cache_mount.h makes it.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/strv.h"

#define MEDIA_CACHE_CONFIG "application/vnd.slipway.cache.config.v1+json"
#define CACHE_DOC_INLINE "slipway.cache.v1" /* the member of an image config */
#define CACHE_DOC_MAX (8 << 20)             /* ours: bytes of a document */

struct cache_entry {
    struct strv keys; /* hex; at least one */
    char created[CLOCK_TEXT_SIZE];
    char diff_id[DIGEST_SIZE]; /* "": no layer */
    char layer[DIGEST_SIZE];   /* "": the one with that diff id */
};

struct cache_content {
    char name[SHA256_HEX_SIZE];
    char *id;
    uint32_t mode, uid, gid; /* of the directory itself */
    char diff_id[DIGEST_SIZE];
    char layer[DIGEST_SIZE];
};

struct cache_doc {
    struct cache_entry *entries;
    size_t count, capacity;
    struct cache_content *contents;
    size_t contents_count, contents_capacity;
};

void cache_doc_release(struct cache_doc *doc);
/* ERR_INPUT; out is empty on failure. */
int cache_doc_parse(json_t *value, struct cache_doc *out, struct err *err);
json_t *cache_doc_to_json(const struct cache_doc *doc); /* new */

/* An entry for this key; one that says the same under another key gets it as one more. diff_id and
 * layer may be NULL. */
void cache_doc_add(struct cache_doc *doc, const char *key, const char *created, const char *diff_id,
                   const char *layer);
/* The key for an entry that says just this; without one nothing is added. */
void cache_doc_add_key(struct cache_doc *doc, const char *key, const char *created,
                       const char *diff_id, const char *layer);
/* Entries and keys in an order that does not depend on who was first. */
void cache_doc_sort(struct cache_doc *doc);
struct cache_content *cache_doc_add_content(struct cache_doc *doc); /* empty; id is to be filled */

#endif
