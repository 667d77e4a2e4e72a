/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_EXPORT_H
#define BUILDER_EXPORT_H

/*
 * The files of a finished stage, out of the store: into a directory, or as one tar. Hard links stay
 * hard links, symbolic links are copied and never followed.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "builder/entry.h"
#include "builder/stack.h"
#include "builder/tar.h"

struct layout;

struct export_options {
    bool owners; /* a directory: files get the owners the image gives them, else the caller's */
    bool remove; /* a directory: what the stage does not have is removed from it */
    bool clamp;  /* no mtime is later than epoch (SOURCE_DATE_EPOCH) */
    int64_t epoch;
    const char *prefix; /* a tar: what names begin with, "linux_amd64"; NULL: nothing */
};

/*
 * Into an open directory, which keeps its own mode and what it has beside the stage's files. Each
 * file appears whole, under its name or not at all. Links in the directory are replaced, never
 * followed; a directory where the stage has a file is an error. Devices that may not be made here
 * are left out with a warning.
 */
int export_dir(struct stack *stack, struct layout *layout, int dir_fd,
               const struct export_options *options, struct err *err);
/* Appends to an archive that the caller ends. */
int export_tar(struct stack *stack, struct layout *layout, struct tar_writer *tar,
               const struct export_options *options, struct err *err);

/* The names of one inode: which of them was written first. Shared by the two. */
struct export_links {
    struct export_link {
        size_t layer, record;
        char *path;
    } * items;
    size_t count, capacity;
};
void export_links_release(struct export_links *links);
/* The path already written whose file `at` is too, or NULL: then at's is to be written. */
const char *export_links_find(struct export_links *links, const struct view *view,
                              const struct view_entry *at);

#endif
