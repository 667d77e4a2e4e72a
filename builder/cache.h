/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_CACHE_H
#define BUILDER_CACHE_H

/*
 * What steps gave before: cache/steps/<hex of key>, one small JSON file a step.
 *   {"created":"…","diffId":"sha256:…","layer":{descriptor}}     layer is missing when the step
 * changed nothing A key hashes, each field framed by its length: a version, the layers below (their
 * diff ids), and what the step is made of (builder/exec.c says what). Steps know nothing of each
 * other's keys: a rebuilt parent with the same layers gives the same keys above it.
 */
#include <stdbool.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/strv.h"
#include "builder/stack.h"

struct layout;
struct layer;

struct cache_key {
    struct sha256 hash;
    char hex[SHA256_HEX_SIZE]; /* after cache_key_end() */
};

/* Begins a key with the layers below and the name of the step's kind. */
void cache_key_begin(struct cache_key *key, const struct stack *below, const char *kind);
void cache_key_text(struct cache_key *key, const char *name, const char *text); /* NULL is not "" */
void cache_key_list(struct cache_key *key, const char *name, const struct strv *list);
void cache_key_u64(struct cache_key *key, const char *name, uint64_t value);
void cache_key_end(struct cache_key *key);

struct cache_record {
    char created[CLOCK_TEXT_SIZE];
    bool has_layer;
    char diff_id[DIGEST_SIZE];
    struct descriptor blob;
};

void cache_record_release(struct cache_record *record);
void cache_record_copy(struct cache_record *to,
                       const struct cache_record *from); /* `to` is empty */
/* 1 found, and the layer's blob is in the store; 0 not. A damaged record counts as none. */
int cache_find(const struct layout *layout, const struct cache_key *key,
               struct cache_record *record, struct err *err);
int cache_save(const struct layout *layout, const struct cache_key *key,
               const struct cache_record *record, struct err *err);

#endif
