/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_CACHE_H
#define BUILDER_CACHE_H

/*
 * What steps gave before: cache/steps/<hex of key>, one small JSON file a key.
 *   {"created":"…","diffId":"sha256:…","layer":{descriptor},"elf":[builder/survey.h],
 *    "usage":{builder/step_usage.h}}
 * layer is missing when the step changed nothing, elf when it added no programs, usage when no
 * command was run for it here.
 *
 * A step has two keys, and a record under each:
 *   by definition   the parent's definition, what the instruction says (builder/define.h), and the
 *                   names of the layers below. It needs no file system: a hit looks at no layer.
 *   by result       the layers below, and what the instruction comes to in them. A parent that was
 *                   made again, or is defined in other words, and gave the same layers, hits.
 * Every field is framed by its length. cache/shapes/<hex> stands for a part of a context whose
 * files were read once (builder/context_tree.h).
 */
#include <stdbool.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/strv.h"
#include "builder/stack.h"
#include "builder/step_usage.h"
#include "builder/survey.h"

struct layout;
struct layer;

struct cache_key {
    struct sha256 hash;
    char hex[SHA256_HEX_SIZE]; /* after cache_key_end() */
    struct strv *fields; /* "name=value" of all that is added, for --explain; NULL: not kept */
};

/* Begins a key with the layers below and the name of the step's kind. Fields are not kept. */
void cache_key_begin(struct cache_key *key, const struct stack *below, const char *kind);
/* Begins a key with what is below by definition: 64 hex digits. fields: may be NULL; borrowed. */
void cache_key_begin_defined(struct cache_key *key, const char *parent, const char *kind,
                             struct strv *fields);
void cache_key_text(struct cache_key *key, const char *name, const char *text); /* NULL is not "" */
void cache_key_list(struct cache_key *key, const char *name, const struct strv *list);
void cache_key_u64(struct cache_key *key, const char *name, uint64_t value);
void cache_key_end(struct cache_key *key);

struct cache_record {
    char created[CLOCK_TEXT_SIZE];
    bool has_layer;
    char diff_id[DIGEST_SIZE];
    struct descriptor blob;
    struct survey survey;
    struct step_usage usage;
};

void cache_record_release(struct cache_record *record);
void cache_record_copy(struct cache_record *to,
                       const struct cache_record *from); /* `to` is empty */
/* 1 found, and the layer's blob is in the store; 0 not. A damaged record counts as none. */
int cache_find(const struct layout *layout, const char *hex, struct cache_record *record,
               struct err *err);
int cache_save(const struct layout *layout, const char *hex, const struct cache_record *record,
               struct err *err);
/* Was a context of this shape (hex of its hash) ever read? */
bool cache_knows_shape(const struct layout *layout, const char *hex);
int cache_save_shape(const struct layout *layout, const char *hex, struct err *err);

#endif
