/* SPDX-License-Identifier: Apache-2.0 */
/* What of fetching is pure: names, headers, dates. The rest is tests/it/67-add-url.sh's. */
#include "builder/download.h"

#include <stdint.h>
#include <string.h>

#include "base/http.h"
#include "base/scope.h"
#include "builder/secret_source.h"
#include "tests/tap.h"

static void names(void)
{
    static const struct {
        const char *url, *name;
    } rows[] = {
        {"http://h/a/b.txt", "b.txt"},    {"https://h/b.txt?x=/y#/z", "b.txt"},
        {"http://h/a%20b", "a b"},        {"http://h/a/b/", "b"},
        {"http://h/a/..", "__unnamed__"}, {"http://h/..%2f..%2fetc", "etc"},
        {"http://h/", "__unnamed__"},     {"http://h", "__unnamed__"},
        {"http://h?x=y", "__unnamed__"},  {"http://h/a%00b", "__unnamed__"},
        {"http://h/%zz", "__unnamed__"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        AUTO_FREE char *name = download_name(rows[i].url);

        OKF(strcmp(name, rows[i].name) == 0, "%s: %s", rows[i].url, name);
    }
    OK(download_is_url("http://x") && download_is_url("HTTPS://x") &&
       !download_is_url("httpx://x") && !download_is_url("ftp://x") &&
       !download_is_url("x/http://y"));
}

static int get(void *arg, const char *id, struct buf *out, struct err *err)
{
    (void)err;
    if (strcmp(id, "there") != 0)
        return 0;
    buf_adds(out, arg);
    return 1;
}

static void headers(void)
{
    static const struct {
        const char *secret, *want; /* NULL: refused */
    } rows[] = {{"Bearer x", "Bearer x"}, {"x\n", "x"},   {"x\r\n", "x"}, {"", NULL}, {"\n", NULL},
                {"a\nb", NULL},           {"a\tb", NULL}, {"a\x7f", NULL}};
    struct err err = {0};
    SCOPED(buf_release) struct buf none = {0};

    OK(secret_header(NULL, "there", &none, &err) == 0);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char *value = (char *)(uintptr_t)rows[i].secret;
        struct secret_source source = {.get = get, .arg = value};
        SCOPED(buf_release) struct buf out = {0};

        OK(secret_header(&source, "elsewhere", &out, &err) == 0);
        OKF(secret_header(&source, "there", &out, &err) == (rows[i].want ? 1 : -1), "row %zu", i);
        if (rows[i].want)
            EQ_STR(buf_cstr(&out), rows[i].want);
        else
            OKF(!value[0] || !strstr(err.text, value), "row %zu: %s", i, err.text);
    }
}

static void dates(void)
{
    int64_t out = -1;

    OK(http_date("Sun, 06 Nov 1994 08:49:37 GMT", &out) && out == 784111777);
    OK(http_date(" Thu, 01 Jan 1970 00:00:00 GMT ", &out) && out == 0);
    OK(!http_date("Sun, 06 Nov 1994 08:49:37 GMT x", &out));
    OK(!http_date("784111777", &out) && !http_date("", &out) && !http_date(NULL, &out));
}

TAP_MAIN({"names", names}, {"headers", headers}, {"dates", dates})
