/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_LAZY_H
#define BUILDER_LAZY_H

/*
 * Blobs that come when their bytes are needed, and not before: the layers of a base image of which
 * nothing is read, those of steps that a cache from elsewhere remembers.
 *
 * While it is open it is the store's hook (struct layout_fetch): whoever opens a blob gets it,
 * fetched once and verified, also when several threads ask at the same time. A blob may have
 * several sources; they are tried in the order in which they were added. Any thread may use it.
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "registry/descriptor.h"

struct layout;
struct lazy;
struct pool;
struct reference;
struct remote;

/* Borrows all three; becomes layout->fetch, and is no more after lazy_close(). */
struct lazy *lazy_open(struct layout *layout, struct remote *remote, struct pool *pool);
void lazy_close(struct lazy *lazy); /* waits for what is under way; NULL is fine */

/* The blobs are in the repository of ref. place: of its places, the one that is asked first
 * (struct pull_result). */
int lazy_add_remote(struct lazy *lazy, const struct reference *ref, size_t place,
                    const struct descriptor *blobs, size_t count, struct err *err);
/* The blobs are in the OCI layout dir_fd, which is borrowed. */
int lazy_add_dir(struct lazy *lazy, int dir_fd, const struct descriptor *blobs, size_t count,
                 struct err *err);
/*
 * The blob, once it is here, must hold a layer of this diff id; a blob that does not is an error of
 * whoever asked for it. For what a stranger says of layers that no config vouches for. False: it
 * must hold another already.
 */
bool lazy_expect(struct lazy *lazy, const char *digest, const char *diff_id);
/* The same for a blob that is here already: 1 it does, 0 not, -1. */
int lazy_check(struct lazy *lazy, const char *digest, const char *diff_id, struct err *err);

#endif
