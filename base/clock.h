/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "base/err.h"
#include "base/str.h"

#define CLOCK_TEXT_SIZE 40

struct timespec clock_now(void); /* wall clock */
uint64_t clock_mono_ms(void);    /* monotonic, for durations and deadlines */
uint64_t clock_mono_us(void);
/* RFC 3339 in UTC, nanoseconds only when not zero: "2026-01-02T03:04:05.678Z". */
const char *clock_rfc3339(struct timespec t, char out[static CLOCK_TEXT_SIZE]);
bool clock_parse_rfc3339(struct str text, struct timespec *out);
/* "20260102T030405Z", for signing. */
const char *clock_basic(time_t t, char out[static CLOCK_TEXT_SIZE]);
/* SOURCE_DATE_EPOCH (reproducible-builds.org spec): 1 and *out when set, 0 when not, -1 when it is
 * not a number. */
int clock_source_date_epoch(int64_t *out, struct err *err);
void clock_sleep_ms(uint64_t ms);
/* The same, until *stop becomes true: false then. stop may be NULL. */
bool clock_sleep_unless(uint64_t ms, const atomic_bool *stop);

#endif
