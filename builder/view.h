/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_VIEW_H
#define BUILDER_VIEW_H

/*
 * The file system of a stage, as a stack of layer indexes with whiteouts and opaque directories
 * applied: answers what an overlay mount of the layers would, without mounting or unpacking.
 * Reading needs no lock; pushing does. Paths are cleaned as if from the root ("/a/../b", "b" are
 * "b"); ".." cannot leave it.
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "builder/entry.h"

struct index;

struct view {
    const struct index *
        *layers; /* bottom to top, borrowed: they must stay open as long as the view */
    size_t count;
    size_t capacity;
};

struct view_entry {
    struct entry
        entry;     /* pointers borrowed from the layer's index; entry.path is the looked-up path */
    size_t layer;  /* which layer has it (content: trees/<diff id of that layer>/path); 0 is the
                      bottom */
    size_t record; /* its number in that index */
};

void view_release(struct view *v);
void view_push(struct view *v, const struct index *layer);

/* The path itself, no link followed, last component nor others (a link on the way means: not
 * there). False: nothing is there. A directory that upper layers only imply shows the metadata of
 * the highest layer that names it, or 0755 0:0. */
bool view_lookup(const struct view *v, const char *path, struct view_entry *found);

/*
 * Follows symbolic links inside the root, as a process chrooted there would. out becomes the path
 * without links. 1: it is there (found may be NULL). 0: it is not; out is where it would be made:
 * links in the part that exists are followed, also a dangling last one, the rest is kept. -1: more
 * than 40 links (ERR_INPUT, ELOOP), or a component that is not a directory (ENOTDIR).
 */
enum view_follow { VIEW_FOLLOW, VIEW_NOFOLLOW_LAST };
int view_resolve(const struct view *v, const char *path, enum view_follow how, struct buf *out,
                 struct view_entry *found, struct err *err);

/* What is in a directory, sorted by name. Names are borrowed from the indexes. */
struct view_list {
    struct view_item {
        const char *name;
        struct view_entry at; /* at.entry.path is borrowed from an index */
    } * items;
    size_t count;
    size_t capacity;
};

void view_list_release(struct view_list *list);
void view_list_dir(const struct view *v, const char *dir,
                   struct view_list *list); /* appends; no links followed */

/* Calls fn for path and everything below it, in entry_path_cmp order, no links followed. Stops at
 * -1 and returns it. A path that is not there is no call. fn may set *skip to leave out what is
 * below a directory. */
typedef int view_walk_fn(void *ctx, const struct view_entry *at, bool *skip, struct err *err);
int view_walk(const struct view *v, const char *path, view_walk_fn *fn, void *ctx, struct err *err);

/*
 * The content of a small file such as etc/passwd, links followed: from the index where it is kept
 * there, else through open, which gives a descriptor of the file in that layer's tree
 * (layer_open_file(), builder/layer.h). 1 read, 0 not there, -1: not a regular file, larger than
 * max, unreadable.
 */
typedef int view_open_fn(void *ctx, const struct view_entry *at, struct err *err);
int view_read(const struct view *v, const char *path, size_t max, view_open_fn *open, void *ctx,
              struct buf *out, struct err *err);

#endif
