/* SPDX-License-Identifier: Apache-2.0 */
#include "aws/sts.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>

#include "aws/exchange.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/enc.h"
#include "base/fs.h"
#include "base/scope.h"

#define TOKEN_MAX (64 << 10)

static const struct aws_service sts = {
    .name = "sts", .id = "STS", .host = "sts", .signing = "sts", .version = "2011-06-15"};

static void add_param(struct buf *body, const char *name, struct str value)
{
    buf_addf(body, "%s%s=", body->size ? "&" : "", name);
    percent_encode(body, value, "");
}

static void add_role(struct buf *body, const char *action, const struct sts_role *role)
{
    AUTO_FREE char *session = NULL;

    if (!role->session)
        session = xasprintf("slipway-%" PRId64, (int64_t)clock_now().tv_sec);
    add_param(body, "Action", str_of(action));
    add_param(body, "Version", str_of(sts.version));
    add_param(body, "RoleArn", str_of(role->arn));
    add_param(body, "RoleSessionName", str_of(role->session ? role->session : session));
    if (role->external_id)
        add_param(body, "ExternalId", str_of(role->external_id));
    if (role->duration)
        add_param(body, "DurationSeconds", str_of(role->duration));
}

static char *take(struct str xml, const char *tag)
{
    struct buf text = {0};

    if (!xml_text(xml, tag, &text) || !text.size) {
        buf_release(&text);
        return NULL;
    }
    return buf_steal(&text);
}

static int read_creds(struct str xml, const char *arn, struct aws_creds *out, struct err *err)
{
    SCOPED(aws_creds_release) struct aws_creds creds = {0};
    AUTO_FREE char *expires = take(xml, "Expiration");
    struct timespec until = {0};

    creds.access_key_id = take(xml, "AccessKeyId");
    creds.secret_access_key = take(xml, "SecretAccessKey");
    creds.session_token = take(xml, "SessionToken");
    if (!creds.access_key_id || !creds.secret_access_key || !creds.session_token)
        return err_set(err, ERR_REMOTE, 0, "sts: the reply for role %s has no credentials", arn);
    if (!expires || !clock_parse_rfc3339(str_of(expires), &until))
        return err_set(err, ERR_REMOTE, 0, "sts: the reply for role %s has no time of expiry", arn);
    creds.expires = until.tv_sec;
    creds.source = xasprintf("role %s", arn);
    *out = creds;
    creds = (struct aws_creds){0};
    return 0;
}

static int give_base(void *arg, bool refresh, struct aws_creds *creds, struct err *err)
{
    (void)refresh;
    (void)err;
    aws_creds_copy(creds, arg);
    return 0;
}

static int assume(const struct aws_config *config, struct http *http, const struct sts_role *role,
                  const char *action, struct str body, const struct aws_creds *base,
                  struct aws_creds *creds, struct err *err)
{
    SCOPED(http_reply_release) struct http_reply reply = {0};
    SCOPED(aws_creds_release) struct aws_creds asker = {0};
    struct exchange_state state = {0};
    struct aws_fault fault = {0};
    const char *region = aws_config_region(config);
    struct exchange x = {
        .config = config,
        .http = http,
        .state = &state,
        .service = &sts,
        .region = region ? region : "us-east-1",
        .action = action,
        .content_type = "application/x-www-form-urlencoded; charset=utf-8",
        .body = body,
    };

    if (base) {
        aws_creds_copy(&asker, base);
        x.creds = give_base;
        x.creds_arg = &asker;
    }
    if (exchange_run(&x, &reply, &fault, err) < 0)
        return err_wrap(err, "assume role %s", role->arn);
    return read_creds(buf_str(&reply.body), role->arn, creds, err);
}

int sts_assume_role(const struct aws_config *config, struct http *http, const struct sts_role *role,
                    const struct aws_creds *base, struct aws_creds *creds, struct err *err)
{
    SCOPED(buf_release) struct buf body = {0};

    add_role(&body, "AssumeRole", role);
    return assume(config, http, role, "AssumeRole", buf_str(&body), base, creds, err);
}

int sts_assume_role_with_web_identity(const struct aws_config *config, struct http *http,
                                      const struct sts_role *role, const char *token_file,
                                      struct aws_creds *creds, struct err *err)
{
    SCOPED(buf_release) struct buf body = {0};
    SCOPED(buf_release) struct buf token = {0};
    AUTO_FD int fd = open(token_file, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return err_errno(err, "web identity token: open %s", token_file);
    if (fs_read(fd, &token, TOKEN_MAX, err) < 0)
        return err_wrap(err, "web identity token %s", token_file);
    add_role(&body, "AssumeRoleWithWebIdentity", role);
    add_param(&body, "WebIdentityToken", str_trim(buf_str(&token)));
    return assume(config, http, role, "AssumeRoleWithWebIdentity", buf_str(&body), NULL, creds,
                  err);
}
