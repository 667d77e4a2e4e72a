/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/progress.h"
#include "base/scope.h"

static _Atomic int log_level = LOG_INFO;

void log_set_level(enum log_level level)
{
    atomic_store(&log_level, (int)level);
}

enum log_level log_get_level(void)
{
    return (enum log_level)atomic_load(&log_level);
}

/* One write per line, so that lines of several threads and processes do not tear. */
__attribute__((format(printf, 3, 0))) static void line(enum log_level level, const char *prefix,
                                                       const char *fmt, va_list ap)
{
    SCOPED(buf_release) struct buf out = {0};

    if ((int)level > atomic_load(&log_level))
        return;
    buf_adds(&out, prefix);
    buf_vaddf(&out, fmt, ap);
    buf_addc(&out, '\n');
    progress_write_line(out.ptr, out.size);
}

#define LOG_FUNCTION(name, level, prefix)                                                          \
    void name(const char *fmt, ...)                                                                \
    {                                                                                              \
        va_list ap;                                                                                \
                                                                                                   \
        va_start(ap, fmt);                                                                         \
        line(level, prefix, fmt, ap);                                                              \
        va_end(ap);                                                                                \
    }

LOG_FUNCTION(log_error, LOG_ERROR, "slipway: ")
LOG_FUNCTION(log_warn, LOG_WARN, "warning: ")
LOG_FUNCTION(log_info, LOG_INFO, "")
LOG_FUNCTION(log_debug, LOG_DEBUG, "debug: ")
