/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_LAYER_READ_H
#define BUILDER_LAYER_READ_H

/* What the files of the layer room share. */
#include "base/buf.h"
#include "base/err.h"
#include "builder/layer.h"
#include "builder/tar.h"

struct unpack;

/* cache/index/<hex>, whole. */
int layer_save_index(const struct layout *layout, const char *diff_id, const struct buf *bytes, struct err *err);
/*
 * Reads a blob of the store once: its index into `bytes`, and, when tree_fd is not -1, its files into that empty
 * directory. The content must have that diff id.
 */
int layer_read(const struct layout *layout, const struct descriptor *blob, const char *diff_id, int tree_fd,
               struct buf *bytes, struct err *err);

#endif
