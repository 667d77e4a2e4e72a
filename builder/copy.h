/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_COPY_H
#define BUILDER_COPY_H

/*
 * COPY and ADD: what will stand where, decided without touching a file's content (copy_plan), then
 * written as a layer (copy_write). Semantics: Dockerfile reference "COPY", and dockerfile.md §1.4
 * for what it leaves open:
 *   - a directory's contents are copied; a named source's links are followed, links found inside
 *     are copied as links
 *   - the destination's links are followed inside the image; missing parents are made 0755, or with
 *     the permissions of an octal --chmod, for the copy's owner
 *   - an existing destination directory keeps its owner and mode; directories below it take the
 *     source's
 *   - a file never replaces a directory, nor a directory a file
 *   - --link: all of that as if the image were empty
 *   - --parents: a source is a directory and a pattern for what is below it; links are not followed
 *     below it
 *   - --exclude: patterns for what is below a source that is a directory, and for the names of
 *     sources that are files
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/hash.h"
#include "builder/context_tree.h"
#include "builder/layer.h"
#include "builder/origin.h"
#include "builder/state.h"

struct pool;

struct copy_request {
    const struct copy_spec *spec;
    struct origin *origin;         /* where sources are read … */
    struct origin *const *origins; /* … but for those that have one of their own here: one for each
                                      of spec->sources, NULL: origin; NULL: none has */
    struct stack *target;          /* the stage so far */
    struct layout *layout;
    struct pool *pool; /* NULL: directories of a context are read one by one */
    bool has_owner;    /* --chown: */
    uint32_t uid, gid; /* … these; else 0:0 from the context, and as they are from a stage */
    int64_t now;       /* mtime of directories that are made, seconds */
};

struct copy_item {
    char *target;                 /* where in the image, owned; entry.path */
    struct entry entry;           /* as it will be written */
    struct origin *origin;        /* where it comes from: borrowed from the request */
    struct origin_ref file;       /* its content, unless … */
    const struct copy_file *text; /* … it is a heredoc, or … */
    bool made;                    /* … a directory made for the others */
    bool archive;                 /* ADD: unpack it here */
    bool shared;                  /* has other names in the origin: see struct origin_file */
    uint64_t device, inode;
    size_t order; /* as they were named; the later of two wins */
};

struct copy_plan {
    struct copy_item *items; /* sorted by entry_path_cmp, each target once; archives last */
    size_t count, capacity;
    size_t archives; /* how many of the last items are archives */
};

/* "user[:group]" as --chown and WORKDIR mean it: a number stands for itself, a user's number alone
 * for the group too; names are looked up in the image's own files, a user's name alone gives its
 * primary group. A name that is not there is an error. */
int copy_owner(const char *text, struct stack *target, struct layout *layout, uint32_t *uid,
               uint32_t *gid, struct err *err);
/* Fills has_owner, uid and gid from the spec's --chown. */
int copy_set_owner(struct copy_request *request, struct err *err);
/* The image as the copy sees it: nothing for --link, else the stage so far. NULL on failure. */
const struct view *copy_view(const struct copy_request *request, struct err *err);
/* What a copy from a context reads (builder/context_tree.h), but for the destination: without a
 * plan and without the image. */
int copy_define(const struct copy_request *request, enum context_depth depth, struct sha256 *h,
                struct err *err);
/* Appends the files of the same, a line each (context_tree_list()). */
int copy_list(const struct copy_request *request, struct buf *out, struct err *err);
int copy_plan_make(const struct copy_request *request, struct copy_plan *plan, struct err *err);
void copy_plan_release(struct copy_plan *plan);
/* The layers whose names belong into the key: of an archive nobody knows what it meets in the image
 * until it is unpacked, nor of what was not planned yet (plan NULL); of anything else the plan says
 * it all, and below is empty. */
const struct stack *copy_key_below(const struct copy_request *request,
                                   const struct copy_plan *plan);
/* Adds all that decides about the layer to a cache key: never mtimes. */
int copy_plan_hash(const struct copy_request *request, const struct copy_plan *plan,
                   struct sha256 *h, struct err *err);
/* A file of the context that has changed since the plan was made, or NULL: then the layer is not
 * what its key says. */
const char *copy_plan_changed(const struct copy_plan *plan);
int copy_write(const struct copy_request *request, const struct copy_plan *plan, struct pool *pool,
               const struct layer_options *options, struct layer *layer, struct err *err);

#endif
