/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_USAGE_H
#define BASE_USAGE_H

/* What a tree of files takes on the disk, as du(1) counts: 512-byte blocks, hard links once, links
 * not followed. */
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

struct usage {
    uint64_t bytes;
    uint64_t files; /* everything that has a name, directories too */
    uint64_t
        unreadable; /* directories that could not be opened; they count, what is in them does not */
    struct usage_link {
        dev_t dev;
        ino_t ino;
    } * seen; /* hash set of files with more than one link */
    size_t seen_count, seen_capacity;
};

void usage_release(struct usage *u);
/* Adds dir_fd/name and all beneath. A name that is gone by then is no error. */
int usage_add(struct usage *u, int dir_fd, const char *name, struct err *err);

#endif
