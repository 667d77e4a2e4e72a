/* SPDX-License-Identifier: Apache-2.0 */
/* http against tests/fake/registry.py, which fails on command; every test runs its own. Run from
 * the source root. */
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

static void plain_get(void)
{
    SCOPED(server_stop) struct server s = {0};
    SCOPED(http_reply_release) struct http_reply reply = {0};
    struct err err;

    server_start(
        &s,
        "[{\"path\":\"^/"
        "x\",\"status\":200,\"body\":\"hello\",\"headers\":{\"X-One\":\"a\",\"x-two\":\" b \","
        "\"X-ONE\":[\"c\"]}}]",
        NULL, server_redirects);
    struct http_request request = {.method = "GET", .hash_reply = true};

    OKF(server_get(&s, "/x?q=a%2Fb&c", &request, &reply, &err) == 0, "%s", err.text);
    EQ_INT(reply.status, 200);
    EQ_STR(buf_cstr(&reply.body), "hello");
    EQ_INT(reply.size, 5);
    EQ_STR(reply.digest, "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");
    EQ_STR(http_header(&reply, "x-one"), "a");
    EQ_STR(http_next_header(&reply, "X-One", http_header(&reply, "X-One")), "c");
    EQ_STR(http_header(&reply, "X-Two"), "b");
    OK(http_header(&reply, "X-Tw") == NULL);
    EQ_INT(reply.attempts, 1);
    EQ_STR(json_str(server_logged(&s, 0), "query"), "q=a%2Fb&c");
    EQ_STR(json_str(server_logged(&s, 0), "path"), "/x");
    /* nothing goes out that we did not say */
    EQ_INT(json_object_size(json_object_get(server_logged(&s, 0), "headers")), 2);
    EQ_STR(server_header(&s, 0, "user-agent"), "slipway/" SLIPWAY_VERSION);
    server_get(&s, "/x", NULL, &reply, &err);
    OKF(json_integer_value(json_object_get(server_logged(&s, 0), "client")) ==
            json_integer_value(json_object_get(server_logged(&s, 1), "client")),
        "one connection for both");
}

static void methods_and_headers(void)
{
    SCOPED(server_stop) struct server s = {0};
    SCOPED(http_reply_release) struct http_reply reply = {0};
    SCOPED(strv_release) struct strv headers = {0};
    SCOPED(strv_release) struct strv bad = {0};
    struct err err;

    server_start(&s, "[{\"path\":\"^/x\",\"status\":201}]", NULL, server_redirects);
    strv_add(&headers, "Accept:  a/b, c/d ");
    strv_add(&headers, "X-Empty:");
    strv_add(&headers, "Content-Type: text/x");
    struct http_request request = {
        .method = "HEAD", .headers = &headers, .authorization = "Basic abc"};

    server_get(&s, "/x", &request, &reply, &err);
    EQ_STR(json_str(server_logged(&s, 0), "method"), "HEAD");
    EQ_STR(server_header(&s, 0, "accept"), "a/b, c/d");
    EQ_STR(server_header(&s, 0, "x-empty"), "");
    EQ_STR(server_header(&s, 0, "authorization"), "Basic abc");
    request = (struct http_request){.method = "POST"};
    server_get(&s, "/x", &request, &reply, &err);
    EQ_STR(server_header(&s, 0, "content-length") ? "there" : "missing", "missing");
    EQ_STR(server_header(&s, 1, "content-length"), "0");
    OK(server_header(&s, 1, "content-type") == NULL && server_header(&s, 1, "expect") == NULL);
    request = (struct http_request){.method = "PATCH", .body = STR("abc"), .headers = &headers};
    server_get(&s, "/x", &request, &reply, &err);
    server_logged(&s, 0);
    EQ_STR(json_str(server_logged(&s, 2), "body_sha256"),
           "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    EQ_STR(server_header(&s, 2, "content-type"), "text/x");
    EQ_STR(server_header(&s, 2, "content-length"), "3");
    request = (struct http_request){.method = "DELETE"};
    server_get(&s, "/x", &request, &reply, &err);
    server_logged(&s, 0);
    OK(server_header(&s, 3, "content-length") == NULL);
    strv_add(&bad, "X-A: b\r\nX-C: d");
    request = (struct http_request){.method = "GET", .headers = &bad};
    OK(server_get(&s, "/x", &request, &reply, &err) == -1);
    OKF(strstr(err.text, "request header X-A holds a control character") != NULL, "%s", err.text);
    EQ_INT(err.kind, ERR_INPUT);
    request = (struct http_request){.method = "GET", .authorization = "a\nb"};
    OK(server_get(&s, "/x", &request, &reply, &err) == -1);
    EQ_INT(server_count(&s), 4);
}

static void retries(void)
{
    SCOPED(server_stop) struct server s = {0};
    SCOPED(http_reply_release) struct http_reply reply = {0};
    struct err err;

    server_start(
        &s,
        "[{\"path\":\"^/twice\",\"status\":503,\"times\":2},{\"path\":\"^/"
        "drop\",\"drop\":true,\"times\":2},"
        "{\"path\":\"^/always\",\"status\":500,\"body\":\"sorry\"},{\"path\":\"^/"
        "gone\",\"drop\":true},"
        "{\"path\":\"^/wait\",\"status\":429,\"headers\":{\"Retry-After\":\"1\"},\"times\":1},"
        "{\"path\":\"^/long\",\"status\":503,\"headers\":{\"Retry-After\":\"3600\"}},"
        "{\"path\":\"^/dead\",\"status\":503,\"headers\":{\"Retry-After\":\"9\"}},"
        "{\"path\":\".\",\"status\":200}]",
        NULL, server_redirects);
    OKF(server_get(&s, "/twice", NULL, &reply, &err) == 0 && reply.status == 200, "%s", err.text);
    EQ_INT(reply.attempts, 3);
    OKF(server_get(&s, "/drop", NULL, &reply, &err) == 0 && reply.status == 200, "%s", err.text);
    EQ_INT(reply.attempts,
           2); /* the connection was a kept one: curl itself tries a fresh one first */
    OK(server_get(&s, "/always", NULL, &reply, &err) == 0);
    EQ_INT(reply.status, 500);
    EQ_INT(reply.attempts, 5);
    EQ_STR(buf_cstr(&reply.body), "sorry");
    OK(server_get(&s, "/gone", NULL, &reply, &err) == -1);
    EQ_INT(err.kind, ERR_NETWORK);
    EQ_INT(err.code, HTTP_FAIL_CUT);
    SCOPED(buf_release) struct buf text = {0};
    EQ_STR(server_plainly(&s, err.text, &text),
           "GET http://HOST/gone: HOST closed the connection without a reply (tried 5 times)");

    uint64_t begun = clock_mono_ms();
    OK(server_get(&s, "/wait", NULL, &reply, &err) == 0 && reply.status == 200 &&
       reply.attempts == 2);
    OKF(clock_mono_ms() - begun >= 1000, "Retry-After was %d ms", (int)(clock_mono_ms() - begun));
    OK(server_get(&s, "/long", NULL, &reply, &err) == 0);
    EQ_INT(reply.status, 503);
    EQ_INT(reply.attempts, 1);

    struct http_request once = {.method = "POST"};
    server_rules(&s,
                 "[{\"path\":\"^/x\",\"status\":503},{\"path\":\"^/drop-post\",\"drop\":true}]");
    OK(server_get(&s, "/x", &once, &reply, &err) == 0 && reply.status == 503 &&
       reply.attempts == 1);
    size_t before = server_count(&s);
    OK(server_get(&s, "/drop-post", &once, &reply, &err) == -1);
    EQ_INT(server_count(&s) - before, 1);

    struct http_request hurry = {.method = "GET", .repeatable = true, .timeout_ms = 4000};
    server_rules(&s, "[{\"path\":\"^/dead\",\"status\":503,\"headers\":{\"Retry-After\":\"9\"}}]");
    begun = clock_mono_ms();
    OK(server_get(&s, "/dead", &hurry, &reply, &err) == 0 && reply.status == 503);
    OK(clock_mono_ms() - begun < 4000);
}

static void redirects(void)
{
    SCOPED(server_stop) struct server s = {0};
    SCOPED(http_reply_release) struct http_reply reply = {0};
    SCOPED(strv_release) struct strv headers = {0};
    SCOPED(buf_release) struct buf rules = {0};
    struct err err;

    server_start(&s, "[]", NULL, server_redirects);
    buf_addf(
        &rules,
        "[{\"path\":\"^/v2/a$\",\"status\":307,\"headers\":{\"Location\":\"../b?x=1\"}},"
        "{\"path\":\"^/b[?]\",\"status\":302,\"headers\":{\"Location\":\"%s/c\"}},"
        "{\"path\":\"^/loop\",\"status\":301,\"headers\":{\"Location\":\"/loop\"}},"
        "{\"path\":\"^/bad\",\"status\":301,\"headers\":{\"Location\":\"ftp://x/\"}},"
        "{\"path\":\"^/meta\",\"status\":301,\"headers\":{\"Location\":\"http://169.254.169.254/"
        "x\"}},"
        "{\"path\":\"^/plain\",\"status\":301,\"headers\":{\"Location\":\"http://example.com/x\"}},"
        "{\"path\":\"^/none\",\"status\":302},"
        "{\"server\":\"storage\",\"path\":\".\",\"status\":200,\"body\":\"there\"}]",
        buf_cstr(&s.storage_url));
    server_rules(&s, buf_cstr(&rules));
    strv_add(&headers, "Cookie: a=b");
    strv_add(&headers, "X-Amz-Security-Token: secret");
    strv_add(&headers, "Accept: kept");
    struct http_request request = {
        .method = "GET", .headers = &headers, .authorization = "Bearer t"};

    OKF(server_get(&s, "/v2/a", &request, &reply, &err) == 0 && reply.status == 200, "%s",
        err.text);
    EQ_STR(buf_cstr(&reply.body), "there");
    EQ_INT(reply.attempts, 1);
    OK(str_ends(str_of(reply.url), "/c"));
    EQ_INT(server_count(&s), 3);
    EQ_STR(server_header(&s, 1, "authorization"), "Bearer t");
    EQ_STR(json_str(server_logged(&s, 1), "query"), "x=1");
    EQ_STR(json_str(server_logged(&s, 2), "server"), "storage");
    OK(!server_header(&s, 2, "authorization") && !server_header(&s, 2, "cookie"));
    OK(!server_header(&s, 2, "x-amz-security-token"));
    EQ_STR(server_header(&s, 2, "accept"), "kept");

    static const struct {
        const char *path, *text;
    } rows[] = {
        {"/loop", "GET http://HOST/loop: redirected more than 10 times"},
        {"/bad", "GET http://HOST/bad: redirected to \"ftp://x/\", which is no URL"},
        {"/meta", "GET http://HOST/meta: redirected to the link-local http://169.254.169.254/x"},
        {"/plain",
         "GET http://example.com/x: plain http is refused (--insecure example.com allows it)"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        SCOPED(buf_release) struct buf text = {0};

        OK(server_get(&s, rows[i].path, NULL, &reply, &err) == -1);
        EQ_STR(server_plainly(&s, err.text, &text), rows[i].text);
    }
    OK(server_get(&s, "/none", NULL, &reply, &err) == 0 && reply.status == 302);
    request = (struct http_request){.method = "GET", .no_redirect = true};
    OK(server_get(&s, "/v2/a", &request, &reply, &err) == 0 && reply.status == 307);
    request = (struct http_request){.method = "PUT", .body = STR("x")};
    OK(server_get(&s, "/v2/a", &request, &reply, &err) == 0 && reply.status == 307);
}

static int make_file(const struct server *s, size_t size)
{
    char path[96];
    struct err err;
    SCOPED(buf_release) struct buf bytes = {0};

    snprintf(path, sizeof(path), "%s/file", s->dir);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    for (size_t i = 0; i < size; i++)
        buf_addc(&bytes, (char)('a' + i / 7 % 23));
    OK(fd >= 0 && fs_write(fd, bytes.ptr, bytes.size, &err) == 0);
    return fd;
}

static void count_sent(void *arg, uint64_t sent, uint64_t received)
{
    (void)received;
    *(uint64_t *)arg = sent;
}

static void uploads(void)
{
    SCOPED(server_stop) struct server s = {0};
    SCOPED(http_reply_release) struct http_reply reply = {0};
    struct err err;
    uint64_t sent = 0;

    server_start(&s,
                 "[{\"path\":\"^/again\",\"status\":503,\"times\":1},{\"path\":\"^/"
                 "half\",\"drop_after\":1000000,\"times\":1},"
                 "{\"path\":\"^/no\",\"status\":401,\"ignore_expect\":true},{\"path\":\"^/"
                 "eof\",\"drop_after\":10},"
                 "{\"path\":\".\",\"status\":201}]",
                 NULL, server_redirects);
    AUTO_FD int fd = make_file(&s, 3000000);
    struct http_request request = {.method = "PUT",
                                   .has_body_fd = true,
                                   .body_fd = fd,
                                   .body_offset = 7,
                                   .body_size = 2500000,
                                   .repeatable = true,
                                   .on_progress = count_sent,
                                   .on_progress_arg = &sent};

    OKF(server_get(&s, "/again", &request, &reply, &err) == 0 && reply.status == 201, "%s",
        err.text);
    EQ_INT(reply.attempts, 2);
    EQ_INT(sent, 2500000);
    OKF(server_get(&s, "/half", &request, &reply, &err) == 0 && reply.status == 201, "%s",
        err.text);
    EQ_INT(reply.attempts, 2);
    EQ_INT(lseek(fd, 0, SEEK_CUR), 3000000); /* pread: the offset is the caller's */
    EQ_INT(server_count(&s), 4);
    EQ_STR(server_header(&s, 0, "expect"), "100-continue");
    EQ_STR(server_header(&s, 0, "content-length"), "2500000");
    for (size_t i = 0; i < 4; i++) {
        if (i != 2)
            EQ_STR(json_str(json_array_get(s.log, i), "body_sha256"),
                   json_str(json_array_get(s.log, 3), "body_sha256"));
    }
    EQ_INT(json_integer_value(json_object_get(server_logged(&s, 3), "body_size")), 2500000);

    sent = 0;
    OKF(server_get(&s, "/no", &request, &reply, &err) == 0 && reply.status == 401, "%s", err.text);
    OKF(sent == 0, "%d bytes went to who did not want them", (int)sent);
    request.repeatable = false;
    OK(server_get(&s, "/eof", &request, &reply, &err) == -1);
    EQ_INT(err.code, HTTP_FAIL_CUT);
    OKF(strstr(err.text, " of 2500000 bytes sent, without a reply") != NULL, "%s", err.text);
    request.body_offset = 2999999;
    request.repeatable = true;
    OK(server_get(&s, "/short", &request, &reply, &err) == -1);
    OKF(strstr(err.text, "what is to be sent became shorter") != NULL, "%s", err.text);
    EQ_INT(err.code, HTTP_FAIL_LOCAL);
}

static void file_digest(int fd, char out[static DIGEST_SIZE])
{
    SCOPED(buf_release) struct buf bytes = {0};
    struct err err;

    lseek(fd, 3, SEEK_SET);
    OK(fs_read(fd, &bytes, 8 << 20, &err) == 0);
    digest_of(buf_cstr(&bytes), bytes.size, out);
}

/* A blob of 3000000 bytes, cut and resumed in several ways. */
static const struct {
    const char *name, *rules; /* of the storage server, where blobs are */
    bool resume;
    int status;
    unsigned attempts;
    const char *range; /* of the last request */
} cuts[] = {
    {"whole", "[]", true, 200, 1, NULL},
    {"cut, resumed", "[{\"server\":\"storage\",\"cut\":2000000,\"times\":1}]", true, 206, 2,
     "bytes=2000000-"},
    {"cut twice, resumed",
     "[{\"server\":\"storage\",\"cut\":2000000,\"times\":1},{\"server\":\"storage\",\"cut\":"
     "500000,\"times\":1}]",
     true, 206, 3, "bytes=2500000-"},
    {"cut, not resumed", "[{\"server\":\"storage\",\"cut\":2000000,\"times\":1}]", false, 200, 2,
     NULL},
    {"cut, no ranges",
     "[{\"server\":\"storage\",\"cut\":2000000,\"times\":1},{\"server\":\"storage\",\"no_"
     "range\":true}]",
     true, 200, 2, "bytes=2000000-"},
    {"cut, other range",
     "[{\"server\":\"storage\",\"cut\":2000000,\"times\":1},"
     "{\"server\":\"storage\",\"set\":{\"Content-Range\":\"bytes 5-6/7\"},\"times\":1}]",
     true, 200, 3, NULL},
    {"cut, 416",
     "[{\"server\":\"storage\",\"cut\":2000000,\"times\":1},{\"server\":\"storage\",\"status\":"
     "416,\"times\":1}]",
     true, 200, 3, NULL},
    {"cut, then 503",
     "[{\"server\":\"storage\",\"cut\":2000000,\"times\":1},{\"server\":\"storage\",\"status\":"
     "503,\"times\":1}]",
     true, 206, 3, "bytes=2000000-"},
    {"signed URL ran out", "[{\"server\":\"storage\",\"status\":403,\"times\":1}]", true, 200, 2,
     NULL},
};

/* The digest of the image's layer; see add_image in tests/fake/registry.py. */
static void layer_digest(char out[static DIGEST_SIZE])
{
    SCOPED(buf_release) struct buf bytes = {0};
    uint8_t block[SHA256_SIZE];

    sha256_of("web0", 4, block);
    while (bytes.size < 3000000)
        buf_add(&bytes, block, sizeof(block));
    digest_of(bytes.ptr, 3000000, out);
}

static void download(struct server *s, size_t row, const char *want)
{
    SCOPED(http_reply_release) struct http_reply reply = {0};
    SCOPED(buf_release) struct buf path = {0};
    const char *name = cuts[row].name;
    char file[DIGEST_SIZE];
    struct err err;
    AUTO_FD int fd =
        make_file(s, 10); /* with something before, and of an older, longer try behind */

    buf_addf(&path, "/v2/web/blobs/%s", want);
    server_rules(s, cuts[row].rules);
    lseek(fd, 3, SEEK_SET);
    struct http_request request = {.method = "GET",
                                   .repeatable = true,
                                   .resume = cuts[row].resume,
                                   .has_reply_fd = true,
                                   .reply_fd = fd,
                                   .reply_max = 3000000,
                                   .hash_reply = true,
                                   .authorization = "Bearer secret"};

    OKF(server_get(s, buf_cstr(&path), &request, &reply, &err) == 0, "%s: %s", name, err.text);
    OKF(reply.status == cuts[row].status, "%s: status %d", name, reply.status);
    OKF(reply.attempts == cuts[row].attempts, "%s: %u attempts", name, reply.attempts);
    OKF(reply.size == 3000000 && reply.body.size == 0, "%s: %zu bytes", name, (size_t)reply.size);
    EQ_STR(reply.digest, want);
    file_digest(fd, file);
    EQ_STR(file, want);
    const char *range = server_header(s, server_count(s) - 1, "range");

    OKF((range == NULL) == (cuts[row].range == NULL), "%s: range %s", name, range ? range : "none");
    if (range && cuts[row].range)
        EQ_STR(range, cuts[row].range);
}

static void downloads(void)
{
    SCOPED(server_stop) struct server s = {0};
    char want[DIGEST_SIZE];

    layer_digest(want);
    server_start(&s, "[]", NULL, server_redirects);
    for (size_t i = 0; i < ARRAY_SIZE(cuts); i++)
        download(&s, i, want);
}

static void limits(void)
{
    SCOPED(server_stop) struct server s = {0};
    SCOPED(http_reply_release) struct http_reply reply = {0};
    SCOPED(buf_release) struct buf rules = {0};
    SCOPED(buf_release) struct buf text = {0};
    struct err err;

    server_start(&s, "[]", NULL, server_redirects);
    buf_adds(&rules, "[{\"path\":\"^/error\",\"status\":404,\"body\":\"");
    for (int i = 0; i < 100000; i++)
        buf_addc(&rules, 'e');
    buf_adds(&rules,
             "\"},{\"path\":\"^/ten\",\"status\":200,\"body\":\"0123456789\"},{\"path\":\"^/"
             "open\",\"status\":200,"
             "\"headers\":{\"Content-Length\":\"11\"},\"body\":\"0123456789\",\"times\":1},"
             "{\"path\":\"^/head\",\"status\":200,\"headers\":{\"X-A\":\"");
    for (int i = 0; i < 60000; i++)
        buf_addc(&rules, 'h');
    buf_adds(&rules, "\",\"X-B\":\"");
    for (int i = 0; i < 60000; i++)
        buf_addc(&rules, 'h');
    buf_adds(&rules, "\"}}]");
    server_rules(&s, buf_cstr(&rules));
    struct http_request request = {.method = "GET", .reply_max = 10, .repeatable = true};

    OK(server_get(&s, "/ten", &request, &reply, &err) == 0 && reply.size == 10);
    request.reply_max = 9;
    OK(server_get(&s, "/ten", &request, &reply, &err) == -1);
    EQ_INT(err.code, HTTP_FAIL_TOO_LARGE);
    EQ_STR(server_plainly(&s, err.text, &text),
           "GET http://HOST/ten: the reply is larger than 9 bytes");
    EQ_INT(reply.attempts, 1);
    OK(server_get(&s, "/error", &request, &reply, &err) == 0 && reply.status == 404);
    EQ_INT(reply.body.size, 64 << 10);
    OK(server_get(&s, "/head", &request, &reply, &err) == 0 && reply.status == 200);

    AUTO_FD int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    request = (struct http_request){
        .method = "GET", .has_reply_fd = true, .reply_fd = full, .repeatable = true};
    OK(server_get(&s, "/ten", &request, &reply, &err) == -1);
    EQ_INT(err.kind, ERR_SYSTEM);
    EQ_INT(err.code, ENOSPC);
    EQ_STR(server_plainly(&s, err.text, &text),
           "GET http://HOST/ten: write the reply: No space left on device");
    EQ_INT(reply.attempts, 1);

    int ends[2];
    OK(pipe2(ends, O_CLOEXEC) == 0);
    server_rules(&s, "[{\"path\":\".\",\"status\":200,\"body\":\"0123456789\",\"headers\":{"
                     "\"Content-Length\":\"20\"},"
                     "\"times\":1},{\"path\":\".\",\"status\":200,\"body\":\"0123456789\"}]");
    request.reply_fd = ends[1];
    request.timeout_ms = 1500;
    OK(server_get(&s, "/pipe", &request, &reply, &err) == -1);
    OKF(strstr(err.text, "not finished within 1.5 s") || strstr(err.text, "cannot be rewound"),
        "%s", err.text);
    close(ends[0]);
    close(ends[1]);
}

static void times(void)
{
    struct http_options options = {.stall_timeout_ms = 1000, .attempts = 2};
    SCOPED(server_stop) struct server s = {0};
    SCOPED(http_reply_release) struct http_reply reply = {0};
    SCOPED(buf_release) struct buf text = {0};
    struct err err;

    server_start(&s,
                 "[{\"path\":\"^/stall\",\"delay\":3},{\"path\":\"^/slow\",\"trickle\":[10,0.4]},"
                 "{\"path\":\"^/late\",\"delay\":2,\"status\":200}]",
                 &options, server_redirects);
    uint64_t begun = clock_mono_ms();

    OK(server_get(&s, "/stall", NULL, &reply, &err) == -1);
    EQ_INT(err.code, HTTP_FAIL_TIMEOUT);
    EQ_STR(server_plainly(&s, err.text, &text),
           "GET http://HOST/stall: nothing moved for 1 s (tried 2 times)");
    OKF(clock_mono_ms() - begun < 9000, "%d ms", (int)(clock_mono_ms() - begun));
    OKF(server_get(&s, "/slow", NULL, &reply, &err) == 0, "moving slowly is moving: %s", err.text);
    struct http_request request = {.method = "GET", .repeatable = true, .timeout_ms = 200};

    OK(server_get(&s, "/late", &request, &reply, &err) == -1);
    EQ_STR(server_plainly(&s, err.text, &text), "GET http://HOST/late: not finished within 0.2 s");
}

static int stop_soon(void *arg, struct err *err)
{
    (void)err;
    clock_sleep_ms(300);
    atomic_store((atomic_bool *)arg, true);
    return 0;
}

/* Whoever waits for a reply, or for the next try, is called off. */
static void stops(void)
{
    static const char *const rules[] = {
        "[{\"path\":\"^/x\",\"delay\":30,\"status\":200}]",
        "[{\"path\":\"^/x\",\"status\":503,\"headers\":{\"Retry-After\":\"30\"}}]",
    };
    struct pool *pool = pool_open(1);

    for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
        SCOPED(server_stop) struct server s = {0};
        SCOPED(http_reply_release) struct http_reply reply = {0};
        atomic_bool stop = false;
        struct http_request request = {.method = "GET", .repeatable = true, .stop = &stop};
        uint64_t begun_ms = clock_mono_ms();
        struct err err, none = {0};

        server_start(&s, rules[i], NULL, server_redirects);
        struct job *job = pool_start(pool, stop_soon, &stop);
        int rc = server_get(&s, "/x", &request, &reply, &err);

        OKF(i == 0 ? rc < 0 && err.kind == ERR_NETWORK && err.code == HTTP_FAIL_STOPPED
                   : rc == 0 && reply.status == 503,
            "row %zu: %d, %s", i, rc, err.text);
        OKF(reply.attempts == 1, "row %zu: sent %u times", i, reply.attempts);
        OKF(clock_mono_ms() - begun_ms < 10000, "row %zu: took too long", i);
        EQ_INT(server_get(&s, "/x", &request, &reply, &err), -1);
        EQ_INT(err.code, HTTP_FAIL_STOPPED);
        job_wait(job, &none);
    }
    pool_close(pool);
}

TAP_MAIN({"plain get", plain_get}, {"methods and headers", methods_and_headers},
         {"retries", retries}, {"redirects", redirects}, {"uploads", uploads},
         {"downloads", downloads}, {"limits", limits}, {"times", times}, {"stops", stops})
