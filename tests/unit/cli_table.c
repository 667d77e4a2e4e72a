/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/table.h"

#include "base/scope.h"
#include "base/str.h"
#include "tests/tap.h"

static void sizes(void)
{
    static const struct {
        uint64_t bytes;
        const char *want;
    } rows[] = {
        {0, "0B"},
        {1, "1B"},
        {999, "999B"},
        {1000, "1kB"},
        {1234, "1.23kB"},
        {999499, "999kB"},
        {999999, "1MB"},
        {187000000, "187MB"},
        {2500000000, "2.5GB"},
        {UINT64_MAX, "18.4EB"},
    };
    char out[HUMAN_SIZE];

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        EQ_STR(human_size(rows[i].bytes, out), rows[i].want);
}

static void ages(void)
{
    static const struct {
        const char *then, *want;
    } rows[] = {
        {"2026-01-31T00:00:00Z", "0 seconds ago"},
        {"2026-01-30T23:59:01Z", "59 seconds ago"},
        {"2026-01-30T23:57:00Z", "3 minutes ago"},
        {"2026-01-30T12:00:00Z", "12 hours ago"},
        {"2026-01-28T00:00:00Z", "3 days ago"},
        {"2026-01-01T00:00:00Z", "4 weeks ago"},
        {"2025-08-01T00:00:00Z", "6 months ago"},
        {"1970-01-01T00:00:00Z", "56 years ago"},
        {"2099-01-01T00:00:00Z", "0 seconds ago"},
        {"yesterday", "N/A"},
        {NULL, "N/A"},
    };
    char out[HUMAN_AGO_SIZE];

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        EQ_STR(human_ago(rows[i].then, 1769817600, out), rows[i].want);
}

static void ids(void)
{
    char out[SHORT_ID_SIZE];

    EQ_STR(short_id("sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", out),
           "0123456789ab");
}

TAP_MAIN({"sizes", sizes}, {"ages", ages}, {"ids", ids})
