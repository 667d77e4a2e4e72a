/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/ca_bundle.h"

#include <stdlib.h>
#include <string.h>

#include "base/scope.h"
#include "runtime/plan.h"
#include "tests/tap.h"

static void join_and_cut(void)
{
    static const struct {
        const char *before, *after, *want; /* around what was joined; once it is cut */
        bool twice;
    } rows[] = {
        {"", "", "", false},
        {"image\n", "", "image\n", false},
        {"image", "", "image", false},
        {"image\n", "more\n", "image\nmore\n", false},
        {"", "more\n", "more\n", false},
        {"image\n", "", "image\nimage\n", true},
    };
    SCOPED(ca_bundle_release) struct ca_bundle b = {0};
    struct err err = {0};

    OK(ca_bundle_open("testdata/certs/one", &b, &err) == 0);
    OK(strlen(b.mark) == strlen("slipway --ca-bundle ") + 16);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        SCOPED(buf_release) struct buf text = {0};

        for (int n = 0; n <= rows[i].twice; n++) {
            buf_adds(&text, rows[i].before);
            ca_bundle_join(&b, &text);
        }
        OK(str_search(buf_str(&text), b.mark) >= 0);
        buf_adds(&text, rows[i].after);
        OK(ca_bundle_cut(&b, &text));
        OKF(strcmp(buf_cstr(&text), rows[i].want) == 0, "\"%s\", not \"%s\"", buf_cstr(&text),
            rows[i].want);
        OK(!ca_bundle_cut(&b, &text));
    }
}

static void marks(void)
{
    SCOPED(ca_bundle_release) struct ca_bundle a = {0}, b = {0};
    SCOPED(buf_release) struct buf text = {0};
    struct err err = {0};

    OK(ca_bundle_open("testdata/certs/one", &a, &err) == 0);
    OK(ca_bundle_open("testdata/certs/one", &b, &err) == 0);
    OK(strcmp(a.mark, b.mark) != 0);
    ca_bundle_join(&a, &text);
    OK(!ca_bundle_cut(&b, &text));
}

static void sources(void)
{
    static const struct {
        const char *source, *want;
    } rows[] = {
        {"testdata/certs/none", "--ca-bundle: open testdata/certs/none: No such file or directory"},
        {"testdata/certs/fail-key", "--ca-bundle testdata/certs/fail-key: block 2 is a PRIVATE "
                                    "KEY, and only certificates are wanted"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        SCOPED(ca_bundle_release) struct ca_bundle b = {0};
        struct err err = {0};

        OK(ca_bundle_open(rows[i].source, &b, &err) < 0 && err.kind == ERR_USAGE);
        OKF(strcmp(err.text, rows[i].want) == 0, "\"%s\", not \"%s\"", err.text, rows[i].want);
        OK(ca_bundle_is_empty(&b));
    }
}

static void host(void)
{
    SCOPED(ca_bundle_release) struct ca_bundle b = {0};
    struct err err = {0};

    setenv("SSL_CERT_FILE", "testdata/certs/one", 1);
    OK(ca_bundle_open("host", &b, &err) == 0);
    OK(b.is_host && str_eq(buf_str(&b.host), buf_str(&b.own)));
}

TAP_MAIN({"join and cut", join_and_cut}, {"marks", marks}, {"sources", sources}, {"host", host})
