/* SPDX-License-Identifier: Apache-2.0 */
#include "aws/metadata.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "aws/config.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/http.h"
#include "base/json.h"
#include "base/log.h"
#include "base/scope.h"

#define CONTAINER_HOST "169.254.170.2"
#define CONTAINER_TRIES 3
#define CONTAINER_TIMEOUT_MS 2000
#define TOKEN_MAX (64 << 10)
#define ROLE_PATH "latest/meta-data/iam/security-credentials/"
#define REGION_PATH "latest/meta-data/placement/region"

int metadata_parse(struct str text, const char *source, struct aws_creds *creds, struct err *err)
{
    json_auto_t *doc = json_parse(text, err);
    const char *key, *secret, *token, *expires, *code;
    struct timespec until = {0};

    if (!doc)
        return err_wrap(err, "%s", source);
    code = json_str(doc, "Code");
    if (code && strcmp(code, "Success") != 0) {
        const char *message = json_str(doc, "Message");

        return err_set(err, ERR_REMOTE, 0, "%s: %s: %s", source, code,
                       message ? message : "no credentials");
    }
    key = json_str(doc, "AccessKeyId");
    secret = json_str(doc, "SecretAccessKey");
    token = json_str(doc, "Token");
    if (!token)
        token = json_str(doc, "SessionToken");
    expires = json_str(doc, "Expiration");
    if (!key || !secret || !*key || !*secret)
        return err_set(err, ERR_REMOTE, 0, "%s: the reply has no AccessKeyId and SecretAccessKey",
                       source);
    if (expires && !clock_parse_rfc3339(str_of(expires), &until))
        return err_set(err, ERR_REMOTE, 0, "%s: Expiration is no time", source);
    *creds = (struct aws_creds){
        .access_key_id = xstrdup(key),
        .secret_access_key = xstrdup(secret),
        .session_token = token && *token ? xstrdup(token) : NULL,
        .source = xstrdup(source),
        .expires = until.tv_sec,
    };
    return 0;
}

/* ---- the container endpoint ---- */

static bool full_uri_allowed(const char *uri)
{
    static const char *const hosts[] = {CONTAINER_HOST, "169.254.170.23", "[fd00:ec2::23]",
                                        "localhost"};
    SCOPED(buf_release) struct buf host = {0};

    if (str_starts(str_of(uri), "https://") || http_is_loopback(uri))
        return true;
    if (!http_host(uri, &host))
        return false;
    for (size_t i = 0; i < ARRAY_SIZE(hosts); i++) {
        struct str have = buf_str(&host);

        if (str_starts(have, hosts[i]) &&
            (have.size == strlen(hosts[i]) || have.ptr[strlen(hosts[i])] == ':'))
            return true;
    }
    return false;
}

/* The value of the Authorization header: the file's is read anew each time (EKS Pod Identity turns
 * it over). */
static int container_token(const struct aws_config *config, struct buf *token, struct err *err)
{
    const char *file = aws_config_env(config, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
    const char *text = aws_config_env(config, "AWS_CONTAINER_AUTHORIZATION_TOKEN");

    if (file) {
        AUTO_FD int fd = open(file, O_RDONLY | O_CLOEXEC);

        if (fd < 0)
            return err_errno(err, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: open %s", file);
        if (fs_read(fd, token, TOKEN_MAX, err) < 0)
            return err_wrap(err, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE %s", file);
        while (token->size &&
               (token->ptr[token->size - 1] == '\n' || token->ptr[token->size - 1] == '\r'))
            token->ptr[--token->size] = 0;
    } else if (text) {
        buf_adds(token, text);
    }
    if (str_find(buf_str(token), '\n') >= 0 || str_find(buf_str(token), '\r') >= 0)
        return err_set(err, ERR_INPUT, 0, "%s holds a line break",
                       file ? "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"
                            : "AWS_CONTAINER_AUTHORIZATION_TOKEN");
    return 0;
}

int metadata_container(const struct aws_config *config, struct http *http, struct aws_creds *creds,
                       struct err *err)
{
    const char *relative = aws_config_env(config, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
    const char *full = aws_config_env(config, "AWS_CONTAINER_CREDENTIALS_FULL_URI");
    SCOPED(buf_release) struct buf token = {0};
    AUTO_FREE char *url = NULL;
    struct http_request request = {.method = "GET",
                                   .timeout_ms = CONTAINER_TIMEOUT_MS,
                                   .no_redirect = true,
                                   .connect_timeout_ms = CONTAINER_TIMEOUT_MS,
                                   .reply_max = TOKEN_MAX};

    if (!relative && !full)
        return 0;
    if (relative && *relative != '/')
        return err_set(err, ERR_INPUT, 0,
                       "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI does not begin with /");
    url = relative ? xasprintf("http://" CONTAINER_HOST "%s", relative) : xstrdup(full);
    if (!relative && !full_uri_allowed(url))
        return err_set(err, ERR_INPUT, 0,
                       "AWS_CONTAINER_CREDENTIALS_FULL_URI %s: plain http is for loopback and the "
                       "container hosts only",
                       url);
    if (container_token(config, &token, err) < 0)
        return -1;
    request.url = url;
    request.authorization = token.size ? buf_cstr(&token) : NULL;
    for (unsigned i = 1;; i++) {
        SCOPED(http_reply_release) struct http_reply reply = {0};
        struct err last = {0};
        int rc = http_send(http, &request, &reply, &last);

        if (rc == 0 && reply.status == 200)
            return metadata_parse(buf_str(&reply.body), "the container credentials endpoint", creds,
                                  err) < 0
                       ? -1
                       : 1;
        if (rc == 0)
            err_set(&last, ERR_REMOTE, reply.status, "HTTP %d", reply.status);
        if (i == CONTAINER_TRIES || (rc == 0 && reply.status / 100 == 4)) {
            *err = last;
            return err_wrap(err, "the container credentials endpoint %s", url);
        }
        clock_sleep_ms(1000);
    }
}

/* ---- the instance metadata service ---- */

static char *instance_base(const struct aws_config *config)
{
    const char *url = aws_config_env(config, "AWS_EC2_METADATA_SERVICE_ENDPOINT");
    const char *mode = aws_config_env(config, "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE");

    if (url)
        return xasprintf("%s%s", url, str_ends(str_of(url), "/") ? "" : "/");
    if (mode && str_is_nocase(str_of(mode), "ipv6"))
        return xstrdup("http://[fd00:ec2::254]/");
    return xstrdup("http://169.254.169.254/");
}

void metadata_hosts(const struct aws_config *config, struct strv *hosts)
{
    static const char *const fixed[] = {CONTAINER_HOST, "169.254.170.23", "[fd00:ec2::23]"};
    AUTO_FREE char *base = instance_base(config);
    SCOPED(buf_release) struct buf host = {0};

    for (size_t i = 0; i < ARRAY_SIZE(fixed); i++)
        strv_add(hosts, fixed[i]);
    if (http_host(base, &host))
        strv_add(hosts, buf_cstr(&host));
}

static uint64_t number_or(const struct aws_config *config, const char *name, uint64_t fallback)
{
    const char *text = aws_config_env(config, name);
    uint64_t n;

    return text && str_u64(str_of(text), &n) && n >= 1 && n <= 60 ? n : fallback;
}

struct instance {
    const struct aws_config *config;
    struct http *http;
    char *base;
    struct strv headers; /* the session's token */
};

static int ask(struct instance *in, const char *method, const char *path, struct http_reply *reply,
               struct err *err)
{
    AUTO_FREE char *url = xasprintf("%s%s", in->base, path);
    uint64_t timeout_ms = 1000 * number_or(in->config, "AWS_METADATA_SERVICE_TIMEOUT", 1);
    uint64_t tries = number_or(in->config, "AWS_METADATA_SERVICE_NUM_ATTEMPTS", 1);
    struct http_request request = {.method = method,
                                   .url = url,
                                   .headers = &in->headers,
                                   .timeout_ms = timeout_ms,
                                   .connect_timeout_ms = timeout_ms,
                                   .reply_max = TOKEN_MAX,
                                   .no_redirect = true,
                                   .has_body = !strcmp(method, "PUT")};
    int rc = -1;

    for (uint64_t i = 0; i < tries && (rc < 0 || reply->status / 100 == 5); i++) {
        http_reply_release(reply);
        rc = http_send(in->http, &request, reply, err);
    }
    return rc;
}

/* 1: a token is in the headers, or the service wants none; 0: no such service here; -1 */
static int instance_begin(struct instance *in, struct err *err)
{
    SCOPED(http_reply_release) struct http_reply reply = {0};
    struct err why = {0};
    const char *no_v1 = aws_config_env(in->config, "AWS_EC2_METADATA_V1_DISABLED");

    strv_add(&in->headers, "X-aws-ec2-metadata-token-ttl-seconds: 21600");
    if (ask(in, "PUT", "latest/api/token", &reply, &why) < 0) {
        strv_clear(&in->headers);
        log_debug("instance metadata: %s", why.text);
        return 0;
    }
    strv_clear(&in->headers);
    if (reply.status == 200 && reply.body.size && str_find(buf_str(&reply.body), '\n') < 0) {
        strv_addf(&in->headers, "X-aws-ec2-metadata-token: %s", buf_cstr(&reply.body));
        return 1;
    }
    if (reply.status == 400)
        return err_set(err, ERR_REMOTE, 400,
                       "the instance metadata service refused the token request (HTTP 400)");
    if (no_v1 && str_is_nocase(str_of(no_v1), "true"))
        return err_set(err, ERR_REMOTE, reply.status,
                       "the instance metadata service gave no session token (HTTP %d) and "
                       "AWS_EC2_METADATA_V1_DISABLED is set",
                       reply.status);
    return 1;
}

static bool instance_disabled(const struct aws_config *config)
{
    const char *off = aws_config_env(config, "AWS_EC2_METADATA_DISABLED");

    return off && str_is_nocase(str_of(off), "true");
}

static int instance_creds(struct instance *in, struct aws_creds *creds, struct err *err)
{
    SCOPED(http_reply_release) struct http_reply reply = {0};
    SCOPED(http_reply_release) struct http_reply role_reply = {0};
    AUTO_FREE char *path = NULL;
    struct str role, rest;

    if (ask(in, "GET", ROLE_PATH, &reply, err) < 0)
        return err_wrap(err, "instance metadata");
    if (reply.status == 404)
        return 0; /* an instance without a role */
    if (reply.status != 200)
        return err_set(err, ERR_REMOTE, reply.status,
                       "instance metadata: HTTP %d for the role's name", reply.status);
    str_cut(str_trim(buf_str(&reply.body)), '\n', &role, &rest);
    if (!role.size)
        return 0;
    path = xasprintf(ROLE_PATH STR_FMT, STR_ARG(role));
    if (ask(in, "GET", path, &role_reply, err) < 0)
        return err_wrap(err, "instance metadata");
    if (role_reply.status != 200)
        return err_set(err, ERR_REMOTE, role_reply.status,
                       "instance metadata: HTTP %d for the credentials of role " STR_FMT,
                       role_reply.status, STR_ARG(role));
    return metadata_parse(buf_str(&role_reply.body), "the instance metadata service", creds, err) <
                   0
               ? -1
               : 1;
}

static void instance_release(struct instance *in)
{
    free(steal_ptr(&in->base));
    strv_release(&in->headers);
}

int metadata_instance(const struct aws_config *config, struct http *http, struct aws_creds *creds,
                      struct err *err)
{
    SCOPED(instance_release) struct instance in = {.config = config, .http = http};
    int rc;

    if (instance_disabled(config))
        return 0;
    in.base = instance_base(config);
    rc = instance_begin(&in, err);
    return rc <= 0 ? rc : instance_creds(&in, creds, err);
}

char *metadata_region(const struct aws_config *config, struct http *http)
{
    SCOPED(instance_release) struct instance in = {.config = config, .http = http};
    SCOPED(http_reply_release) struct http_reply reply = {0};
    struct err ignored = {0}; /* no instance, no region: the caller names the other ways */

    if (instance_disabled(config))
        return NULL;
    in.base = instance_base(config);
    if (instance_begin(&in, &ignored) <= 0 || ask(&in, "GET", REGION_PATH, &reply, &ignored) < 0 ||
        reply.status != 200)
        return NULL;
    return str_dup(str_trim(buf_str(&reply.body)));
}
