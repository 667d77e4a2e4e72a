/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/alloc.h"
#include "base/scope.h"
#include "registry/places.h"
#include "registry/upload_session.h"
#include "tests/tap.h"

static void pairs(void)
{
    static const struct {
        const char *text, *host, *scheme, *to, *prefix, *err;
    } rows[] = {
        {"docker.io=http://127.0.0.1:5000", "docker.io", "http", "127.0.0.1:5000", "", NULL},
        {" index.docker.io = https://Mirror.Example/hub/ ", "docker.io", "https", "mirror.example",
         "/hub", NULL},
        {"registry-1.docker.io=m.example/v2/", "docker.io", NULL, "m.example", "", NULL},
        {"localhost:5000=https://[::1]:5001/a/v2", "localhost:5000", "https", "[::1]:5001", "/a",
         NULL},
        {"docker.io", NULL, NULL, NULL, NULL, "--m \"docker.io\" is not HOST=URL"},
        {"=http://x", NULL, NULL, NULL, NULL, "--m \"=http://x\": \"\" is no registry host"},
        {"a/b=http://x", NULL, NULL, NULL, NULL,
         "--m \"a/b=http://x\": \"a/b\" is no registry host"},
        {"a.example=ftp://x", NULL, NULL, NULL, NULL,
         "--m \"a.example=ftp://x\": \"ftp://x\" is no http or https URL"},
        {"a.example=", NULL, NULL, NULL, NULL, "--m \"a.example=\": \"\" has no valid host name"},
        {"a.example=https://", NULL, NULL, NULL, NULL,
         "--m \"a.example=https://\": \"https://\" has no valid host name"},
        {"a.example=https://u:p@x", NULL, NULL, NULL, NULL,
         "--m \"a.example=https://u:p@x\": a login does not belong into a registry's URL: use "
         "slipway login"},
        {"a.example=https://x/y?z", NULL, NULL, NULL, NULL,
         "--m \"a.example=https://x/y?z\": \"https://x/y?z\" is no URL of a registry"},
        {"a.example=https://x/../y", NULL, NULL, NULL, NULL,
         "--m \"a.example=https://x/../y\": \"https://x/../y\" is no URL of a registry"},
        {"a.example=https://x/a b", NULL, NULL, NULL, NULL,
         "--m \"a.example=https://x/a b\": \"https://x/a b\" is no URL of a registry"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        AUTO_FREE char *host = NULL;
        SCOPED(place_url_release) struct place_url url = {0};
        struct err err = {0};
        int got = place_pair_parse(rows[i].text, "--m", &host, &url, &err);

        EQ_INT(got, rows[i].err ? -1 : 0);
        EQ_STR(err.text, rows[i].err ? rows[i].err : "");
        EQ_STR(host, rows[i].host);
        EQ_STR(url.scheme, rows[i].scheme);
        EQ_STR(url.host, rows[i].to);
        EQ_STR(url.prefix, rows[i].prefix);
    }
}

static void hosts(void)
{
    static const struct {
        const char *host;
        bool loopback;
    } rows[] = {
        {"localhost", true},          {"LOCALHOST:5000", true},
        {"127.0.0.1:1", true},        {"127.9.9.9", true},
        {"[::1]:5000", true},         {"[::ffff:127.0.0.1]", true},
        {"localhost.example", false}, {"127.0.0.1.example", false},
        {"10.0.0.1", false},          {"[::2]", false},
        {"example.com:443", false},
    };
    SCOPED(strv_release) struct strv list = {0};

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        OKF(place_is_loopback(rows[i].host) == rows[i].loopback, "%s", rows[i].host);
    strv_add(&list, "r.example:5000");
    strv_add(&list, "index.docker.io");
    OK(place_listed(&list, "r.example:5000"));
    OK(!place_listed(&list, "r.example"));
    OK(!place_listed(&list, "r.example:5001"));
    OK(place_listed(&list, "docker.io"));
}

static void sending(void)
{
    static const struct {
        const char *own, *other;
        bool may;
    } rows[] = {
        {"r.example", "s3.example", true},          {"r.example", "127.0.0.1", false},
        {"r.example", "localhost:80", false},       {"r.example", "169.254.169.254", false},
        {"r.example", "10.1.2.3", false},           {"r.example", "172.16.0.1", false},
        {"r.example", "172.32.0.1", true},          {"r.example", "192.168.1.1:8080", false},
        {"r.example", "[fe80::1]", false},          {"r.example", "[fd00:ec2::254]", false},
        {"r.example", "[::ffff:10.0.0.1]", false},  {"r.example", "0x7f000001", false},
        {"r.example", "2130706433", false},         {"r.example", "8.8.8.8", true},
        {"10.0.0.1:5000", "10.0.0.1:5001", true},   {"10.0.0.1:5000", "10.0.0.2:5000", true},
        {"10.0.0.1", "127.0.0.1", false},           {"127.0.0.1:5000", "127.0.0.1:5001", true},
        {"localhost:5000", "127.0.0.1:5001", true}, {"localhost:5000", "10.0.0.1", true},
        {"r.example:5000", "r.example:5001", true},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        OKF(place_may_send_to(rows[i].own, rows[i].other) == rows[i].may, "%s to %s", rows[i].own,
            rows[i].other);
}

static void put_urls(void)
{
    static const char digest[] = "sha256:00";
    static const struct {
        const char *location, *want;
    } rows[] = {
        {"https://r/v2/a/blobs/uploads/1", "https://r/v2/a/blobs/uploads/1?digest=sha256%3A00"},
        {"https://r/u?_state=a%2Fb+c==", "https://r/u?_state=a%2Fb+c==&digest=sha256%3A00"},
        {"https://r/u?", "https://r/u?digest=sha256%3A00"},
        {"https://r/u?a=b&", "https://r/u?a=b&digest=sha256%3A00"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        AUTO_FREE char *got = upload_put_url(rows[i].location, digest);

        EQ_STR(got, rows[i].want);
    }
}

TAP_MAIN({"HOST=URL", pairs}, {"hosts", hosts}, {"who may send us where", sending},
         {"where the PUT goes", put_urls})
