/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_LOOKS_H
#define BUILDER_LOOKS_H

/*
 * How directories look that an upper layer only implies: as the layer below says that names them.
 * An overlay takes owner and mode of a merged directory from the topmost tree, so these go into a
 * directory above all trees.
 */
#include "base/err.h"
#include "builder/view.h"

/* 1: tmp_fd/looks was made, *fd is open; 0: no layer needs it; -1. */
int looks_make(const struct view *view, int tmp_fd, int *fd, struct err *err);

#endif
