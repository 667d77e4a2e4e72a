/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_DIFF_H
#define BUILDER_DIFF_H

/*
 * An overlay upper directory as a sorted list of changes (kernel:
 * Documentation/filesystems/overlayfs.rst). Whiteouts are character devices 0:0 or files with the
 * xattr (user|trusted).overlay.whiteout; opaque directories have (user|trusted).overlay.opaque = y.
 * Overlay's own xattrs are left out. A redirect or metacopy xattr is an error: the upper is not a
 * complete diff then. Sockets are left out. Names are hard links when device and inode are the
 * same.
 */
#include "base/err.h"
#include "builder/entry.h"

/*
 * Calls fn for every change, in entry_path_cmp order. dir_fd and name: the file, to open its
 * content; name is one component; both are borrowed for the call. The root (".") is told only when
 * `root` is set. e->link of a hard link is the first path of that inode. Stops at -1 and returns
 * it.
 */
typedef int diff_fn(void *ctx, const struct entry *e, int dir_fd, const char *name,
                    struct err *err);
/* Single entries of a plain tree, for who knows which have changed (builder/scan.h): sorted, names
 * of one inode found among those that were told. opaque: the directory is another than the one
 * below. A device 0:0, which no layer can have, is an error. */
struct diff;
struct diff *diff_open(diff_fn *fn, void *ctx);
int diff_tell(struct diff *d, const char *path, int dir_fd, const char *name, bool opaque,
              struct err *err);
void diff_use_links(struct diff *d, const struct record_items *links); /* see diff_recorded() */
void diff_close(struct diff *d);                                       /* NULL is fine */
int diff_upper(int upper_fd, bool root, diff_fn *fn, void *ctx, struct err *err);
/* The same; links has the owners of links and pipes that were recorded (runtime/record.h), NULL:
 * none. Records in attributes are read by both: what the kernel shows as 0:0 has the owner of its
 * record. */
int diff_recorded(int upper_fd, bool root, const struct record_items *links, diff_fn *fn, void *ctx,
                  struct err *err);

#endif
