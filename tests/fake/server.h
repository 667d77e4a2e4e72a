/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_FAKE_SERVER_H
#define TESTS_FAKE_SERVER_H

/*
 * tests/fake/registry.py for unit tests: started, scripted, its log read. Tests run from the source
 * root. The image web:1 is in it, with one layer of 3000000 bytes.
 */
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/http.h"
#include "base/json.h"
#include "base/proc.h"
#include "base/scope.h"
#include "tests/tap.h"

extern char **environ;

struct server {
    char dir[64];
    pid_t pid;
    struct buf url; /* no slash at its end */
    struct buf storage_url;
    struct http *http;
    json_t *log;
};

/* More arguments for the server, NULL-ended. With server_tls it speaks TLS with DIR/cert.pem. */
static const char *const server_redirects[] = {"--redirect", NULL};
static const char *const server_tls[] = {"--tls", NULL};

static __attribute__((unused)) void server_stop(struct server *s)
{
    struct err ignored;

    http_free(s->http);
    if (s->pid > 0) {
        kill(s->pid, SIGTERM);
        waitpid(s->pid, NULL, 0);
    }
    if (s->dir[0])
        fs_remove_tree(AT_FDCWD, s->dir, &ignored);
    buf_release(&s->url);
    buf_release(&s->storage_url);
    json_decref(s->log);
    *s = (struct server){0};
}

static __attribute__((unused)) bool server_run(const char *const *words)
{
    SCOPED(strv_release) struct strv argv = {0};
    SCOPED(buf_release) struct buf out = {0};
    struct proc proc = {.argv = &argv, .timeout_ms = 20000};
    struct err err = {0};
    int status = -1;

    while (*words)
        strv_add(&argv, *words++);
    return proc_run(&proc, &out, &out, &status, &err) == 0 && status == 0;
}

/* Our own certificate for registry.test and 127.0.0.1 in cert.pem, its own authority. */
static __attribute__((unused)) bool server_certificate(const char *dir)
{
    char cert[96], key[96];

    snprintf(cert, sizeof(cert), "%s/cert.pem", dir);
    snprintf(key, sizeof(key), "%s/key.pem", dir);
    const char *const words[] = {"openssl",
                                 "req",
                                 "-x509",
                                 "-newkey",
                                 "ec",
                                 "-pkeyopt",
                                 "ec_paramgen_curve:prime256v1",
                                 "-nodes",
                                 "-days",
                                 "2",
                                 "-subj",
                                 "/CN=test",
                                 "-addext",
                                 "subjectAltName=DNS:registry.test,IP:127.0.0.1",
                                 "-keyout",
                                 key,
                                 "-out",
                                 cert,
                                 NULL};

    return server_run(words);
}

static __attribute__((unused)) void server_start(struct server *s, const char *rules,
                                                 const struct http_options *options,
                                                 const char *const *more)
{
    char ready[96], log[96], cert[96], key[96];
    SCOPED(buf_release) struct buf text = {0};
    SCOPED(strv_release) struct strv argv = {0};
    struct err err = {0};
    json_int_t port = 0, storage = 0;

    snprintf(s->dir, sizeof(s->dir), "/tmp/slipway-http.XXXXXX");
    if (!OK(mkdtemp(s->dir) != NULL))
        return;
    snprintf(ready, sizeof(ready), "%s/ready", s->dir);
    snprintf(log, sizeof(log), "%s/log", s->dir);
    snprintf(cert, sizeof(cert), "%s/cert.pem", s->dir);
    snprintf(key, sizeof(key), "%s/key.pem", s->dir);
    const char *const words[] = {
        "python3", "tests/fake/registry.py", "--ready", ready, "--log", log, "--rules", rules,
        "--image", "web:1:1:3000000"};

    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        strv_add(&argv, words[i]);
    bool tls = more == server_tls;

    for (size_t i = 0; more[i]; i++)
        strv_add(&argv, more[i]);
    if (tls) {
        OK(server_certificate(s->dir));
        strv_add(&argv, cert);
        strv_add(&argv, key);
    }
    if (!OK(posix_spawnp(&s->pid, "python3", NULL, NULL, strv_argv(&argv), environ) == 0))
        return;
    for (int i = 0; i < 200 && access(ready, F_OK) < 0; i++)
        clock_sleep_ms(25);
    OKF(fs_read_file(AT_FDCWD, ready, &text, 1 << 16, &err) == 0, "server: %s", err.text);
    json_auto_t *doc = json_parse(buf_str(&text), &err);
    OKF(doc && json_take(doc, &err, "{s:I, s:I}", "port", &port, "storage_port", &storage) == 0,
        "%s", err.text);
    buf_addf(&s->url, "http%s://127.0.0.1:%d", tls ? "s" : "", (int)port);
    buf_addf(&s->storage_url, "http%s://127.0.0.1:%d", tls ? "s" : "", (int)storage);
    struct http_options quick = options ? *options : (struct http_options){0};

    if (!quick.retry_base_ms)
        quick.retry_base_ms = 20;
    s->http = http_open(&quick, &err);
    OKF(s->http != NULL, "%s", err.text);
}

/* Requests are logged as they are done, and told in the order in which they came. */
static void server_insert(json_t *list, json_t *entry)
{
    json_int_t n = json_integer_value(json_object_get(entry, "n"));
    size_t at = json_array_size(list);

    while (at > 0 && json_integer_value(json_object_get(json_array_get(list, at - 1), "n")) > n)
        at--;
    json_array_insert_new(list, at, entry);
}

/* Request number n of the server's log, from 0; the log is read anew when n is 0. */
static __attribute__((unused)) json_t *server_logged(struct server *s, size_t n)
{
    char path[96];
    SCOPED(buf_release) struct buf text = {0};
    struct err err = {0};
    struct str rest, line;

    if (n == 0 || !s->log) {
        json_decref(s->log);
        s->log = json_array();
        clock_sleep_ms(30); /* it logs after it has answered */
        snprintf(path, sizeof(path), "%s/log", s->dir);
        fs_read_file(AT_FDCWD, path, &text, 1 << 22, &err);
        rest = buf_str(&text);
        while (str_line(&rest, &line))
            server_insert(s->log, json_parse(line, &err));
    }
    return json_array_get(s->log, n);
}

static __attribute__((unused)) const char *server_header(struct server *s, size_t n,
                                                         const char *name)
{
    return json_str(json_object_get(server_logged(s, n), "headers"), name);
}

static __attribute__((unused)) size_t server_count(struct server *s)
{
    server_logged(s, 0);
    return json_array_size(s->log);
}

static __attribute__((unused)) void server_post(struct server *s, const char *path,
                                                const char *text)
{
    SCOPED(http_reply_release) struct http_reply reply = {0};
    SCOPED(buf_release) struct buf url = {0};
    struct err err = {0};

    buf_addf(&url, "%s%s", buf_cstr(&s->url), path);
    struct http_request request = {.method = "POST", .url = buf_cstr(&url), .body = str_of(text)};
    OKF(http_send(s->http, &request, &reply, &err) == 0, "%s", err.text);
}

static __attribute__((unused)) void server_rules(struct server *s, const char *rules)
{
    server_post(s, "/_rules", rules);
}

/* One GET of a path (or what `request` says), its result in *reply and *err. */
static __attribute__((unused)) int server_get(struct server *s, const char *path,
                                              struct http_request *request,
                                              struct http_reply *reply, struct err *err)
{
    struct http_request plain = {.method = "GET", .repeatable = true};
    SCOPED(buf_release) struct buf url = {0};

    *err = (struct err){0};
    if (!request)
        request = &plain;
    buf_addf(&url, "%s%s", buf_cstr(&s->url), path);
    request->url = buf_cstr(&url);
    return http_send(s->http, request, reply, err);
}

/* The address of the server in an error text differs every time: "http://HOST". */
static __attribute__((unused)) const char *server_plainly(const struct server *s, const char *text,
                                                          struct buf *out)
{
    const char *host = strstr(buf_cstr(&s->url), "//") + 2;
    const char *at;

    buf_clear(out);
    while ((at = strstr(text, host))) {
        buf_add(out, text, (size_t)(at - text));
        buf_adds(out, "HOST");
        text = at + strlen(host);
    }
    buf_adds(out, text);
    return buf_cstr(out);
}

#endif
