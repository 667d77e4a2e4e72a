/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_SCAN_H
#define BUILDER_SCAN_H

/*
 * What changed in a directory tree, found by looking at every entry twice: where no overlay can be
 * mounted. An entry is what it was when device, inode, birth, change time (ctime, to the
 * nanosecond), type, mode, owner and size are: no program can set a ctime, so no content is read.
 *
 * The record of a look is a file, written and read once from start to end, so that memory does not
 * grow with the tree: for each entry, in the order of layers (entry_path_cmp),
 *     <struct item><name, padded to 8 bytes>
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "base/err.h"
#include "base/strv.h"

struct scan {
    int fd;                 /* the record; -1: there is none */
    uint64_t size;          /* of it */
    uint64_t count;         /* entries */
    struct timespec latest; /* ctime among them */
    struct scan_shared {    /* files with several names */
        char *path;
        uint64_t at; /* in the record */
    } * shared;
    size_t shared_count, shared_capacity;
};
#define SCAN_CLOSED                                                                                \
    {                                                                                              \
        .fd = -1                                                                                   \
    }

enum scan_change {
    SCAN_NEW,     /* or another file than the one that was there */
    SCAN_CHANGED, /* the same file, with another ctime */
    SCAN_GONE,    /* with all that was below it, which is not told */
    SCAN_REMADE,  /* a directory where something else was; all that is in it is new */
};
/* dir_fd and name: the entry, unless it is gone. In the order of layers. Stops at -1. */
typedef int scan_fn(void *ctx, enum scan_change change, const char *path, int dir_fd,
                    const char *name, struct err *err);

struct scan_options {
    int dir_fd;                /* where the record is made; its file has no name */
    const struct scan *before; /* NULL: nothing is told */
    /* Entries of the same name and type go together; a file has changed when it is another one,
     * with another size or time of modification, a directory never. */
    bool by_name;
    /* Files whose ctime says nothing, as somebody trusted moved them away and back. Sorted by
     * entry_path_cmp, may be NULL. */
    const struct strv *held;
    const struct strv *spared; /* not there for either look (builder/spared.h); may be NULL */
    scan_fn *fn;
    void *ctx;
};

/* now starts as SCAN_CLOSED. The root itself is not told. Nothing may change the tree meanwhile. */
int scan_tree(int root_fd, const struct scan_options *options, struct scan *now, struct err *err);
/*
 * Gives every name of a file a file of its own, as an overlay does when one of them is written to
 * in a later step, and puts these into the record.
 */
int scan_unshare(int root_fd, struct scan *scan, struct err *err);
/* Returns when a change made now gets another ctime than any that was seen. */
void scan_settle(const struct scan *scan);
void scan_release(struct scan *scan);

#endif
