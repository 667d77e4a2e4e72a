/* SPDX-License-Identifier: Apache-2.0 */
/* auth_send() against tests/fake/registry.py: what is asked for, how often, and who is told what.
 */
#include "registry/auth.h"

#include <stdlib.h>
#include <string.h>

#include "base/enc.h"
#include "base/pool.h"
#include "tests/fake/server.h"
#include "tests/tap.h"

#define PULL "repository:web:pull"
#define PUSH "repository:web:pull,push"

/* The server calls itself 127.0.0.1:PORT; logins are kept for that name. */
static const char *registry_of(const struct server *s)
{
    return strstr(buf_cstr(&s->url), "//") + 2;
}

static void no_logins(const struct server *s)
{
    setenv("HOME", s->dir, 1);
    unsetenv("DOCKER_CONFIG");
    unsetenv("DOCKER_AUTH_CONFIG");
    unsetenv("REGISTRY_AUTH_FILE");
    unsetenv("XDG_CONFIG_HOME");
    unsetenv("XDG_RUNTIME_DIR");
}

static int ask(struct auth *auth, struct server *s, const char *method, const char *path,
               const char *scope, struct http_reply *reply, struct err *err)
{
    SCOPED(buf_release) struct buf url = {0};
    struct http_request request = {.method = method, .repeatable = true};

    *err = (struct err){0};
    buf_addf(&url, "%s%s", buf_cstr(&s->url), path);
    request.url = buf_cstr(&url);
    return auth_send(auth, registry_of(s), scope, &request, reply, err);
}

/* "GET /v2/…, GET /token, GET /v2/…" of all requests so far; then forgets them. */
static const char *requests(struct server *s, size_t *from, struct buf *out)
{
    size_t count = server_count(s);

    buf_clear(out);
    for (; *from < count; ++*from) {
        json_t *entry = json_array_get(s->log, *from);

        buf_addf(out, "%s%s %s %lld", out->size ? ", " : "", json_str(entry, "method"),
                 json_str(entry, "path"),
                 (long long)json_integer_value(json_object_get(entry, "status")));
    }
    return buf_cstr(out);
}

static void bearer(void)
{
    static const char *const more[] = {"--auth",      "bearer", "--anonymous-pull",
                                       "--token-ttl", "300",    NULL};
    SCOPED(server_stop) struct server s = {0};
    SCOPED(http_reply_release) struct http_reply reply = {0};
    SCOPED(buf_release) struct buf text = {0};
    SCOPED(buf_release) struct buf shown = {0};
    struct err err;
    size_t from = 0;

    server_start(&s, "[]", NULL, more);
    no_logins(&s);
    struct auth *auth = auth_open(s.http, NULL);

    OKF(ask(auth, &s, "GET", "/v2/web/manifests/1", PULL, &reply, &err) == 0 && reply.status == 200,
        "%s", err.text);
    EQ_STR(requests(&s, &from, &text),
           "GET /v2/web/manifests/1 401, GET /token 200, GET /v2/web/manifests/1 200");
    EQ_STR(json_str(json_array_get(s.log, 1), "query"), "service=fake&scope=repository:web:pull");
    ask(auth, &s, "GET", "/v2/web/manifests/1", PULL, &reply, &err);
    EQ_STR(requests(&s, &from, &text), "GET /v2/web/manifests/1 200"); /* the token is kept */
    ask(auth, &s, "GET", "/v2/other/manifests/1", "repository:other:pull", &reply, &err);
    EQ_STR(requests(&s, &from, &text),
           "GET /token 200, GET /v2/other/manifests/1 404"); /* the way is known */

    /* anonymous may not push: refused, the token fetched once, no more */
    OK(ask(auth, &s, "POST", "/v2/web/blobs/uploads/", PUSH, &reply, &err) == 0);
    EQ_INT(reply.status, 401);
    EQ_STR(requests(&s, &from, &text), "GET /token 200, POST /v2/web/blobs/uploads/ 401");
    OK(auth_explain(auth, registry_of(&s), &reply, &err) == -1);
    EQ_STR(server_plainly(&s, err.text, &shown),
           "HOST has no such repository, or wants a login for it (slipway login HOST); "
           "it says UNAUTHORIZED: authentication required");
    EQ_INT(err.kind, ERR_REMOTE);
    EQ_INT(err.code, 401);

    /* tokens that became invalid: one new one */
    server_post(&s, "/_expire", "");
    ask(auth, &s, "GET", "/v2/web/manifests/1", PULL, &reply, &err);
    EQ_INT(reply.status, 200);
    EQ_STR(requests(&s, &from, &text),
           "GET /v2/web/manifests/1 401, GET /token 200, GET /v2/web/manifests/1 200");
    auth_free(auth);
}

static void bearer_login(void)
{
    static const char *const more[] = {"--auth", "bearer", "--user", "me:pass", NULL};
    SCOPED(server_stop) struct server s = {0};
    SCOPED(http_reply_release) struct http_reply reply = {0};
    SCOPED(buf_release) struct buf text = {0};
    SCOPED(buf_release) struct buf shown = {0};
    struct err err;
    size_t from = 0;

    server_start(&s, "[]", NULL, more);
    no_logins(&s);
    struct auth *auth = auth_open(s.http, NULL);

    auth_set(auth, registry_of(&s), "me", "pass", NULL);
    OKF(ask(auth, &s, "POST", "/v2/web/blobs/uploads/", PUSH, &reply, &err) == 0 &&
            reply.status == 202,
        "%s", err.text);
    EQ_STR(requests(&s, &from, &text),
           "POST /v2/web/blobs/uploads/ 401, GET /token 200, POST /v2/web/blobs/uploads/ 202");
    EQ_STR(json_str(json_array_get(s.log, 1), "query"),
           "service=fake&scope=repository:web:pull,push&account=me");
    /* what may push may pull */
    ask(auth, &s, "GET", "/v2/web/manifests/1", PULL, &reply, &err);
    EQ_STR(requests(&s, &from, &text), "GET /v2/web/manifests/1 200");
    /* less was asked for than is needed: the challenge says what, once */
    ask(auth, &s, "POST", "/v2/new/blobs/uploads/", "repository:new:pull", &reply, &err);
    EQ_INT(reply.status, 202);
    EQ_STR(requests(&s, &from, &text),
           "GET /token 200, POST /v2/new/blobs/uploads/ 401, GET /token 200, "
           "POST /v2/new/blobs/uploads/ 202");
    auth_free(auth);

    auth = auth_open(s.http, NULL);
    auth_set(auth, registry_of(&s), "me", "wrong", NULL);
    OK(ask(auth, &s, "GET", "/v2/web/manifests/1", PULL, &reply, &err) == -1);
    EQ_STR(requests(&s, &from, &text), "GET /v2/web/manifests/1 401, GET /token 401");
    EQ_STR(server_plainly(&s, err.text, &shown),
           "token service HOST refused the login of me (from the command line): 401, "
           "incorrect username or password");
    EQ_INT(err.kind, ERR_REMOTE);
    EQ_INT(err.code, 401);
    auth_free(auth);
}

static void identity(void)
{
    static const char *const more[] = {"--auth", "bearer", "--identity", "the token & more", NULL};
    SCOPED(server_stop) struct server s = {0};
    SCOPED(http_reply_release) struct http_reply reply = {0};
    SCOPED(buf_release) struct buf text = {0};
    SCOPED(buf_release) struct buf config = {0};
    struct err err;
    size_t from = 0;

    server_start(&s, "[]", NULL, more);
    no_logins(&s);
    buf_addf(&config, "{\"auths\":{\"%s\":{\"identitytoken\":\"the token & more\"}}}",
             registry_of(&s));
    setenv("DOCKER_AUTH_CONFIG", buf_cstr(&config), 1);
    struct auth *auth = auth_open(s.http, NULL);

    OKF(ask(auth, &s, "GET", "/v2/web/manifests/1", PULL, &reply, &err) == 0 && reply.status == 200,
        "%s", err.text);
    EQ_STR(requests(&s, &from, &text),
           "GET /v2/web/manifests/1 401, POST /token 200, GET /v2/web/manifests/1 200");
    auth_free(auth);

    buf_clear(&config);
    buf_addf(&config, "{\"auths\":{\"%s\":{\"registrytoken\":\"as-it-is\"}}}", registry_of(&s));
    setenv("DOCKER_AUTH_CONFIG", buf_cstr(&config), 1);
    auth = auth_open(s.http, NULL);
    OK(ask(auth, &s, "GET", "/v2/web/manifests/1", PULL, &reply, &err) == 0 && reply.status == 401);
    EQ_STR(requests(&s, &from, &text), "GET /v2/web/manifests/1 401, GET /v2/web/manifests/1 401");
    EQ_STR(server_header(&s, from - 1, "authorization"), "Bearer as-it-is");
    auth_free(auth);
    unsetenv("DOCKER_AUTH_CONFIG");
}

static void basic(void)
{
    static const char *const more[] = {"--auth", "basic", "--user", "me:pass", NULL};
    SCOPED(server_stop) struct server s = {0};
    SCOPED(http_reply_release) struct http_reply reply = {0};
    SCOPED(buf_release) struct buf text = {0};
    SCOPED(buf_release) struct buf shown = {0};
    AUTO_FREE char *where = NULL;
    struct err err = {0};
    size_t from = 0;

    server_start(&s,
                 "[{\"method\":\"DELETE\",\"status\":403,\"body\":\"{\\\"errors\\\":[{\\\"code\\\":"
                 "\\\"DENIED\\\"}]}\"}]",
                 NULL, more);
    no_logins(&s);
    struct auth *auth = auth_open(s.http, NULL);

    OK(ask(auth, &s, "GET", "/v2/", NULL, &reply, &err) == 0 && reply.status == 401);
    EQ_STR(requests(&s, &from, &text), "GET /v2/ 401");
    auth_explain(auth, registry_of(&s), &reply, &err);
    EQ_STR(
        server_plainly(&s, err.text, &shown),
        "HOST wants a login (slipway login HOST); it says UNAUTHORIZED: authentication required");
    auth_free(auth);

    OKF(auth_store(registry_of(&s), "me", "pass", &where, &err) == 0, "%s", err.text);
    auth = auth_open(s.http, NULL);
    OKF(ask(auth, &s, "GET", "/v2/web/manifests/1", PULL, &reply, &err) == 0 && reply.status == 200,
        "%s", err.text);
    EQ_STR(requests(&s, &from, &text), "GET /v2/web/manifests/1 401, GET /v2/web/manifests/1 200");
    ask(auth, &s, "GET", "/v2/other/tags/list", "repository:other:pull", &reply, &err);
    EQ_STR(requests(&s, &from, &text), "GET /v2/other/tags/list 200");
    ask(auth, &s, "DELETE", "/v2/web/manifests/1", PUSH, &reply, &err);
    EQ_INT(reply.status, 403);
    auth_explain(auth, registry_of(&s), &reply, &err);
    OKF(strstr(err.text, " does not let me (login from ") &&
            str_ends(str_of(err.text), "/.docker/config.json) do this: 403: DENIED"),
        "%s", err.text);
    from = server_count(&s);
    auth_free(auth);

    free(steal_ptr(&where));
    OK(auth_store(registry_of(&s), "me", "old", &where, &err) == 0);
    auth = auth_open(s.http, NULL);
    OK(ask(auth, &s, "GET", "/v2/web/manifests/1", PULL, &reply, &err) == 0 && reply.status == 401);
    EQ_STR(requests(&s, &from, &text), "GET /v2/web/manifests/1 401, GET /v2/web/manifests/1 401");
    auth_explain(auth, registry_of(&s), &reply, &err);
    OKF(strstr(err.text, "refused the login of me from /tmp/") &&
            strstr(err.text, " makes a new one)"),
        "%s", err.text);
    auth_free(auth);

    auth = auth_open(s.http, NULL);
    auth_set(auth, registry_of(&s), NULL, NULL, NULL);
    OK(ask(auth, &s, "GET", "/v2/", NULL, &reply, &err) == 0 && reply.status == 401);
    EQ_STR(requests(&s, &from, &text), "GET /v2/ 401"); /* stored logins are not looked at */
    auth_free(auth);
}

static void guards(void)
{
    static const struct {
        const char *rules, *text;
    } rows[] = {
        {"[{\"path\":\"^/v2\",\"status\":401,\"headers\":{\"WWW-Authenticate\":\"Bearer "
         "realm=\\\"http://169.254.169.254/x\\\"\"}}]",
         "token service http://169.254.169.254/x: a private address that is not the registry's "
         "own"},
        {"[{\"path\":\"^/v2\",\"status\":401,\"headers\":{\"WWW-Authenticate\":\"Bearer "
         "realm=\\\"gopher://x\\\"\"}}]",
         "token service \"gopher://x\": not an http or https URL"},
        {"[{\"path\":\"^/v2\",\"status\":401,\"headers\":{\"WWW-Authenticate\":\"Basic "
         "realm=\\\"\"}}]",
         "HOST: WWW-Authenticate: the quotes of realm do not close"},
        {"[{\"path\":\"^/token\",\"status\":302,\"headers\":{\"Location\":\"http://10.1.2.3/"
         "steal\"}}]",
         "token service http://10.1.2.3/steal: a private address that is not the registry's own"},
        {"[{\"path\":\"^/token\",\"status\":302,\"headers\":{\"Location\":\"/token\"}}]",
         "token service redirects more than 3 times"},
        {"[{\"path\":\"^/token\",\"status\":404}]", "token service HOST answers 404"},
        {"[{\"path\":\"^/token\",\"status\":200,\"body\":\"{}\"}]",
         "HOST: token service's reply holds no token"},
        {"[{\"path\":\"^/token\",\"status\":200,\"body\":\"<html>\"}]",
         "HOST: token service's reply: line 1"},
    };
    static const char *const more[] = {"--auth", "bearer", "--anonymous-pull", NULL};
    SCOPED(server_stop) struct server s = {0};

    server_start(&s, "[]", NULL, more);
    no_logins(&s);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        SCOPED(http_reply_release) struct http_reply reply = {0};
        SCOPED(buf_release) struct buf shown = {0};
        struct auth *auth = auth_open(s.http, NULL);
        struct err err = {0};

        server_rules(&s, rows[i].rules);
        OK(ask(auth, &s, "GET", "/v2/web/manifests/1", PULL, &reply, &err) == -1);
        server_plainly(&s, err.text, &shown);
        OKF(str_starts(buf_str(&shown), rows[i].text), "row %zu: %s", i, buf_cstr(&shown));
        auth_free(auth);
    }
}

/* A token service that sends us on: the login stays behind. */
static void token_redirect(void)
{
    static const char *const more[] = {"--auth", "bearer", "--user", "me:pass", NULL};
    SCOPED(server_stop) struct server s = {0};
    SCOPED(http_reply_release) struct http_reply reply = {0};
    SCOPED(buf_release) struct buf rules = {0};
    struct err err;

    server_start(&s, "[]", NULL, more);
    no_logins(&s);
    buf_addf(&rules,
             "[{\"path\":\"^/token\",\"status\":302,\"headers\":{\"Location\":\"/other\"}},"
             "{\"path\":\"^/other\",\"status\":307,\"headers\":{\"Location\":\"%s/there\"}},"
             "{\"server\":\"storage\",\"status\":200,\"body\":\"{\\\"token\\\":\\\"t\\\"}\"}]",
             buf_cstr(&s.storage_url));
    server_rules(&s, buf_cstr(&rules));
    struct auth *auth = auth_open(s.http, NULL);

    auth_set(auth, registry_of(&s), "me", "pass", NULL);
    OKF(ask(auth, &s, "GET", "/v2/web/manifests/1", PULL, &reply, &err) == 0, "%s", err.text);
    EQ_INT(reply.status, 401);
    EQ_INT(server_count(&s), 5);
    OK(server_header(&s, 1, "authorization") != NULL);
    EQ_STR(json_str(json_array_get(s.log, 2), "path"), "/other");
    OK(json_object_get(json_object_get(json_array_get(s.log, 2), "headers"), "authorization") !=
       NULL);
    EQ_STR(json_str(json_array_get(s.log, 3), "path"), "/there");
    OK(json_object_get(json_object_get(json_array_get(s.log, 3), "headers"), "authorization") ==
       NULL);
    auth_free(auth);
}

static void unknown_schemes(void)
{
    SCOPED(server_stop) struct server s = {0};
    SCOPED(http_reply_release) struct http_reply reply = {0};
    SCOPED(buf_release) struct buf text = {0};
    struct err err;
    size_t from = 0;

    server_start(&s,
                 "[{\"path\":\"^/v2/"
                 "a\",\"status\":401,\"headers\":{\"WWW-Authenticate\":[\"Negotiate\",\"NTLM, "
                 "Basic realm=\\\"x\\\"\"]},"
                 "\"times\":1},{\"path\":\"^/v2/"
                 "b\",\"status\":401,\"headers\":{\"WWW-Authenticate\":\"Negotiate\"}},"
                 "{\"path\":\".\",\"status\":200}]",
                 NULL, server_redirects);
    no_logins(&s);
    struct auth *auth = auth_open(s.http, NULL);

    auth_set(auth, registry_of(&s), "me", "pass", NULL);
    OK(ask(auth, &s, "GET", "/v2/b", NULL, &reply, &err) == 0 && reply.status == 401);
    OK(ask(auth, &s, "GET", "/v2/a", NULL, &reply, &err) == 0 && reply.status == 200);
    EQ_STR(requests(&s, &from, &text), "GET /v2/b 401, GET /v2/a 401, GET /v2/a 200");
    EQ_STR(server_header(&s, 2, "authorization"), "Basic bWU6cGFzcw==");
    auth_free(auth);
}

struct puller {
    struct auth *auth;
    struct server *server;
};

static int pull_many(void *arg, struct err *err)
{
    struct puller *p = arg;

    for (int i = 0; i < 10; i++) {
        SCOPED(http_reply_release) struct http_reply reply = {0};

        if (ask(p->auth, p->server, "GET", "/v2/web/manifests/1", PULL, &reply, err) < 0)
            return -1;
        if (reply.status != 200)
            return err_set(err, ERR_REMOTE, reply.status, "status %d", reply.status);
    }
    return 0;
}

static void threads(void)
{
    static const char *const more[] = {"--auth", "bearer", "--anonymous-pull", NULL};
    SCOPED(server_stop) struct server s = {0};
    struct job *jobs[6];
    struct err err = {0};
    size_t tokens = 0;

    server_start(&s, "[]", NULL, more);
    no_logins(&s);
    struct pool *pool = pool_open(ARRAY_SIZE(jobs));
    struct puller puller = {auth_open(s.http, NULL), &s};

    for (size_t i = 0; i < ARRAY_SIZE(jobs); i++)
        jobs[i] = pool_start(pool, pull_many, &puller);
    for (size_t i = 0; i < ARRAY_SIZE(jobs); i++)
        OKF(job_wait(jobs[i], &err) == 0, "%s", err.text);
    pool_close(pool);
    size_t count = server_count(&s);

    for (size_t i = 0; i < count; i++)
        tokens += strcmp(json_str(json_array_get(s.log, i), "path"), "/token") == 0;
    EQ_INT(tokens, 1);
    auth_free(puller.auth);
}

TAP_MAIN({"bearer", bearer}, {"bearer with a login", bearer_login},
         {"identity and registry tokens", identity}, {"basic", basic}, {"guards", guards},
         {"token redirect", token_redirect}, {"unknown schemes", unknown_schemes},
         {"threads", threads})
