/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_LAYOUT_LOCK_H
#define REGISTRY_LAYOUT_LOCK_H

/*
 * The store's locks, shared by the layout*.c files: open file description locks on single bytes of
 * the file "lock". They belong to the open file, so they work between threads and end with the
 * process, however it ends.
 */
#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "registry/layout.h"

enum {
    LOCK_BYTE_STORE = 0, /* shared: in use; exclusive: being pruned */
    LOCK_BYTE_INDEX = 1, /* index.json is being replaced */
    LOCK_BYTE_TMP = 2,   /* something is being made in, or cleaned from, tmp/ */
    LOCK_BYTE_NAMES = 64,
};

/* -1 with code EAGAIN when it is taken and wait is false. */
int lock_range(int fd, off_t start, bool exclusive, bool wait, struct err *err);
/* A fresh descriptor that holds the lock; closing it releases. Waits. */
int lock_open(const struct layout *l, off_t start, bool exclusive, struct err *err);

/* Removes the entries that have no name (prune). */
int layout_forget_unnamed(const struct layout *l, struct err *err);

#endif
