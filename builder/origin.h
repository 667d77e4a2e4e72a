/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_ORIGIN_H
#define BUILDER_ORIGIN_H

/*
 * Where COPY and ADD read: a build context, the file system of a stage or image, or one downloaded
 * file, behind one face. Links are followed inside the origin's root and never out of it.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/hash.h"
#include "builder/context.h"
#include "builder/entry.h"
#include "builder/stack.h"

struct layout;
struct sums;

/* A single file, as a URL gave it: its content is a blob of the store. Mode 0600, owner 0:0. */
struct origin_blob {
    char *name;
    char digest[DIGEST_SIZE];
    uint64_t size;
    int64_t mtime;
};

struct origin {
    struct context *context; /* one of these three; borrowed */
    struct stack *stack;
    const struct origin_blob *blob; /* found at every path */
    struct layout *layout;
    const char *label;  /* for messages: "the build context", "stage builder" */
    struct sums **sums; /* of a stack's layers, each opened when it is first needed; owned */
    size_t sums_count;
};
void origin_release(struct origin *origin); /* the origin as such: what it borrows stays */

/* One file of an origin, small: a plan holds many. */
struct origin_ref {
    struct context_node *node; /* of a context; else: */
    uint32_t layer, record;    /* which index of the stack's view, which record */
};

/* The same with its metadata. Strings are borrowed from the origin and live as long. */
struct origin_file {
    struct origin_ref ref;
    struct entry entry;     /* entry.path: where it is in the origin, without links; no xattrs:
                               origin_xattrs() */
    bool shared;            /* other names have the same inode: */
    uint64_t device, inode; /* … equal pairs within one origin are the same file */
};

/* 1: found, links followed (`last` false: but not a last one). 0: not there. -1. */
int origin_find(struct origin *origin, const char *path, bool last, struct origin_file *file,
                struct err *err);

struct origin_list {
    struct origin_file *items;
    size_t count, capacity;
};
void origin_list_release(struct origin_list *list);
/* Appends what is in a directory, sorted by name. */
int origin_list_dir(struct origin *origin, struct origin_ref dir, struct origin_list *list,
                    struct err *err);

const char *origin_path(const struct origin *origin,
                        struct origin_ref file); /* borrowed from the origin */
int origin_open(struct origin *origin, struct origin_ref file, struct err *err); /* content */
/* Appends the attributes that travel with an image. */
int origin_xattrs(struct origin *origin, struct origin_ref file, struct xattr_set *set,
                  struct err *err);
/* Adds what stands for content and attributes to a cache key: never the names of the layers that
 * hold them, so that a stage made again to the same files is the same. Not for two threads at once.
 */
int origin_hash(struct origin *origin, struct origin_ref file, struct sha256 *h, struct err *err);
/* Why nothing is at path, for the end of an error: "; .dockerignore leaves it out". "" when nothing
 * is known. */
const char *origin_hint(const struct origin *origin, const char *path);

#endif
