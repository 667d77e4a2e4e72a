/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_EXTRACT_H
#define BUILDER_EXTRACT_H

/*
 * An archive that a stranger wrote (builder/archive.h: tar, compressed or not) into an empty
 * directory, as a build context. Everything is opened beneath the directory as if it were the root:
 * links on the way of a path, absolute ones and ".." among them, lead inside. Owners do not matter
 * to a context and are left; modes, times, links, pipes and extended attributes (user.* and
 * security.capability) are kept. A device is an error that names it. What comes later in the
 * archive replaces what came before.
 */
#include "base/err.h"

#define EXTRACT_SIZE_MAX ((uint64_t)256 << 30) /* ours: of all files together */
#define EXTRACT_COUNT_MAX 20000000             /* ours: entries */

/* fd: a file, read from its beginning. */
int extract_archive(int fd, int dir_fd, struct err *err);

#endif
