/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_STEP_LOG_H
#define BUILDER_STEP_LOG_H

/*
 * What a step prints: shown as it comes, all of it kept in a nameless file of the store, the last
 * of it in memory. Of a step that fails the file gets a name, cache/logs/<time>-<number>.log; of
 * the others it is gone with its descriptor. Only the newest LOGS_KEPT stay. Values of secrets are
 * replaced before any of this.
 */
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "builder/tripwire.h"

#define LOGS_KEPT 50

struct layout;

struct step_log {
    const struct layout *layout;
    int shown; /* the step, as base/progress knows it */
    int fd;    /* -1 until something is printed, or when the disk takes nothing more */
    struct tripwire_scan scan;
    struct buf tail; /* the last lines */
};
#define STEP_LOG_CLOSED                                                                            \
    {                                                                                              \
        .fd = -1                                                                                   \
    }

void step_log_release(struct step_log *log);
/* size 0: the end. */
void step_log_add(struct step_log *log, const void *bytes, size_t size);
/* Keeps the file; its absolute path for free(), or NULL when there is nothing to keep. */
char *step_log_keep(struct step_log *log);

#endif
