/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_GROUND_H
#define BUILDER_GROUND_H

/*
 * The root of this container, where isolation in-place makes stages, one after another. Between two
 * of them, and before the first of the next build, what came with a stage goes: the files that were
 * not there before the first one, or that were others. The directories that were there stay, and
 * so does all that is spared (builder/spared.h). The last stage of a build stays, too.
 *
 * /.slipway-in-place holds the paths that a build left, each ended by NUL, in the order of layers;
 * nothing while a build is under way. Found empty it means that a build was killed: nobody knows
 * then what of the root is whose, and it is taken no more (ERR_SYSTEM, EBUSY).
 */
#include <stdbool.h>

#include "base/err.h"
#include "base/strv.h"
#include "builder/scan.h"
#include "registry/layout.h"

struct ground {
    struct layout *layout; /* borrowed; NULL: never taken */
    struct layout_tmp tmp;
    struct strv spared;
    struct scan before; /* the first stage */
    const void *holder; /* NULL: nobody has it */
    bool used;          /* a stage had it */
};
#define GROUND_CLOSED                                                                              \
    {                                                                                              \
        .tmp = LAYOUT_TMP_CLOSED, .before = SCAN_CLOSED                                            \
    }

/* For a stage that is nowhere yet. A holder must leave before the next takes. */
int ground_take(struct ground *g, struct layout *layout, const void *holder, struct err *err);
int ground_open(const struct ground *g, struct err *err); /* a descriptor of the root */
void ground_leave(struct ground *g, const void *holder);
/* Notes what the last stage left; a failure is told as a warning. */
void ground_close(struct ground *g);

#endif
