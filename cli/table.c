/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/table.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/scope.h"

#define GAP 3

void table_release(struct table *t)
{
    strv_release(&t->cells);
}

void table_cell(struct table *t, const char *text)
{
    SCOPED(buf_release) struct buf safe = {0};

    buf_add_escaped(&safe, str_of(text));
    strv_add(&t->cells, buf_cstr(&safe));
}

void table_cellf(struct table *t, const char *fmt, ...)
{
    AUTO_FREE char *text = NULL;
    va_list ap;

    va_start(ap, fmt);
    text = xvasprintf(fmt, ap);
    va_end(ap);
    table_cell(t, text);
}

/* Characters, not bytes: continuation bytes of UTF-8 take no column. */
static size_t width_of(const char *s)
{
    size_t n = 0;

    for (; *s; s++)
        n += ((unsigned char)*s & 0xc0) != 0x80;
    return n;
}

static size_t column_width(const struct table *t, size_t column)
{
    size_t width = 0;

    for (size_t i = column; i < t->cells.count; i += t->columns)
        if (width_of(t->cells.ptr[i]) > width)
            width = width_of(t->cells.ptr[i]);
    return width;
}

void table_print(const struct table *t)
{
    AUTO_FREE size_t *widths = xcalloc(t->columns, sizeof(*widths));

    for (size_t c = 0; c < t->columns; c++)
        widths[c] = column_width(t, c);
    for (size_t i = 0; i < t->cells.count; i++) {
        size_t c = i % t->columns;
        bool last = c + 1 == t->columns;

        printf("%s%*s", t->cells.ptr[i],
               last ? 0 : (int)(widths[c] - width_of(t->cells.ptr[i]) + GAP), last ? "\n" : "");
    }
}

const char *human_size(uint64_t bytes, char out[static HUMAN_SIZE])
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
    double value = (double)bytes;
    size_t unit = 0;

    while (value >= 999.5 && unit + 1 < ARRAY_SIZE(units)) {
        value /= 1000;
        unit++;
    }
    snprintf(out, HUMAN_SIZE, "%.3g%s", value, units[unit]);
    return out;
}

const char *human_ago(const char *rfc3339, time_t now, char out[static HUMAN_AGO_SIZE])
{
    static const struct {
        long long above, unit;
        const char *name;
    } scale[] = {{2LL * 365 * 86400, 365LL * 86400, "years"},
                 {60LL * 86400, 30LL * 86400, "months"},
                 {14LL * 86400, 7LL * 86400, "weeks"},
                 {2LL * 86400, 86400, "days"},
                 {2LL * 3600, 3600, "hours"},
                 {120, 60, "minutes"},
                 {0, 1, "seconds"}};
    struct timespec t;
    long long age;
    size_t i = 0;

    if (!rfc3339 || !clock_parse_rfc3339(str_of(rfc3339), &t)) {
        snprintf(out, HUMAN_AGO_SIZE, "N/A");
        return out;
    }
    age = now > t.tv_sec ? (long long)(now - t.tv_sec) : 0;
    while (age < scale[i].above)
        i++;
    snprintf(out, HUMAN_AGO_SIZE, "%lld %s ago", age / scale[i].unit, scale[i].name);
    return out;
}

const char *short_id(const char *digest, char out[static SHORT_ID_SIZE])
{
    snprintf(out, SHORT_ID_SIZE, "%s", digest_hex(digest));
    return out;
}

void print_json(const json_t *value)
{
    SCOPED(buf_release) struct buf text = {0};

    json_print_pretty(value, &text);
    fwrite(text.ptr, 1, text.size, stdout);
}
