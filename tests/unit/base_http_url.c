/* SPDX-License-Identifier: Apache-2.0 */
#include "base/http_url.h"

#include <stdlib.h>

#include "base/http.h"
#include "base/http_proxy.h"
#include "base/http_retry.h"
#include "base/scope.h"
#include "tests/tap.h"

static void hosts(void)
{
    static const struct {
        const char *url, *host;
    } rows[] = {
        {"https://Registry.Example.com/v2/", "registry.example.com"},
        {"HTTPS://h:443", "h"},
        {"http://h:80/x", "h"},
        {"https://h:80/x", "h:80"},
        {"http://h:443/x", "h:443"},
        {"https://[::1]:5000/v2/", "[::1]:5000"},
        {"https://[FE80::1]/", "[fe80::1]"},
        {"https://h?x=/y", "h"},
        {"https://h#f", "h"},
        {"https://a_b.c-d/", "a_b.c-d"},
        {"ftp://h/", NULL},
        {"https://", NULL},
        {"https:///x", NULL},
        {"https://user:pw@h/", NULL},
        {"https://h\\@evil/", NULL},
        {"https://h /", NULL},
        {"https://h/\r\nX: y", NULL},
        {"https://h:0/", NULL},
        {"https://h:65536/", NULL},
        {"https://h:/", NULL},
        {"https://h:12x/", NULL},
        {"https://[::1/", NULL},
        {"https://[nonsense]/", NULL},
        {"https://[::1]x/", NULL},
        {"https://h%00.x/", NULL},
        {"https://\xc3\xa4.de/", NULL},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        SCOPED(buf_release) struct buf out = {0};
        bool found = http_host(rows[i].url, &out);

        OKF(found == (rows[i].host != NULL), "%s", rows[i].url);
        EQ_STR(buf_cstr(&out), rows[i].host ? rows[i].host : "");
    }
}

static void resolving(void)
{
    static const struct {
        const char *base, *location, *want;
    } rows[] = {
        /* RFC 3986 §5.4, those that make sense for http */
        {"http://a/b/c/d;p?q", "g", "http://a/b/c/g"},
        {"http://a/b/c/d;p?q", "./g", "http://a/b/c/g"},
        {"http://a/b/c/d;p?q", "g/", "http://a/b/c/g/"},
        {"http://a/b/c/d;p?q", "/g", "http://a/g"},
        {"http://a/b/c/d;p?q", "//g", "http://g"},
        {"http://a/b/c/d;p?q", "?y", "http://a/b/c/d;p?y"},
        {"http://a/b/c/d;p?q", "g?y", "http://a/b/c/g?y"},
        {"http://a/b/c/d;p?q", "#s", "http://a/b/c/d;p?q"},
        {"http://a/b/c/d;p?q", "g#s", "http://a/b/c/g"},
        {"http://a/b/c/d;p?q", ";x", "http://a/b/c/;x"},
        {"http://a/b/c/d;p?q", ".", "http://a/b/c/"},
        {"http://a/b/c/d;p?q", "./", "http://a/b/c/"},
        {"http://a/b/c/d;p?q", "..", "http://a/b/"},
        {"http://a/b/c/d;p?q", "../g", "http://a/b/g"},
        {"http://a/b/c/d;p?q", "../..", "http://a/"},
        {"http://a/b/c/d;p?q", "../../../g", "http://a/g"},
        {"http://a/b/c/d;p?q", "/./g", "http://a/g"},
        {"http://a/b/c/d;p?q", "/../g", "http://a/g"},
        {"http://a/b/c/d;p?q", "g.", "http://a/b/c/g."},
        {"http://a/b/c/d;p?q", "..g", "http://a/b/c/..g"},
        {"http://a/b/c/d;p?q", "./g/.", "http://a/b/c/g/"},
        {"http://a/b/c/d;p?q", "g/../h", "http://a/b/c/h"},
        {"http://a/b/c/d;p?q", "g?y/../x", "http://a/b/c/g?y/../x"},
        {"https://[::1]:5000", "v2/", "https://[::1]:5000/v2/"},
        {"https://h:5000/v2/a/blobs/uploads/", "/v2/a/blobs/uploads/1?_state=a%2Fb=",
         "https://h:5000/v2/a/blobs/uploads/1?_state=a%2Fb="},
        {"https://h/", "https://s3/../x?sig=%2f&b",
         "https://s3/../x?sig=%2f&b"}, /* byte for byte */
        {"https://h/", " /x ", "https://h/x"},
        {"https://h/", "ftp://x/", NULL},
        {"https://h/", "mailto:x", NULL},
        {"https://h/", "", NULL},
        {"https://h/", "/a b", NULL},
        {"https://h/", "//user@g/", NULL},
        {"nonsense", "/x", NULL},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        AUTO_FREE char *got = http_resolve(rows[i].base, rows[i].location);

        OKF((got != NULL) == (rows[i].want != NULL), "%s", rows[i].location);
        if (got && rows[i].want)
            EQ_STR(got, rows[i].want);
    }
}

static void addresses(void)
{
    static const struct {
        const char *url;
        bool loopback, private, link_local;
    } rows[] = {
        {"http://localhost/", true, false, false},
        {"http://LOCALHOST:1/", true, false, false},
        {"http://a.localhost/", true, false, false},
        {"http://alocalhost/", false, false, false},
        {"http://localhost.x/", false, false, false},
        {"http://127.0.0.1/", true, true, false},
        {"http://127.255.1.2/", true, true, false},
        {"http://127.1/", true, true, false},
        {"http://2130706433/", true, true, false},
        {"http://0x7f.1/", true, true, false},
        {"http://[::1]/", true, true, false},
        {"http://[::ffff:127.0.0.1]/", true, true, false},
        {"http://10.1.2.3/", false, true, false},
        {"http://172.16.0.1/", false, true, false},
        {"http://172.32.0.1/", false, false, false},
        {"http://192.168.1.1/", false, true, false},
        {"http://169.254.169.254/", false, true, true},
        {"http://[fe80::1]/", false, true, true},
        {"http://[fd00:ec2::23]/", false, true, false},
        {"http://100.64.0.1/", false, true, false},
        {"http://0.0.0.0/", false, true, false},
        {"http://[::]/", false, true, false},
        {"http://8.8.8.8/", false, false, false},
        {"http://[2600::1]/", false, false, false},
        {"http://[::ffff:10.0.0.1]/", false, true, false},
        {"http://10.1.2.3.example.com/", false, false, false},
        {"http://224.0.0.1/", false, true, false},
        {"https://example.com/", false, false, false},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        OKF(http_is_loopback(rows[i].url) == rows[i].loopback, "loopback: %s", rows[i].url);
        OKF(http_is_private(rows[i].url) == rows[i].private, "private: %s", rows[i].url);
        OKF(http_is_link_local(rows[i].url) == rows[i].link_local, "link-local: %s", rows[i].url);
    }
}

static void origins(void)
{
    OK(http_url_same_origin("https://h/a", "https://H:443/b"));
    OK(!http_url_same_origin("https://h/a", "http://h/a"));
    OK(!http_url_same_origin("https://h/a", "https://h:444/a"));
    OK(!http_url_same_origin("https://h/a", "https://h.x/a"));
    OK(!http_url_same_origin("https://h/a", "nonsense"));
}

static void redacting(void)
{
    static const struct {
        const char *url, *want;
    } rows[] = {
        {"https://h/a", "https://h/a"},
        {"https://h/a?X-Amz-Signature=abc&b", "https://h/a?X-Amz-Signature=*&b"},
        {"https://h/a?x=1=2&y=#frag", "https://h/a?x=*&y=*"},
        {"https://h/\n", "https://h/\\n"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        SCOPED(buf_release) struct buf out = {0};

        http_redact(rows[i].url, &out);
        EQ_STR(buf_cstr(&out), rows[i].want);
    }
}

static void proxies(void)
{
    static char https[] = "http://p:1", http[] = "http://q:2";
    static const struct {
        const char *except, *url, *want;
    } rows[] = {
        {NULL, "https://example.com/", "http://p:1"},
        {NULL, "http://example.com/", "http://q:2"},
        {NULL, "https://localhost/", ""},
        {NULL, "https://127.0.0.1/", ""},
        {NULL, "http://169.254.169.254/", ""},
        {NULL, "http://169.254.170.2/", ""},
        {"*", "https://example.com/", ""},
        {"example.com", "https://example.com/", ""},
        {"example.com", "https://Sub.Example.com/", ""},
        {"example.com", "https://notexample.com/", "http://p:1"},
        {".example.com", "https://sub.example.com/", ""},
        {".example.com", "https://example.com/", "http://p:1"},
        {"*.example.com", "https://sub.example.com/", ""},
        {"a , example.com:8443", "https://example.com/", "http://p:1"},
        {"a , example.com:8443", "https://example.com:8443/", ""},
        {"example.com:443", "https://example.com/", ""},
        {"10.0.0.0/8", "https://10.1.2.3/", ""},
        {"10.0.0.0/8", "https://11.1.2.3/", "http://p:1"},
        {"10.0.0.0/33", "https://10.1.2.3/", "http://p:1"},
        {"10.1.2.3", "https://10.1.2.3/", ""},
        {"fd00::/8", "https://[fd00::1]/", ""},
        {"2001:db8::1", "https://[2001:db8::1]/", ""},
        {"[2001:db8::1]:443", "https://[2001:db8::1]/", ""},
        {"[2001:db8::1]:444", "https://[2001:db8::1]/", "http://p:1"},
        {"[", "https://h/", "http://p:1"},
        {",,", "https://h/", "http://p:1"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        AUTO_FREE char *except = rows[i].except ? str_dup(str_of(rows[i].except)) : NULL;
        struct http_proxy proxy = {.https = https, .http = http, .except = except};

        OKF(1, "row %zu", i);
        EQ_STR(http_proxy_for(&proxy, rows[i].url), rows[i].want);
    }
}

static void proxy_environment(void)
{
    SCOPED(http_proxy_release) struct http_proxy proxy = {0};

    setenv("https_proxy", "http://low:1", 1);
    setenv("HTTPS_PROXY", "http://high:1", 1);
    setenv("HTTP_PROXY", "http://plain:1", 1);
    unsetenv("http_proxy");
    setenv("no_proxy", "", 1);
    setenv("NO_PROXY", "x", 1);
    http_proxy_from_env(&proxy);
    EQ_STR(proxy.https, "http://low:1");
    EQ_STR(proxy.http, "http://plain:1");
    EQ_STR(proxy.except, "x");
    unsetenv("https_proxy");
    unsetenv("HTTPS_PROXY");
    unsetenv("HTTP_PROXY");
    setenv("ALL_PROXY", "http://all:1", 1);
    http_proxy_release(&proxy);
    http_proxy_from_env(&proxy);
    EQ_STR(proxy.https, "http://all:1");
    EQ_STR(proxy.http, "http://all:1");
    unsetenv("ALL_PROXY");
}

static void retrying(void)
{
    static const struct {
        const char *value;
        int64_t now;
        uint64_t want;
    } rows[] = {
        {"0", 0, 0},
        {" 120 ", 0, 120000},
        {"Sun, 06 Nov 1994 08:49:37 GMT", 784111767, 10000},
        {"Sun, 06 Nov 1994 08:49:37 GMT", 784111777, 0},
        {"Sun, 06 Nov 1994 08:49:37 GMT", 800000000, 0},
        {"-1", 0, UINT64_MAX},
        {"1.5", 0, UINT64_MAX},
        {"soon", 0, UINT64_MAX},
        {"", 0, UINT64_MAX},
        {"Sun, 06 Nov 1994 08:49:37 GMT+1", 0, UINT64_MAX},
        {"18446744073709551615", 0, UINT64_MAX / 2},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        OKF(http_retry_after(rows[i].value, rows[i].now) == rows[i].want, "row %zu", i);
    EQ_INT(http_retry_pause(1, 500, 0), 250);
    EQ_INT(http_retry_pause(1, 500, 250), 500);
    EQ_INT(http_retry_pause(3, 500, 0), 1000);
    EQ_INT(http_retry_pause(60, 500, 0), HTTP_PAUSE_MAX_MS / 2);
    EQ_INT(http_retry_pause(1, 1, 7), 0);
    OK(http_retry_status(429) && http_retry_status(503) && !http_retry_status(404) &&
       !http_retry_status(501));
    OK(http_retry_fail(HTTP_FAIL_CUT) && !http_retry_fail(HTTP_FAIL_TLS) &&
       !http_retry_fail(HTTP_FAIL_LOCAL));
}

TAP_MAIN({"hosts", hosts}, {"resolving", resolving}, {"addresses", addresses}, {"origins", origins},
         {"redacting", redacting}, {"proxies", proxies}, {"proxy environment", proxy_environment},
         {"retrying", retrying})
