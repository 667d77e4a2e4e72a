/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/step_log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/progress.h"
#include "base/scope.h"
#include "registry/layout.h"

#define DIR_NAME "logs"
#define TAIL ((size_t)4096) /* of a failing step, for its error report */

void step_log_release(struct step_log *log)
{
    scope_close(&log->fd);
    tripwire_scan_release(&log->scan);
    buf_release(&log->tail);
}

static void keep_tail(struct buf *tail, struct str text)
{
    buf_add_str(tail, text);
    if (tail->size > 2 * TAIL) {
        size_t drop = tail->size - TAIL;

        memmove(tail->ptr, tail->ptr + drop, TAIL);
        tail->size = TAIL;
        tail->ptr[tail->size] = 0;
    }
}

static int open_file(const struct layout *layout, struct err *err)
{
    AUTO_FD int dir = -1;

    if (fs_mkdirs(layout->cache_fd, DIR_NAME, 0700, err) < 0)
        return -1;
    dir = fs_open_dir(layout->cache_fd, DIR_NAME, err);
    return dir < 0 ? -1 : fs_tmpfile(dir, 0600, err);
}

/* A log that cannot be written costs the log, not the step. */
static void write_file(struct step_log *log, struct str text, bool first)
{
    struct err err = {0};

    if (first)
        log->fd = open_file(log->layout, &err);
    if (log->fd < 0 || fs_write(log->fd, text.ptr, text.size, &err) < 0) {
        scope_close(&log->fd);
        if (err.text[0])
            log_debug("the step's log is not kept: %s", err.text);
    }
}

void step_log_add(struct step_log *log, const void *bytes, size_t size)
{
    SCOPED(buf_release) struct buf safe = {0};
    struct str text = {bytes, size};
    bool first = !log->tail.size;

    if (!tripwire_is_empty(log->scan.wire)) {
        tripwire_redact(&log->scan, bytes, size, &safe);
        text = buf_str(&safe);
    }
    if (!text.size)
        return;
    progress_output(log->shown, text.ptr, text.size);
    keep_tail(&log->tail, text);
    write_file(log, text, first);
}

/* Names begin with the time, so that their order is that of age. */
static void remove_old(int dir)
{
    SCOPED(strv_release) struct strv names = {0};

    if (fs_list(dir, &names, &(struct err){0}) < 0)
        return;
    for (size_t i = 0; i + LOGS_KEPT < names.count; i++)
        unlinkat(dir, names.ptr[i], 0);
}

char *step_log_keep(struct step_log *log)
{
    AUTO_FD int dir = -1;
    struct err err = {0};
    char name[64], stamp[32];
    time_t now = clock_now().tv_sec;
    struct tm tm;

    if (log->fd < 0)
        return NULL;
    gmtime_r(&now, &tm);
    strftime(stamp, sizeof(stamp), "%Y%m%d-%H%M%S", &tm);
    snprintf(name, sizeof(name), "%s-%d-%d.log", stamp, (int)getpid(), log->shown);
    dir = fs_open_dir(log->layout->cache_fd, DIR_NAME, &err);
    if (dir < 0 || fs_link_tmpfile(log->fd, dir, name, false, &err) < 0) {
        log_debug("the step's log is not kept: %s", err.text);
        return NULL;
    }
    remove_old(dir);
    return xasprintf("%s/cache/" DIR_NAME "/%s", log->layout->root, name);
}
