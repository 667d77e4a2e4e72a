/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_LAYER_READ_H
#define BUILDER_LAYER_READ_H

/* What layer.c has of layer_read.c. */
#include "base/err.h"
#include "builder/layer.h"

/* Ends an index into a nameless file (its descriptor), and gives that its name, cache/index/<hex>.
 * Between the two the layer itself is made to stay: one that makes no sound index does not. */
int layer_write_index(const struct layout *layout, struct index_builder *b, struct err *err);
int layer_keep_index(const struct layout *layout, int fd, const char *diff_id, struct err *err);

#endif
