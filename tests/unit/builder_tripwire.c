/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/tripwire.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/enc.h"
#include "base/scope.h"
#include "tests/tap.h"

#define SECRET "hunter2-and-more?~\xff"

/* In chunks of this size. */
static const char *scan(const struct tripwire *wire, struct str text, size_t chunk)
{
    SCOPED(tripwire_scan_release) struct tripwire_scan s = {.wire = wire};
    const char *found;

    for (size_t at = 0; at < text.size; at += chunk)
        tripwire_feed(&s, text.ptr + at, at + chunk < text.size ? chunk : text.size - at);
    tripwire_end(&s);
    found = s.found;
    return found;
}

static void everywhere(void)
{
    struct tripwire *wire = tripwire_new();
    const size_t size = 300000;
    SCOPED(buf_release) struct buf text = {0};

    OK(tripwire_is_empty(wire));
    OK(tripwire_add(wire, "one", STR(SECRET "\n")));
    OK(tripwire_add(wire, "two", STR("12345678")));
    OK(!tripwire_add(wire, "short", STR(" 1234567 ")));
    buf_reserve(&text, size);
    memset(text.ptr, 'x', size);
    text.size = size;
    OK(!scan(wire, buf_str(&text), 4096));
    /* At the borders of our chunks, of the scan's own window, and at both ends. */
    for (long at = 0; at<(long)size - 19; at += at> 65400 && at < 65700 ? 1 : 997) {
        memcpy(text.ptr + at, SECRET, 19);
        EQ_STR(scan(wire, buf_str(&text), 65536), "one");
        memset(text.ptr + at, 'x', 19);
    }
    memcpy(text.ptr + size - 8, "12345678", 8);
    EQ_STR(scan(wire, buf_str(&text), 1000), "two");
    text.ptr[size - 1] = 'x';
    OK(!scan(wire, buf_str(&text), 1000));
    tripwire_free(wire);
    tripwire_free(NULL);
    OK(!scan(NULL, STR("12345678"), 3));
    OK(!tripwire_find(NULL, STR("12345678")));
}

static void borders(void)
{
    struct tripwire *wire = tripwire_new();

    tripwire_add(wire, "one", STR(SECRET));
    for (size_t chunk = 1; chunk < 40; chunk++)
        EQ_STR(scan(wire, STR("before " SECRET " after"), chunk), "one");
    OK(!scan(wire, STR("hunter2-and-more?~"), 3));
    OK(!scan(wire, STR("hunter2-and-hunter2-and-more?~"), 3));
    EQ_STR(scan(wire, STR("hunter2-and-" SECRET), 3), "one");
    tripwire_free(wire);
}

/* Any text with the secret in it, as base64, plain, URL-safe and in lines. */
static void base64(void)
{
    struct tripwire *wire = tripwire_new();
    SCOPED(buf_release) struct buf secret = {0};

    tripwire_add(wire, "one", STR(SECRET));
    for (size_t before = 0; before < 7; before++) {
        for (size_t after = 0; after < 4; after++) {
            SCOPED(buf_release) struct buf text = {0}, out = {0};

            buf_add(&text, "user:pw", before);
            buf_adds(&text, SECRET);
            buf_add(&text, "\n\xfe\xfd", after < 3 ? after : 3);
            base64_encode(&out, text.ptr, text.size);
            OKF(scan(wire, buf_str(&out), 5) != NULL, "not found in %s", buf_cstr(&out));
            for (size_t i = 0; i < out.size; i++)
                out.ptr[i] = out.ptr[i] == '+' ? '-' : out.ptr[i] == '/' ? '_' : out.ptr[i];
            OKF(scan(wire, buf_str(&out), 5) != NULL, "not found in %s", buf_cstr(&out));
        }
    }
    OK(!scan(wire, STR("aHVudGVyMi1hbmQtbW9yZT9"), 5));
    for (int i = 0; i < 40; i++)
        buf_addf(&secret, "line %d of a key\n", i);
    tripwire_add(wire, "key", buf_str(&secret));
    SCOPED(buf_release) struct buf text = {0}, lines = {0};
    base64_encode(&text, secret.ptr, secret.size);
    for (size_t i = 0; i < text.size; i++) {
        buf_addc(&lines, text.ptr[i]);
        if (i % 76 == 75)
            buf_addc(&lines, '\n');
    }
    EQ_STR(scan(wire, buf_str(&lines), 64), "key");
    EQ_STR(scan(wire, buf_str(&text), 64), "key");
    tripwire_free(wire);
}

static void redacted(void)
{
    static const struct {
        const char *text, *want;
    } rows[] = {
        {"plain\n", "plain\n"},
        {"a " SECRET " b " SECRET "\n", "a [secret one] b [secret one]\n"},
        {SECRET "12345678", "[secret one][secret two]"},
        {"hunter2-and-m", "hunter2-and-m"},
        {"1234567", "1234567"},
        {"1234123412345678!", "12341234[secret two]!"},
        {"", ""},
    };
    struct tripwire *wire = tripwire_new();

    tripwire_add(wire, "one", STR(SECRET));
    tripwire_add(wire, "two", STR("12345678"));
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        for (size_t chunk = 1; chunk < 24; chunk++) {
            SCOPED(tripwire_scan_release) struct tripwire_scan s = {.wire = wire};
            SCOPED(buf_release) struct buf out = {0};
            size_t size = strlen(rows[i].text);

            for (size_t at = 0; at < size; at += chunk)
                tripwire_redact(&s, rows[i].text + at, at + chunk < size ? chunk : size - at, &out);
            tripwire_redact(&s, NULL, 0, &out);
            EQ_STR(buf_cstr(&out), rows[i].want);
        }
    }
    /* What cannot be the beginning of a secret is given at once. */
    SCOPED(tripwire_scan_release) struct tripwire_scan s = {.wire = wire};
    SCOPED(buf_release) struct buf out = {0};
    tripwire_redact(&s, "password: 12", 12, &out);
    EQ_STR(buf_cstr(&out), "password: ");
    SCOPED(buf_release) struct buf text = {0};
    buf_adds(&text, "x 12345678 y 1234567");
    tripwire_clean(wire, &text);
    tripwire_clean(NULL, &text);
    EQ_STR(buf_cstr(&text), "x [secret two] y 1234567");
    tripwire_free(wire);
}

TAP_MAIN({"everywhere", everywhere}, {"borders of chunks", borders}, {"base64", base64},
         {"redacted", redacted})
