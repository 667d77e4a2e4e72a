/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_HTTP_RETRY_H
#define BASE_HTTP_RETRY_H

/* When base/http sends again, and after how long. Pure: time and chance come as arguments. */
#include <stdbool.h>
#include <stdint.h>

#include "base/http.h"

#define HTTP_PAUSE_MAX_MS UINT64_C(30000) /* of our own back-off */
/* A server that wants more gets no retry: the reply goes to the caller. */
#define HTTP_RETRY_AFTER_MAX_MS UINT64_C(180000)
#define HTTP_ATTEMPTS_NO_HOST 3 /* tries when nothing answers at that address at all */

/* 408, 429, 500, 502, 503, 504, and 499 and 522 as proxies send them. */
bool http_retry_status(int status);
/* A failure that may pass: the connection was cut or refused, the name did not resolve, time ran
 * out. */
bool http_retry_fail(enum http_fail fail);
/* Milliseconds of a Retry-After value, seconds or HTTP date (RFC 9110 §10.2.3); UINT64_MAX when it
 * is neither. */
uint64_t http_retry_after(const char *value, int64_t now_s);
/* The pause before try `failed + 1`: doubles from base_ms, half of it by chance; random is any
 * number. */
uint64_t http_retry_pause(unsigned failed, uint64_t base_ms, uint32_t random);

#endif
