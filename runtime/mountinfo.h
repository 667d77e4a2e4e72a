/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RUNTIME_MOUNTINFO_H
#define RUNTIME_MOUNTINFO_H

/* Words of /proc/PID/mountinfo (proc(5)). Pure. */
#include <stdbool.h>

#include "base/buf.h"
#include "base/str.h"

/* Appends a path whose odd bytes stand as \ooo. False: it is not written so, and what was appended
 * means nothing. */
bool mountinfo_path(struct str word, struct buf *out);

#endif
