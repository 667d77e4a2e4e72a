/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signatures against two independent witnesses: rows whose signatures botocore computed (1.29
 * and 1.43 agree), and, when SLIPWAY_SIGV4_VECTORS names a copy of it, the published suite of
 * aws-c-auth (tests/aws-signing-test-suite/v4, Apache-2.0), which is not kept here.
 */
#include "aws/sign.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "aws/creds.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/enc.h"
#include "base/fs.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/scope.h"
#include "tests/tap.h"

#define WHEN 1770091506 /* 2026-02-03T04:05:06Z */

static char key_id[] = "AKIDEXAMPLE";
static char secret[] = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

static const struct {
    const char *name, *method, *path, *query, *region, *service, *headers[6], *body;
    const char *token, *names, *signature;
} signatures_rows[] = {
    {"ecs call",
     "POST",
     "/",
     "",
     "eu-west-1",
     "ecs",
     {"Host: ecs.eu-west-1.amazonaws.com", "Content-Type: application/x-amz-json-1.1",
      "X-Amz-Target: AmazonEC2ContainerServiceV20141113.ListClusters"},
     "{}",
     NULL,
     "content-type;host;x-amz-date;x-amz-target",
     "52e40e603cc6b9a4bd2d4520f2444a6df338feb0d6f5bad5ee10e7f976e91e16"},
    {"session token",
     "POST",
     "/",
     "",
     "us-gov-west-1",
     "ecr",
     {"Host: api.ecr.us-gov-west-1.amazonaws.com", "Content-Type: application/x-amz-json-1.1",
      "X-Amz-Target: AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken"},
     "{\"registryIds\":[\"123456789012\"]}",
     "IQoJb3JpZ2luX2VjE//+token/with=signs==",
     "content-type;host;x-amz-date;x-amz-security-token;x-amz-target",
     "9f7bbab1ca0da057c6682ac9e815c31f68a74f0611ac130fed23e21b724ccb6f"},
    {"empty path",
     "GET",
     "",
     "",
     "us-east-1",
     "service",
     {"Host: example.test"},
     "",
     NULL,
     "host;x-amz-date",
     "b11bbf96cd9ec922e77bc51548443d7825d0e29350f5f6546e170a636f97bd88"},
    {"query order",
     "GET",
     "/",
     "b=2&a=10&a=1&c&B=3&a-x=4&empty=",
     "us-east-1",
     "service",
     {"Host: example.test"},
     "",
     NULL,
     "host;x-amz-date",
     "628ecd6efde06a1e54016fed7b6415f982b74e295faafa36f1381d3906590b22"},
    {"query encoded",
     "GET",
     "/x",
     "p=%2Fa%20b&%E2%82%AC=%C3%BC&t=~._-",
     "us-east-1",
     "service",
     {"Host: example.test"},
     "",
     NULL,
     "host;x-amz-date",
     "9b2cda8d8e37dade7d2877589ea6fd1445c928ce52086e751ab28c926c07d28d"},
    {"path with dots",
     "GET",
     "/a/./b//c/../d/",
     "",
     "us-east-1",
     "service",
     {"Host: example.test"},
     "",
     NULL,
     "host;x-amz-date",
     "7dacee3122f1f36d1ce54760e58002878bc1c78c9279410fea0dfb21f934804c"},
    {"path above the root",
     "GET",
     "/../../a",
     "",
     "us-east-1",
     "service",
     {"Host: example.test"},
     "",
     NULL,
     "host;x-amz-date",
     "2d0fb3d95b6afafe9ceaf59c4739aeb1da0cddf81f13f7b41a31f8dc45023ea5"},
    {"path encoded twice",
     "GET",
     "/a%20b/%E2%82%AC",
     "",
     "us-east-1",
     "service",
     {"Host: example.test"},
     "",
     NULL,
     "host;x-amz-date",
     "0c23d8d7053fae89440a85f1127cd5695d650f3287fb50bb4651540b37b1590d"},
    {"header spaces, order and repeats",
     "GET",
     "/",
     "",
     "us-east-1",
     "service",
     {"Zeta:  last   one ", "Host: example.test", "Alpha: \"a   b\"", "My-Header: x",
      "my-header: y"},
     "",
     NULL,
     "alpha;host;my-header;x-amz-date;zeta",
     "52f455418dfda6df618cba245d114314a67a5dc78340fbd4bbc52b339bb92987"},
    {"port in host",
     "POST",
     "/",
     "",
     "us-east-1",
     "sts",
     {"Host: 127.0.0.1:5000", "Content-Type: application/x-www-form-urlencoded; charset=utf-8"},
     "Action=GetCallerIdentity&Version=2011-06-15",
     NULL,
     "content-type;host;x-amz-date",
     "7506d4fec41b0e8ef72ae7976a30436b30dd12f0ef0d8ebbb6818c469dcaec84"},
    {"binary body",
     "PUT",
     "/blob",
     "",
     "ap-southeast-2",
     "service",
     {"Host: example.test"},
     "\x01\x02\xff",
     NULL,
     "host;x-amz-date",
     "904cc3935bdc0f602f00b72615ad29b340f2829b12373f6bb32c30b0c883d99e"},
};

static void signatures(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(signatures_rows); i++) {
        SCOPED(strv_release) struct strv headers = {0};
        SCOPED(strv_release) struct strv added = {0};
        SCOPED(buf_release) struct buf got = {0};
        AUTO_FREE char *token = xstrdup(signatures_rows[i].token);
        AUTO_FREE char *want = NULL;
        struct aws_creds creds = {
            .access_key_id = key_id, .secret_access_key = secret, .session_token = token};
        struct sign_request request = {.method = signatures_rows[i].method,
                                       .path = str_of(signatures_rows[i].path),
                                       .query = str_of(signatures_rows[i].query),
                                       .headers = &headers,
                                       .body = str_of(signatures_rows[i].body),
                                       .region = signatures_rows[i].region,
                                       .service = signatures_rows[i].service,
                                       .time = WHEN};

        for (const char *const *h = signatures_rows[i].headers; *h; h++)
            strv_add(&headers, *h);
        aws_sign(&request, &creds, &added, &got);
        want = xasprintf("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260203/%s/%s/aws4_request, "
                         "SignedHeaders=%s, "
                         "Signature=%s",
                         signatures_rows[i].region, signatures_rows[i].service,
                         signatures_rows[i].names, signatures_rows[i].signature);
        OKF(!strcmp(buf_cstr(&got), want), "%s:\n got %s\nwant %s", signatures_rows[i].name,
            buf_cstr(&got), want);
        EQ_INT(added.count, token ? 2 : 1);
        EQ_STR(added.ptr[0], "X-Amz-Date: 20260203T040506Z");
    }
}

/* A date and a token among the headers are signed as they are and not added again. */
static void given_date(void)
{
    SCOPED(strv_release) struct strv headers = {0};
    SCOPED(strv_release) struct strv added = {0};
    SCOPED(buf_release) struct buf got = {0};
    char token[] = "t";
    struct aws_creds creds = {
        .access_key_id = key_id, .secret_access_key = secret, .session_token = token};
    struct sign_request request = {
        .method = "GET", .headers = &headers, .region = "r", .service = "s", .time = WHEN};

    strv_add(&headers, "host:h");
    strv_add(&headers, "x-amz-date: 20260203T040506Z");
    strv_add(&headers, "X-AMZ-SECURITY-TOKEN: other");
    aws_sign(&request, &creds, &added, &got);
    EQ_INT(added.count, 0);
    OK(strstr(buf_cstr(&got), "SignedHeaders=host;x-amz-date;x-amz-security-token,"));
}

static char *read_text(int dir, const char *name)
{
    SCOPED(buf_release) struct buf text = {0};
    struct err err = {0};

    if (!OKF(fs_read_file(dir, name, &text, 1 << 20, &err) == 0, "%s: %s", name, err.text))
        return NULL;
    return xstrdup(buf_cstr(&text));
}

/* Request line, headers (a line that begins with white space continues the one before), empty line,
 * body. */
static void split_request(struct str text, char **method, struct str *path, struct str *query,
                          struct strv *headers, struct str *body)
{
    struct str line, word, target;

    str_line(&text, &line);
    str_cut(line, ' ', &word, &target);
    *method = str_dup(word);
    str_cut_last(target, ' ', &target, &word);
    str_cut(target, '?', path, query);
    while (str_line(&text, &line) && line.size) {
        if (line.ptr[0] == ' ' && headers->count) {
            char *joined =
                xasprintf("%s\n" STR_FMT, headers->ptr[headers->count - 1], STR_ARG(line));

            strv_remove(headers, headers->count - 1);
            strv_take(headers, joined);
            continue;
        }
        strv_add_str(headers, line);
    }
    *body = text;
}

static void one_vector(int suite, const char *name)
{
    struct err err = {0};
    AUTO_FD int dir = fs_open_dir(suite, name, &err);
    AUTO_FREE char *context = read_text(dir, "context.json"),
                   *request_text = read_text(dir, "request.txt");
    AUTO_FREE char *want = read_text(dir, "header-signature.txt");
    AUTO_FREE char *want_canonical = read_text(dir, "header-canonical-request.txt");
    AUTO_FREE char *method = NULL;
    SCOPED(strv_release) struct strv headers = {0};
    SCOPED(strv_release) struct strv added = {0};
    SCOPED(buf_release) struct buf got = {0};
    SCOPED(buf_release) struct buf canonical = {0};
    SCOPED(buf_release) struct buf names = {0};
    json_auto_t *doc = json_parse(str_of(context), &err);
    json_t *keys = json_object_get(doc, "credentials");
    struct timespec when = {0};
    AUTO_FREE char *token = xstrdup(json_str(keys, "token"));
    struct aws_creds creds = {
        .access_key_id = key_id, .secret_access_key = secret, .session_token = token};
    struct sign_request request = {.headers = &headers,
                                   .region = json_str(doc, "region"),
                                   .service = json_str(doc, "service")};

    if (json_is_true(json_object_get(doc, "omit_session_token")))
        creds.session_token = NULL;
    OK(clock_parse_rfc3339(str_of(json_str(doc, "timestamp")), &when));
    request.time = when.tv_sec;
    split_request(str_of(request_text), &method, &request.path, &request.query, &headers,
                  &request.body);
    request.method = method;
    if (json_is_true(json_object_get(doc, "sign_body"))) {
        char digest[DIGEST_SIZE];

        digest_of(request.body.ptr ? request.body.ptr : "", request.body.size, digest);
        strv_addf(&headers, "x-amz-content-sha256: %s", digest_hex(digest));
    }
    aws_sign(&request, &creds, &added, &got);
    strv_copy(&headers, &added);
    sign_canonical(&request, &canonical, &names);
    OKF(!strcmp(buf_cstr(&canonical), want_canonical), "%s: canonical\n%s\nwant\n%s", name,
        buf_cstr(&canonical), want_canonical);
    OKF(strstr(buf_cstr(&got), want) != NULL, "%s: %s, want %s", name, buf_cstr(&got), want);
    creds.session_token = NULL;
}

static void published_suite(void)
{
    const char *path = getenv("SLIPWAY_SIGV4_VECTORS");
    SCOPED(strv_release) struct strv names = {0};
    struct err err = {0};
    AUTO_FD int suite = -1;
    size_t ran = 0;

    if (!path) {
        tap_skip("SLIPWAY_SIGV4_VECTORS is not set (a copy of aws-c-auth's "
                 "tests/aws-signing-test-suite/v4)");
        return;
    }
    suite = fs_open_dir(AT_FDCWD, path, &err);
    if (!OKF(suite >= 0, "%s", err.text) || !OK(fs_list(suite, &names, &err) == 0))
        return;
    for (size_t i = 0; i < names.count; i++) {
        /* Paths as they stand are S3's way of signing; slipway signs for nothing that wants it. */
        if (str_ends(str_of(names.ptr[i]), "-unnormalized"))
            continue;
        one_vector(suite, names.ptr[i]);
        ran++;
    }
    OKF(ran >= 30, "only %zu cases in %s", ran, path);
}

TAP_MAIN({"signatures", signatures}, {"a date that is given", given_date},
         {"published suite", published_suite})
