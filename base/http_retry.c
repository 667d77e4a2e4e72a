/* SPDX-License-Identifier: Apache-2.0 */
#include "base/http_retry.h"

#include <time.h>

#include "base/str.h"

bool http_retry_status(int status)
{
    switch (status) {
    case 408:
    case 429:
    case 499:
    case 500:
    case 502:
    case 503:
    case 504:
    case 522:
        return true;
    default:
        return false;
    }
}

bool http_retry_fail(enum http_fail fail)
{
    return fail == HTTP_FAIL_RESOLVE || fail == HTTP_FAIL_CONNECT || fail == HTTP_FAIL_CUT ||
           fail == HTTP_FAIL_TIMEOUT;
}

bool http_date(const char *value, int64_t *out)
{
    struct str text = str_trim(str_of(value));
    struct tm tm = {0};
    const char *end = text.size ? strptime(text.ptr, "%a, %d %b %Y %H:%M:%S GMT", &tm) : NULL;

    if (!end || end != text.ptr + text.size)
        return false;
    *out = timegm(&tm);
    return true;
}

uint64_t http_retry_after(const char *value, int64_t now_s)
{
    struct str text = str_trim(str_of(value));
    uint64_t seconds;
    int64_t then;

    if (str_u64(text, &seconds))
        return seconds > UINT64_MAX / 2000 ? UINT64_MAX / 2 : seconds * 1000;
    if (!http_date(value, &then))
        return UINT64_MAX;
    return then <= now_s ? 0 : (uint64_t)(then - now_s) * 1000;
}

uint64_t http_retry_pause(unsigned failed, uint64_t base_ms, uint32_t random)
{
    uint64_t pause = base_ms;

    while (--failed > 0 && pause < HTTP_PAUSE_MAX_MS && failed < 64)
        pause *= 2;
    if (pause > HTTP_PAUSE_MAX_MS)
        pause = HTTP_PAUSE_MAX_MS;
    return pause / 2 + (pause > 1 ? random % (pause / 2 + 1) : 0);
}
