/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_SPARED_H
#define BUILDER_SPARED_H

/*
 * What is not the stage's where the stage is the root of this very container (isolation in-place):
 * mounts, the store, /proc, /sys, /dev, the record of builder/ground.h. Relative paths, sorted by
 * entry_path_cmp; with all below them they are neither unpacked, nor looked at, nor removed.
 */
#include <stdbool.h>

#include "base/err.h"
#include "base/strv.h"

struct layout;

#define SPARED_RECORD ".slipway-in-place" /* builder/ground.h */

int spared_find(const struct layout *layout, struct strv *spared, struct err *err);
/* NULL spares nothing. */
bool spared_has(const struct strv *spared, const char *path);
/* The first that is below path, or NULL: then path cannot be removed. */
const char *spared_below(const struct strv *spared, const char *path);

#endif
