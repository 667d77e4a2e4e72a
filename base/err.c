/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Ends a cut text with "...", so that nobody takes it for the whole. */
static void mark_cut(struct err *err, int wanted)
{
    if (wanted >= (int)sizeof(err->text))
        memcpy(err->text + sizeof(err->text) - 4, "...", 4);
}

int err_set(struct err *err, enum err_kind kind, int code, const char *fmt, ...)
{
    struct err fresh = {.kind = kind, .code = code};
    va_list ap;

    va_start(ap, fmt);
    mark_cut(&fresh, vsnprintf(fresh.text, sizeof(fresh.text), fmt, ap));
    va_end(ap);
    *err = fresh;
    return -1;
}

int err_errno(struct err *err, const char *fmt, ...)
{
    int saved = errno;
    struct err fresh = {.kind = ERR_SYSTEM, .code = saved};
    char what[sizeof(fresh.text)];
    char reason[128];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(what, sizeof(what), fmt, ap);
    va_end(ap);
    mark_cut(&fresh, snprintf(fresh.text, sizeof(fresh.text), "%.800s: %s", what,
                              strerror_r(saved, reason, sizeof(reason))));
    *err = fresh;
    errno = saved;
    return -1;
}

int err_wrap(struct err *err, const char *fmt, ...)
{
    struct err old = *err;
    char what[sizeof(err->text)];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(what, sizeof(what), fmt, ap);
    va_end(ap);
    mark_cut(err, snprintf(err->text, sizeof(err->text), "%.700s: %s", what, old.text));
    return -1;
}

int err_add(struct err *err, const char *fmt, ...)
{
    struct err old = *err;
    char what[sizeof(err->text)];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(what, sizeof(what), fmt, ap);
    va_end(ap);
    mark_cut(err, snprintf(err->text, sizeof(err->text), "%.700s%s", old.text, what));
    return -1;
}

void err_bug(const char *file, int line, const char *what)
{
    fprintf(stderr, "slipway: bug: %s:%d: %s\n", file, line, what);
    abort();
}
