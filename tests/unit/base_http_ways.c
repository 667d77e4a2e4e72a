/* SPDX-License-Identifier: Apache-2.0 */
/* The ways to a server: none, TLS, proxies, many threads. As base_http.c. */
#include "base/http.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/pool.h"
#include "base/scope.h"
#include "tests/fake/server.h"
#include "tests/tap.h"

static void no_server(void)
{
    struct http_options options = {.retry_base_ms = 1};
    struct err err = {0};
    struct http *http = http_open(&options, &err);
    static const struct {
        const char *url, *text;
        enum http_fail fail;
    } rows[] = {
        {"http://127.0.0.1:1/x?secret=1",
         "GET http://127.0.0.1:1/x?secret=*: cannot connect to 127.0.0.1:1: Connection refused "
         "(tried 3 times)",
         HTTP_FAIL_CONNECT},
        {"https://nowhere.invalid/",
         "GET https://nowhere.invalid/: the name of host nowhere.invalid cannot be resolved (tried "
         "3 times)",
         HTTP_FAIL_RESOLVE},
        {"http://example.com/",
         "GET http://example.com/: plain http is refused (--insecure example.com allows it)",
         HTTP_FAIL_OTHER},
        {"file:///etc/passwd", "GET file:///etc/passwd: not an http or https URL", 0},
        {"https://u:p@h/", "GET https://u:p@h/: not an http or https URL", 0},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        SCOPED(http_reply_release) struct http_reply reply = {0};
        struct http_request request = {.method = "GET", .url = rows[i].url, .repeatable = true};

        OK(http_send(http, &request, &reply, &err) == -1);
        EQ_STR(err.text, rows[i].text);
        EQ_INT(err.code, rows[i].fail);
    }
    http_free(http);
}

static void bad_options(void)
{
    SCOPED(strv_release) struct strv list = {0};
    struct err err = {0};
    struct http_options options = {.ca_file = "/nonexistent"};

    OK(http_open(&options, &err) == NULL);
    EQ_STR(err.text, "CA file: open /nonexistent: No such file or directory");
    options.ca_file = "/etc/passwd";
    OK(http_open(&options, &err) == NULL);
    EQ_STR(err.text, "CA file /etc/passwd holds no PEM certificate");
    strv_add(&list, "host=no-port");
    options = (struct http_options){.connect_to = &list};
    OK(http_open(&options, &err) == NULL);
    EQ_STR(err.text, "\"host=no-port\" is not HOST[:PORT]=HOST:PORT");
}

static void tls(void)
{
    SCOPED(server_stop) struct server s = {0};
    SCOPED(http_reply_release) struct http_reply reply = {0};
    SCOPED(strv_release) struct strv connect = {0};
    SCOPED(strv_release) struct strv insecure = {0};
    SCOPED(buf_release) struct buf text = {0};
    SCOPED(buf_release) struct buf url = {0};
    char ca[96];
    struct err err = {0};
    const char *host;

    server_start(
        &s,
        "[{\"path\":\"^/down\",\"status\":302,\"headers\":{\"Location\":\"http://127.0.0.1/x\"}},"
        "{\"path\":\".\",\"status\":200}]",
        NULL, server_tls);
    host = strstr(buf_cstr(&s.url), "//") + 2;
    OK(server_get(&s, "/", NULL, &reply, &err) == -1);
    EQ_INT(err.code, HTTP_FAIL_TLS);
    EQ_INT(reply.attempts, 1);
    OKF(strstr(err.text, "is not trusted: ") &&
            strstr(err.text, "(a private CA is given with --ca-file)"),
        "%s", err.text);

    snprintf(ca, sizeof(ca), "%s/cert.pem", s.dir);
    strv_addf(&connect, "registry.test=%s", host);
    struct http_options options = {.ca_file = ca, .connect_to = &connect};

    http_free(s.http);
    s.http = http_open(&options, &err);
    OKF(server_get(&s, "/", NULL, &reply, &err) == 0 && reply.status == 200, "%s", err.text);
    OK(server_get(&s, "/down", NULL, &reply, &err) == -1);
    EQ_STR(server_plainly(&s, err.text, &text),
           "GET https://HOST/down: redirected from https to plain http://127.0.0.1/x");
    struct http_request request = {.method = "GET", .url = "https://registry.test/x"};

    OKF(http_send(s.http, &request, &reply, &err) == 0, "connect_to: %s", err.text);
    EQ_STR(server_header(&s, server_count(&s) - 1, "host"), "registry.test");
    request.url = "https://registry.test:444/x";
    OK(http_send(s.http, &request, &reply, &err) == -1);
    EQ_INT(err.code, HTTP_FAIL_RESOLVE);

    strv_addf(&insecure, "%s", host);
    options = (struct http_options){.insecure = &insecure};
    http_free(s.http);
    s.http = http_open(&options, &err);
    OKF(server_get(&s, "/", NULL, &reply, &err) == 0 && reply.status == 200, "insecure: %s",
        err.text);

    buf_addf(&url, "http://%s/", host);
    request.url = buf_cstr(&url);
    OKF(http_send(s.http, &request, &reply, &err) == -1 || reply.status == 400,
        "plain to a TLS port: %s", err.text);
}

static void not_tls(void)
{
    SCOPED(server_stop) struct server s = {0};
    SCOPED(http_reply_release) struct http_reply reply = {0};
    SCOPED(buf_release) struct buf url = {0};
    SCOPED(buf_release) struct buf text = {0};
    struct err err = {0};

    server_start(&s, "[]", NULL, server_redirects);
    buf_addf(&url, "https%s/", strchr(buf_cstr(&s.url), ':'));
    struct http_request request = {.method = "GET", .url = buf_cstr(&url), .repeatable = true};

    OK(http_send(s.http, &request, &reply, &err) == -1);
    EQ_STR(server_plainly(&s, err.text, &text),
           "GET https://HOST/: HOST does not speak TLS (--insecure HOST allows plain http)");
}

static void by_proxy(void)
{
    SCOPED(server_stop) struct server s = {0};
    SCOPED(http_reply_release) struct http_reply reply = {0};
    SCOPED(strv_release) struct strv insecure = {0};
    struct err err = {0};

    server_start(&s, "[{\"path\":\"^http://registry.test/x\",\"status\":200}]", NULL,
                 server_redirects);
    setenv("http_proxy", buf_cstr(&s.url), 1);
    setenv("https_proxy", buf_cstr(&s.url), 1);
    strv_add(&insecure, "registry.test");
    struct http_options options = {.insecure = &insecure, .retry_base_ms = 1};
    struct http_request request = {
        .method = "GET", .url = "http://registry.test/x", .repeatable = true};

    http_free(s.http);
    s.http = http_open(&options, &err);
    OKF(http_send(s.http, &request, &reply, &err) == 0 && reply.status == 200, "%s", err.text);
    request.url = "https://registry.test/x"; /* it knows no CONNECT */
    OK(http_send(s.http, &request, &reply, &err) == -1);
    OKF(strstr(err.text, "the proxy refused to connect to registry.test (501)") != NULL, "%s",
        err.text);
    unsetenv("http_proxy");
    unsetenv("https_proxy");
}

struct many {
    struct server *server;
    const char *path;
    uint64_t took_ms;
};

static int get_many(void *arg, struct err *err)
{
    struct many *m = arg;
    uint64_t begun = clock_mono_ms();

    for (int i = 0; i < 25; i++) {
        SCOPED(http_reply_release) struct http_reply reply = {0};

        if (server_get(m->server, m->path, NULL, &reply, err) < 0)
            return -1;
        if (reply.status != 200 || reply.size != 5)
            return err_set(err, ERR_REMOTE, reply.status, "status %d", reply.status);
    }
    m->took_ms = clock_mono_ms() - begun;
    return 0;
}

/* TLS sessions are shared by all threads. */
static void tls_threads(void)
{
    SCOPED(server_stop) struct server s = {0};
    struct many jobs[4];
    struct job *handles[ARRAY_SIZE(jobs)];
    struct pool *pool = pool_open(ARRAY_SIZE(jobs));
    struct err err = {0};
    char ca[96];

    server_start(
        &s,
        "[{\"times\":40,\"status\":200,\"body\":\"hello\",\"headers\":{\"Connection\":\"close\"}},"
        "{\"status\":200,\"body\":\"hello\"}]",
        NULL, server_tls);
    snprintf(ca, sizeof(ca), "%s/cert.pem", s.dir);
    struct http_options options = {.ca_file = ca, .retry_base_ms = 5};

    http_free(s.http);
    s.http = http_open(&options, &err);
    for (size_t i = 0; i < ARRAY_SIZE(jobs); i++) {
        jobs[i] = (struct many){.server = &s, .path = "/x"};
        handles[i] = pool_start(pool, get_many, &jobs[i]);
    }
    for (size_t i = 0; i < ARRAY_SIZE(jobs); i++)
        OKF(job_wait(handles[i], &err) == 0, "%s", err.text);
    pool_close(pool);
}

static void threads(void)
{
    SCOPED(server_stop) struct server s = {0};
    struct many jobs[6];
    struct job *handles[ARRAY_SIZE(jobs)];
    struct pool *pool = pool_open(ARRAY_SIZE(jobs));
    struct err err = {0};
    size_t connections = 0;

    server_start(
        &s,
        "[{\"path\":\"^/p\",\"status\":429,\"headers\":{\"Retry-After\":\"1\"},\"times\":1},"
        "{\"path\":\".\",\"status\":200,\"body\":\"hello\"}]",
        NULL, server_redirects);
    SCOPED(http_reply_release) struct http_reply reply = {0};
    struct http_request told = {.method = "GET"};

    for (size_t i = 0; i < ARRAY_SIZE(jobs); i++) {
        jobs[i] = (struct many){.server = &s, .path = i ? "/x" : "/p"};
        handles[i] = pool_start(pool, get_many, &jobs[i]);
    }
    for (size_t i = 0; i < ARRAY_SIZE(jobs); i++)
        OKF(job_wait(handles[i], &err) == 0, "%s", err.text);
    pool_close(pool);
    OKF(jobs[0].took_ms >= 1000, "the one that was told waited %d ms", (int)jobs[0].took_ms);
    size_t count = server_count(&s);

    EQ_INT(count, ARRAY_SIZE(jobs) * 25 + 1);
    json_auto_t *seen = json_object();

    for (size_t i = 0; i < count; i++) {
        char port[24];

        snprintf(
            port, sizeof(port), "%lld",
            (long long)json_integer_value(json_object_get(json_array_get(s.log, i), "client")));
        json_object_set_new(seen, port, json_true());
    }
    connections = json_object_size(seen);
    OKF(connections <= ARRAY_SIZE(jobs), "%zu connections for %zu threads", connections,
        ARRAY_SIZE(jobs));

    /* A pause that one request was given holds for the next to that host. */
    server_rules(
        &s, "[{\"status\":429,\"headers\":{\"Retry-After\":\"2\"},\"times\":1},{\"status\":200}]");
    told.repeatable = true;
    told.timeout_ms = 1900;
    OK(server_get(&s, "/x", &told, &reply, &err) == 0 && reply.status == 429);
    told.timeout_ms = 0;
    uint64_t begun = clock_mono_ms();
    OK(server_get(&s, "/y", &told, &reply, &err) == 0 && reply.status == 200);
    OKF(clock_mono_ms() - begun > 900, "the other waited %d ms", (int)(clock_mono_ms() - begun));
}

TAP_MAIN({"no server", no_server}, {"bad options", bad_options}, {"tls", tls}, {"not tls", not_tls},
         {"by proxy", by_proxy}, {"threads", threads}, {"threads over TLS", tls_threads})
