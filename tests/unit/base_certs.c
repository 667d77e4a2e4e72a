/* SPDX-License-Identifier: Apache-2.0 */
#include "base/certs.h"

#include <fcntl.h>
#include <string.h>

#include "base/fs.h"
#include "base/scope.h"
#include "tests/tap.h"

static void files(void)
{
    static const struct {
        const char *name, *want; /* subjects, or the error */
    } rows[] = {
        {"one", "[CN=one,O=slipway tests]"},
        {"bundle", "[CN=one,O=slipway tests][CN=zwei ü][CN=one,O=slipway tests]"},
        {"fail-key", "block 2 is a PRIVATE KEY, and only certificates are wanted"},
        {"fail-trusted", "block 1 is a TRUSTED CERTIFICATE, and only certificates are wanted"},
        {"fail-broken", "block 1 is broken PEM"},
        {"fail-cut", "block 1 is broken PEM"},
        {"fail-begun", "block 1 is broken PEM"},
        {"fail-none", "there is no PEM certificate in it"},
        {"fail-no-certificate", "block 1 is no certificate that can be read"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        SCOPED(certs_release) struct certs certs = {0};
        SCOPED(buf_release) struct buf text = {0}, path = {0}, got = {0};
        struct err err = {0};

        buf_addf(&path, "testdata/certs/%s", rows[i].name);
        if (fs_read_file(AT_FDCWD, buf_cstr(&path), &text, 1 << 20, &err) < 0 ||
            certs_read(buf_str(&text), &certs, &err) < 0)
            buf_adds(&got, err.text);
        for (size_t k = 0; !err.text[0] && k < certs.count; k++)
            buf_addf(&got, "[%s]", certs.items[k].name);
        OKF(strcmp(buf_cstr(&got), rows[i].want) == 0, "%s: \"%s\", not \"%s\"", rows[i].name,
            buf_cstr(&got), rows[i].want);
    }
}

/* The certificates alone, each once, and what is written is read again. */
static void written(void)
{
    SCOPED(certs_release) struct certs certs = {0}, again = {0};
    SCOPED(buf_release) struct buf text = {0}, one = {0};
    struct err err = {0};

    OK(fs_read_file(AT_FDCWD, "testdata/certs/bundle", &text, 1 << 20, &err) == 0);
    OK(fs_read_file(AT_FDCWD, "testdata/certs/one", &one, 1 << 20, &err) == 0);
    OK(certs_read(buf_str(&text), &certs, &err) == 0);
    OK(str_starts(buf_str(&certs.pem), buf_cstr(&one)));
    OK(str_search(buf_str(&certs.pem), "between") < 0);
    OK(certs_read(buf_str(&certs.pem), &again, &err) == 0);
    OK(again.count == 2 && certs.count == 3);
    OK(str_eq(buf_str(&certs.pem), buf_str(&again.pem)));
}

static void times(void)
{
    SCOPED(certs_release) struct certs certs = {0};
    SCOPED(buf_release) struct buf one = {0};
    struct err err = {0};

    OK(fs_read_file(AT_FDCWD, "testdata/certs/one", &one, 1 << 20, &err) == 0);
    OK(certs_read(buf_str(&one), &certs, &err) == 0);
    OK(certs.count == 1 && certs.items[0].until - certs.items[0].from == 36500L * 24 * 3600);
}

TAP_MAIN({"files", files}, {"written", written}, {"times", times})
