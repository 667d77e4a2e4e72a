/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RUNTIME_RECORD_H
#define RUNTIME_RECORD_H

/*
 * What a file is said to be where the kernel holds only one id: owner, and for a device its kind
 * and numbers. Kept in an attribute of the file itself, so that it goes where the file goes
 * (rename, hard link, copy-up); a device is an empty file with such an attribute. Links and pipes
 * carry no user.* attributes: theirs are items of a file beside the upper directory, by the inode's
 * number, the later one wins.
 *
 *     user.slipway.owner = "UID GID" | "UID GID c MAJOR MINOR" | "UID GID b MAJOR MINOR"
 *
 * The attribute never enters a layer and is never taken from one.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

#define RECORD_XATTR "user.slipway.owner"
#define RECORD_TEXT_MAX 64

struct record {
    uint32_t uid, gid;
    char kind; /* 0, 'c', 'b' */
    uint32_t dev_major, dev_minor;
};

/* Pure. false: the text is no record. */
bool record_parse(struct str text, struct record *r);

/* Of an open file (not O_PATH), of a path (a last link is followed). -1 and errno. */
int record_set_fd(int fd, const struct record *r);
int record_set_path(const char *path, const struct record *r);
bool record_get_path(const char *path, struct record *r);

/* Owner to be: the kernel's, or, where its map has no such id, a record. -1 and errno. */
int record_chown_fd(int fd, uint32_t uid, uint32_t gid);

/* Owners of links and pipes, by inode. Zero bytes are the empty value. */
struct record_item {
    uint64_t ino;
    uint32_t uid, gid;
};
struct record_items {
    struct record_item *items;
    size_t count, capacity;
};
void record_items_release(struct record_items *items);
const struct record_item *record_items_find(const struct record_items *items, uint64_t ino);
/* From a file of struct record_item, read from its begin. */
int record_items_read(struct record_items *items, int fd, struct err *err);

/* Does this user namespace hold exactly one id? */
bool record_is_single(void);

#endif
