/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_UNPACK_H
#define BUILDER_UNPACK_H

/*
 * The entries of one layer into one empty directory, in overlay lower format. Trusts nothing: every
 * parent is opened beneath the root with no link on the way, files are made exclusively, what a
 * path held before is removed first, and the owner, mode and time of directories are set at the
 * end. whiteout: character device 0:0, or where the file system refuses that, an xattr whiteout
 *   opaque: user.overlay.opaque = y
 *   devices: not made; a whiteout stands for them, so that no lower file shows through; in a user
 * namespace of one id an empty file with a record (runtime/record.h)
 *   owners this user namespace cannot hold: recorded, where a file can carry an attribute;
 * attributes the file system cannot: left out, with a debug line
 */
#include "base/err.h"
#include "builder/entry.h"

struct tar_reader;
struct strv;
struct unpack;

struct unpack *unpack_open(int root_fd); /* borrowed */
/*
 * Onto a plain tree of the layers below, as commands see it (builder/worktree.h), from which
 * everything was removed that the layer hides: whiteouts and opaque marks are passed over, devices
 * are made, hard links are copies, directories that the layer only implies stay as they are.
 * spared: what is not unpacked (builder/spared.h), borrowed; NULL: nothing.
 */
struct unpack *unpack_open_plain(int root_fd, const struct strv *spared);
void unpack_close(struct unpack *u); /* NULL is fine */
/* A file's content comes from the reader that gave the entry, or, where that is NULL, from bytes.
 */
int unpack_entry(struct unpack *u, const struct entry *e, struct tar_reader *content,
                 struct str bytes, struct err *err);
int unpack_end(struct unpack *u, struct err *err);

#endif
