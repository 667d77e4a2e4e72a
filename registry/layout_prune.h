/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_LAYOUT_PRUNE_H
#define REGISTRY_LAYOUT_PRUNE_H

/*
 * What the store holds and what it could do without. Live is what a name in index.json reaches:
 * manifests, configs, layers, and the trees and path indexes of these layers. The rest is dead:
 * blobs nobody names, images without a name, trees and indexes of layers that are gone. Beside both
 * stand the caches that builds keep (step records, digests of files, cache mounts).
 *
 * layout_prune takes the store's exclusive lock: it waits for every other process to be done, so
 * nothing that an open build needs is ever removed. Killed half-way it leaves a store that works.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "registry/layout.h"

struct prune_options {
    bool all;        /* the builds' caches too */
    bool has_budget; /* remove only until the store takes keep_bytes, least recently used first … */
    uint64_t keep_bytes; /* … dead things first, then trees, indexes and caches, which can be made
                            again */
    bool dry_run;
    uint64_t wait_ms; /* how long to wait for other processes */
    /* Called for each thing that goes; what: "blob", "tree", "index", "cache". NULL: no one
     * listens. */
    void (*on_remove)(void *arg, const char *what, const char *name, uint64_t bytes);
    void *arg;
};

struct prune_result {
    uint64_t removed;       /* things */
    uint64_t removed_bytes; /* on the disk */
    uint64_t left_bytes;    /* of the whole store after it; only with a budget */
};

int layout_prune(const struct layout *l, const struct prune_options *options,
                 struct prune_result *out, struct err *err);

/* Bytes are what the disk gives (st_blocks), hard links counted once: the sum is what du(1) says of
 * the root. */
struct layout_usage {
    struct layout_part {
        uint64_t count;
        uint64_t bytes;
        uint64_t dead_bytes;            /* what prune would free */
    } blobs, trees, caches, unfinished; /* caches: path indexes too; unfinished: tmp/ */
    uint64_t names, unnamed;
    uint64_t bytes;      /* of all, with index.json, lock and the directories themselves */
    uint64_t unreadable; /* directories we may not look into: the figures are too small */
};

int layout_usage(const struct layout *l, struct layout_usage *out, struct err *err);

#endif
