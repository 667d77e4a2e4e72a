/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_ENTRY_H
#define BUILDER_ENTRY_H

/*
 * One file of a layer as metadata: what tar, index, view, diff, layer and archive hand to each
 * other. Pure.
 *
 * A path is relative to the root, clean: no leading or trailing "/", no "." or ".." component; the
 * root itself is ".". (That is what path_beneath() gives.) All pointers are borrowed from whoever
 * filled the entry, who says for how long.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/str.h"
#include "runtime/record.h"

enum entry_type {
    ENTRY_NONE, /* the empty value: nothing is here */
    ENTRY_FILE,
    ENTRY_DIR,
    ENTRY_SYMLINK,
    ENTRY_HARDLINK, /* in tars and layer_add*() only; index and view show the file itself, with
                       `link` set */
    ENTRY_CHAR,
    ENTRY_BLOCK,
    ENTRY_FIFO,
    ENTRY_WHITEOUT, /* hides this path of the layers below; path is the hidden one, not ".wh.…" */
};

struct xattr {
    const char *name;
    struct str value; /* any bytes */
};

struct entry {
    const char *path;
    /* ENTRY_SYMLINK: its text. ENTRY_HARDLINK: path of the other entry of this layer. ENTRY_FILE
     * from an index: the path in the same layer whose inode it shares, or NULL. */
    const char *link;
    enum entry_type type;
    bool opaque;   /* ENTRY_DIR: hides what lower layers have in it (".wh..wh..opq") */
    bool implied;  /* ENTRY_DIR, index only: the layer has no entry for it, only for something below
                      it */
    uint32_t mode; /* 07777 bits; symbolic links have 0777 */
    uint32_t uid, gid;
    uint64_t size; /* ENTRY_FILE */
    int64_t mtime; /* whole seconds since 1970 */
    uint32_t dev_major, dev_minor;
    const struct xattr *xattrs; /* sorted by name, without (user|trusted).overlay.* */
    size_t xattrs_count;
};

/* The order of layers: byte order with "/" before every other byte, so that a directory is followed
 * by all that is in it ("a", "a/b", "a-b"); the root is first. <0, 0, >0. Sort names within a
 * directory by bytes and walk depth first. */
int entry_path_cmp(const char *a, const char *b);
/* Is path below dir (not dir itself)? Everything but "." is below ".". */
bool entry_path_below(const char *path, const char *dir);
/* Fills type, mode, uid, gid, size, mtime and device numbers; path, link and xattrs stay. A socket
 * gives ENTRY_NONE. */
void entry_of_stat(struct entry *e, const struct stat *st);
const char *
entry_type_name(enum entry_type type); /* "file", "directory", "symbolic link" … for messages */

/* Owned copies of the extended attributes of a file, for entry.xattrs. Zero bytes are the empty
 * value. */
struct xattr_set {
    struct xattr *items;
    size_t count;
    size_t capacity;
    bool recorded; /* by the xattr_read functions: the file has a record (runtime/record.h) */
    struct record record;
};

void xattr_set_release(struct xattr_set *set);
void xattr_set_clear(struct xattr_set *set);
void xattr_set_add(struct xattr_set *set, struct str name,
                   struct str value); /* copies; replaces the same name */
void xattr_set_sort(struct xattr_set *set);
/* Belongs to an overlay mount, never to an image: user.overlay.*, trusted.overlay.* (and their
 * overlay.overlay.* form). */
bool xattr_is_overlay(const char *name);
/*
 * The record of a file is told apart and is none of them.
 * Appends the attributes of a file that travel with an image, sorted: user.* (without overlay's)
 * and security.capability. The rest (selinux, ima, posix_acl, trusted) belongs to the host.
 * xattr_read_fd: of an open file (not O_PATH). xattr_read_marked: of a path
 * ("/proc/self/fd/N/name", links not followed), and what its overlay attributes mean: OVERLAY_…
 * bits.
 */
int xattr_read_fd(struct xattr_set *set, int fd, struct err *err);
#define OVERLAY_OPAQUE 1u    /* opaque = y */
#define OVERLAY_WHITEOUTS 2u /* opaque = x: it may hold whiteouts that are files */
#define OVERLAY_WHITEOUT 4u
#define OVERLAY_REDIRECT 8u
#define OVERLAY_METACOPY 16u
int xattr_read_marked(struct xattr_set *set, const char *path, unsigned *marks, struct err *err);

#endif
