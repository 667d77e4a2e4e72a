/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_DURATION_H
#define BUILDER_DURATION_H

/* Durations in Go's notation ("1m30s", "1.5h", "300ms", "0"), as HEALTHCHECK and the image config
 * have them. Pure. */
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

bool duration_parse(struct str text,
                    int64_t *nanoseconds); /* whole text, in range; a sign is allowed */
void duration_format(struct buf *out, int64_t nanoseconds); /* "1m30s", as Go prints it */

#endif
