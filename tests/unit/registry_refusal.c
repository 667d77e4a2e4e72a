/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/buf.h"
#include "base/scope.h"
#include "registry/refusal.h"
#include "tests/tap.h"

static void bodies(void)
{
    static const struct {
        const char *body, *type, *code, *message;
    } rows[] = {
        {"", NULL, NULL, NULL},
        {" \n ", "text/plain", NULL, NULL},
        {"{\"errors\":[{\"code\":\"DENIED\",\"message\":\"requested access to the resource is "
         "denied\",\"detail\":null}]}",
         "application/json", "DENIED", "requested access to the resource is denied"},
        {"{\"errors\":[{\"code\":\"MANIFEST_UNKNOWN\",\"message\":\"manifest "
         "unknown\",\"detail\":{\"Tag\":\"1\"}}]}",
         NULL, "MANIFEST_UNKNOWN", "manifest unknown"},
        {"{\"errors\":[{\"code\":\"MANIFEST_BLOB_UNKNOWN\",\"message\":\"blob unknown to "
         "registry\",\"detail\":\"sha256:12\"}]}",
         NULL, "MANIFEST_BLOB_UNKNOWN", "blob unknown to registry (sha256:12)"},
        {"{\"errors\":[{\"code\":\"DIGEST_INVALID\",\"message\":\"bad\",\"detail\":{\"a\":1}},{"
         "\"code\":\"X\",\"message\":\"two\"}]}",
         NULL, "DIGEST_INVALID", "bad ({\"a\":1}); two"},
        {"{\"errors\":[{\"code\":\"A\"},{\"message\":\"b\"},{\"message\":\"c\"},{\"message\":\"d\"}"
         "]}",
         NULL, "A", "A; b; c"},
        {"{\"errors\":[]}", NULL, NULL, NULL},
        {"{\"errors\":{\"a\":1}}", NULL, NULL, NULL},
        {"{\"errors\":[1,null]}", NULL, NULL, NULL},
        {"{\"__type\":\"com.amazonaws#ExpiredTokenException\",\"message\":\"The token\\nhas "
         "expired.\"}",
         NULL, "ExpiredTokenException", "The token has expired"},
        {"{\"message\":\"pull access denied\"}", NULL, NULL, "pull access denied"},
        {"{\"error\":\"invalid_scope\",\"error_description\":\"no such scope\"}", NULL,
         "invalid_scope", "no such scope"},
        {"{\"error\":{\"code\":\"e\",\"message\":\"inner\"}}", NULL, "e", "inner"},
        {"{\"details\":\"incorrect username or password\"}", NULL, NULL,
         "incorrect username or password"},
        {"{broken", NULL, NULL, "{broken"},
        {"<?xml version=\"1.0\"?>\n<Error><Code>AccessDenied</Code><Message>Request has "
         "expired</Message></Error>",
         "application/xml", "AccessDenied", "Request has expired"},
        {"<html><head><title>413 Request Entity Too Large</title></head></html>", "text/html", NULL,
         "413 Request Entity Too Large"},
        {"<p>go <b>away</b></p>", "text/html", NULL, "go away"},
        {"<", NULL, NULL, NULL},
        {"<Error><Code>X", NULL, NULL, "X"},
        {"Not Authorized\n", "text/plain", NULL, "Not Authorized"},
        {"404 page not found\n", NULL, NULL, "404 page not found"},
        {"a\033[31mred", NULL, NULL, "a\\x1b[31mred"},
        {"\x1f\x8b\x01", "application/octet-stream", NULL, NULL},
        {"at https://s3.example/a?Signature=x.", NULL, NULL, "at https://s3.example/a?..."},
        {"...", NULL, NULL, NULL},
        {"see https://s3.example/a?X-Amz-Signature=secret&b=1 now, and http://h/x", NULL, NULL,
         "see https://s3.example/a?... now, and http://h/x"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        SCOPED(refusal_release) struct refusal r = {0};

        refusal_parse(str_of(rows[i].body), rows[i].type, &r);
        if (!EQ_STR(r.code, rows[i].code) || !EQ_STR(r.message, rows[i].message))
            OKF(false, "row %zu: %s", i, rows[i].body);
    }
}

static void limits(void)
{
    SCOPED(buf_release) struct buf body = {0};
    SCOPED(refusal_release) struct refusal r = {0};

    for (int i = 0; i < 200; i++)
        buf_adds(&body, "\xc3\xa4\xc3\xb6");
    refusal_parse(buf_str(&body), "text/plain", &r);
    EQ_INT(strlen(r.message), REFUSAL_TEXT_MAX + 3);
    OK(strcmp(r.message + REFUSAL_TEXT_MAX, "...") == 0);
    OK(strstr(r.message, "\\x") == NULL);
}

static void explanations(void)
{
    const struct refusal_request plain = {.method = "PUT",
                                          .host = "r.example",
                                          .repository = "team/web",
                                          .path = "manifests/1",
                                          .attempts = 5};
    struct refusal_request push = plain, ecr = plain, ecr_pull = plain, known = plain, wait = plain,
                           stored = plain;
    static char name_unknown[] = "NAME_UNKNOWN", manifest_unknown[] = "MANIFEST_UNKNOWN",
                denied[] = "DENIED", tag_invalid[] = "TAG_INVALID", text[] = "text";
    const struct refusal none = {0}, no_name = {name_unknown, text},
                         no_manifest = {manifest_unknown, text}, no_leave = {denied, text},
                         taken = {tag_invalid, text}, same = {denied, denied};

    push.push = true;
    ecr.push = true;
    ecr.authorized = true;
    ecr.ecr_region = ecr_pull.ecr_region = "eu-west-1";
    known.authorized = true;
    wait.retry_after = "120";
    stored.storage = "s3.example";
    const struct {
        const struct refusal_request *request;
        int status;
        const struct refusal *refusal;
        const char *want;
    } rows[] = {
        {&plain, 404, &none,
         "r.example answered 404 (not found); r.example/team/web has no such tag or digest"},
        {&plain, 404, &no_manifest,
         "r.example answered 404 MANIFEST_UNKNOWN: text; r.example/team/web has no such tag or "
         "digest"},
        {&plain, 404, &no_name,
         "r.example answered 404 NAME_UNKNOWN: text; there is no repository team/web at r.example"},
        {&push, 404, &no_name,
         "r.example answered 404 NAME_UNKNOWN: text; create the repository team/web at r.example "
         "first"},
        {&ecr, 404, &no_name,
         "r.example answered 404 NAME_UNKNOWN: text; create the repository first: aws ecr "
         "create-repository "
         "--region eu-west-1 --repository-name team/web"},
        {&plain, 401, &none,
         "r.example answered 401 (unauthorized); it wants a login: run `slipway login r.example`"},
        {&known, 401, &none,
         "r.example answered 401 (unauthorized); the login for r.example was not accepted: run "
         "`slipway login r.example` again"},
        {&ecr, 401, &none,
         "r.example answered 401 (unauthorized); the AWS login was not accepted: is it for this "
         "account and region, and is it still valid?"},
        {&ecr_pull, 401, &none,
         "r.example answered 401 (unauthorized); no AWS credentials were found: set AWS_PROFILE or "
         "AWS_ACCESS_KEY_ID and "
         "AWS_SECRET_ACCESS_KEY"},
        {&plain, 403, &no_leave,
         "r.example answered 403 DENIED: text; no login was sent: run `slipway login r.example`"},
        {&known, 403, &same,
         "r.example answered 403 DENIED; this login may not pull from team/web"},
        {&ecr, 403, &no_leave,
         "r.example answered 403 DENIED: text; pushing to team/web needs the permissions "
         "ecr:BatchCheckLayerAvailability, "
         "ecr:InitiateLayerUpload, ecr:UploadLayerPart, ecr:CompleteLayerUpload, ecr:PutImage and "
         "ecr:BatchGetImage"},
        {&ecr_pull, 403, &no_leave,
         "r.example answered 403 DENIED: text; pulling from team/web needs the permissions "
         "ecr:BatchGetImage, "
         "ecr:GetDownloadUrlForLayer and ecr:BatchCheckLayerAvailability"},
        {&ecr, 400, &taken,
         "r.example answered 400 TAG_INVALID: text; the tag names another image already and "
         "team/web keeps tags as they are: choose another tag"},
        {&push, 405, &none,
         "r.example answered 405 (method not allowed); it takes no such upload: is it read-only, "
         "or a media type it does not know?"},
        {&plain, 407, &none,
         "r.example answered 407 (proxy authentication required); the proxy wants a login: put it "
         "into HTTPS_PROXY (http://user:password@proxy:port)"},
        {&push, 413, &none,
         "r.example answered 413 (too large); the registry, or a proxy before it, takes no body of "
         "that size: raise its limit "
         "(nginx: client_max_body_size) or make the layer smaller"},
        {&wait, 429, &none,
         "r.example answered 429 (too many requests); it asks to wait (retry-after: 120); a login "
         "raises the limit: run `slipway login r.example`"},
        {&known, 429, &none,
         "r.example answered 429 (too many requests); tried 5 times: wait, or run fewer at a time"},
        {&plain, 503, &none,
         "r.example answered 503 (unavailable); the fault is the server's: tried 5 times, try "
         "again later"},
        {&stored, 403, &no_leave,
         "s3.example answered 403 DENIED: text; that is where r.example sent us, it has no login "
         "of ours"},
        {&push, 206, &none, "r.example answered 206, which is no answer to PUT manifests/1"},
        {&plain, 418, &none, "r.example answered 418"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct err err = {0};

        EQ_INT(refusal_explain(rows[i].request, rows[i].status, rows[i].refusal, &err), -1);
        EQ_INT(err.kind, ERR_REMOTE);
        EQ_INT(err.code, rows[i].status);
        EQ_STR(err.text, rows[i].want);
    }
}

TAP_MAIN({"bodies", bodies}, {"limits", limits}, {"explanations", explanations})
