/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_LAYER_READ_H
#define BUILDER_LAYER_READ_H

/* What layer.c has of layer_read.c. */
#include "base/buf.h"
#include "base/err.h"
#include "builder/layer.h"

/* cache/index/<hex>, whole. */
int layer_save_index(const struct layout *layout, const char *diff_id, const struct buf *bytes,
                     struct err *err);

#endif
