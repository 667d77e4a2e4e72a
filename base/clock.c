/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STOP_LOOK_MS 100 /* in a pause, that often we look whether to go on */

struct timespec clock_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return t;
}

uint64_t clock_mono_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

uint64_t clock_mono_ms(void)
{
    return clock_mono_us() / 1000;
}

const char *clock_rfc3339(struct timespec t, char out[static CLOCK_TEXT_SIZE])
{
    struct tm tm;
    size_t size;

    gmtime_r(&t.tv_sec, &tm);
    size = strftime(out, CLOCK_TEXT_SIZE, "%Y-%m-%dT%H:%M:%S", &tm);
    if (t.tv_nsec) {
        size += (size_t)snprintf(out + size, CLOCK_TEXT_SIZE - size, ".%09ld", t.tv_nsec);
        while (out[size - 1] == '0')
            size--;
    }
    out[size] = 'Z';
    out[size + 1] = 0;
    return out;
}

/* Two digits at p within [low, high]; -1 when they are not. */
static int two(const char *p, int low, int high)
{
    int value;

    if (p[0] < '0' || p[0] > '9' || p[1] < '0' || p[1] > '9')
        return -1;
    value = (p[0] - '0') * 10 + p[1] - '0';
    return value < low || value > high ? -1 : value;
}

/* "Z" or "+hh:mm": seconds east of UTC. */
static bool parse_zone(struct str s, long *east)
{
    int h, m;

    *east = 0;
    if (str_is_nocase(s, "z"))
        return true;
    if (s.size != 6 || (s.ptr[0] != '+' && s.ptr[0] != '-') || s.ptr[3] != ':')
        return false;
    h = two(s.ptr + 1, 0, 23);
    m = two(s.ptr + 4, 0, 59);
    if (h < 0 || m < 0)
        return false;
    *east = (h * 3600L + m * 60L) * (s.ptr[0] == '-' ? -1 : 1);
    return true;
}

bool clock_parse_rfc3339(struct str text, struct timespec *out)
{
    const char *p = text.ptr;
    struct tm tm = {0};
    long nsec = 0, unit = 100000000, east;
    int century, year;
    size_t i = 19;

    if (text.size < 20 || p[4] != '-' || p[7] != '-' || (p[10] | 0x20) != 't' || p[13] != ':' ||
        p[16] != ':')
        return false;
    century = two(p, 0, 99);
    year = two(p + 2, 0, 99);
    tm.tm_year = century * 100 + year - 1900;
    tm.tm_mon = two(p + 5, 1, 12) - 1;
    tm.tm_mday = two(p + 8, 1, 31);
    tm.tm_hour = two(p + 11, 0, 23);
    tm.tm_min = two(p + 14, 0, 59);
    tm.tm_sec = two(p + 17, 0, 60);
    if (century < 0 || year < 0 || tm.tm_mon < 0 || tm.tm_mday < 0 || tm.tm_hour < 0 ||
        tm.tm_min < 0 || tm.tm_sec < 0)
        return false;
    if (p[i] == '.')
        for (i++; i < text.size && p[i] >= '0' && p[i] <= '9'; i++, unit /= 10)
            nsec += (p[i] - '0') * unit;
    if (!parse_zone(str_slice(text, i, text.size), &east))
        return false;
    out->tv_sec = timegm(&tm) - east;
    out->tv_nsec = nsec;
    return true;
}

const char *clock_basic(time_t t, char out[static CLOCK_TEXT_SIZE])
{
    struct tm tm;

    gmtime_r(&t, &tm);
    strftime(out, CLOCK_TEXT_SIZE, "%Y%m%dT%H%M%SZ", &tm);
    return out;
}

int clock_source_date_epoch(int64_t *out, struct err *err)
{
    const char *text = getenv("SOURCE_DATE_EPOCH");

    if (!text || !*text)
        return 0;
    if (!str_i64(str_of(text), out) || *out < 0)
        return err_set(err, ERR_USAGE, 0,
                       "SOURCE_DATE_EPOCH: \"%.40s\" is not a number of seconds since 1970", text);
    return 1;
}

void clock_sleep_ms(uint64_t ms)
{
    struct timespec t = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};

    while (nanosleep(&t, &t) < 0 && errno == EINTR)
        ;
}

bool clock_sleep_unless(uint64_t ms, const atomic_bool *stop)
{
    uint64_t now = clock_mono_ms(), until = now + ms;

    for (; now < until && !(stop && atomic_load(stop)); now = clock_mono_ms())
        clock_sleep_ms(stop && until - now > STOP_LOOK_MS ? STOP_LOOK_MS : until - now);
    return !(stop && atomic_load(stop));
}
