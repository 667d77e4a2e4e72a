/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/ecr.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "aws/call.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "base/enc.h"
#include "base/json.h"
#include "base/scope.h"
#include "base/str.h"

#define ACCOUNT_DIGITS 12

static const struct aws_service ecr = {
    .name = "ecr",
    .id = "ECR",
    .host = "api.ecr",
    .host_dual = "ecr",
    .signing = "ecr",
    .target = "AmazonEC2ContainerRegistry_V20150921",
};

static const struct aws_service ecr_public = {
    .name = "ecr-public",
    .id = "ECR_PUBLIC",
    .host = "api.ecr-public",
    .host_dual = "ecr-public",
    .signing = "ecr-public",
    .target = "SpencerFrontendService",
};

/* Where registries of a partition live when spoken to over both IP versions ("dkr-ecr" hosts). */
static const struct {
    const char *partition, *suffix;
} dual_suffixes[] = {
    {"aws", "on.aws"},
    {"aws-us-gov", "on.aws"},
    {"aws-cn", "on.amazonwebservices.com.cn"},
};

static bool take(struct str *s, const char *prefix)
{
    if (!str_starts(*s, prefix))
        return false;
    *s = str_slice(*s, strlen(prefix), s->size);
    return true;
}

/* "us-east-1", "us-gov-west-1", "eusc-de-east-1": words, a number at the end. */
static bool region_shaped(struct str region)
{
    struct str rest, number;
    uint64_t n;

    if (!aws_region_valid(region) || !str_cut_last(region, '-', &rest, &number) ||
        !str_u64(number, &n))
        return false;
    return rest.size >= 4 && str_find(rest, '-') > 0 && islower((unsigned char)rest.ptr[0]);
}

static bool suffix_fits(const char *region, bool dual_stack, struct str suffix)
{
    const struct aws_partition *partition = aws_partition_of(region);

    if (!dual_stack)
        return str_is(suffix, partition->suffix);
    for (size_t i = 0; i < ARRAY_SIZE(dual_suffixes); i++) {
        if (!strcmp(dual_suffixes[i].partition, partition->name))
            return str_is(suffix, dual_suffixes[i].suffix);
    }
    return false;
}

bool ecr_host_parse(const char *host, struct ecr_host *out)
{
    struct str rest = str_of(host), region, suffix;
    struct ecr_host h = {0};

    if (str_is(rest, "public.ecr.aws") || str_is(rest, "ecr-public.aws.com")) {
        *out = (struct ecr_host){.is_public = true, .region = "us-east-1"};
        return true;
    }
    if (rest.size < ACCOUNT_DIGITS)
        return false;
    for (size_t i = 0; i < ACCOUNT_DIGITS; i++) {
        if (!isdigit((unsigned char)rest.ptr[i]))
            return false;
        h.account[i] = rest.ptr[i];
    }
    rest = str_slice(rest, ACCOUNT_DIGITS, rest.size);
    if (take(&rest, ".dkr-ecr"))
        h.dual_stack = true;
    else if (!take(&rest, ".dkr.ecr"))
        return false;
    h.fips = take(&rest, "-fips");
    if (!take(&rest, ".") || !str_cut(rest, '.', &region, &suffix) || !region_shaped(region))
        return false;
    memcpy(h.region, region.ptr, region.size);
    if (!suffix_fits(h.region, h.dual_stack, suffix))
        return false;
    *out = h;
    return true;
}

void ecr_login_release(struct ecr_login *login)
{
    if (login->password)
        explicit_bzero(login->password, strlen(login->password));
    free(steal_ptr(&login->password));
    free(steal_ptr(&login->user));
    login->expires = 0;
}

/* A list with one entry at the private registry, one object at the public one. */
static int read_token(json_t *reply, struct ecr_login *login, struct err *err)
{
    json_t *data = json_object_get(reply, "authorizationData");
    SCOPED(buf_release) struct buf plain = {0};
    const char *token;
    struct str user, password;

    if (json_is_array(data))
        data = json_array_get(data, 0);
    token = json_str(data, "authorizationToken");
    if (!token)
        return err_set(err, ERR_REMOTE, 0,
                       "ecr GetAuthorizationToken: the reply has no authorizationToken");
    if (!base64_decode(&plain, str_of(token)) || !str_cut(buf_str(&plain), ':', &user, &password) ||
        !user.size || !password.size || memchr(plain.ptr, 0, plain.size))
        return err_set(err, ERR_REMOTE, 0,
                       "ecr GetAuthorizationToken: the token is not base64 of user:password");
    login->user = str_dup(user);
    login->password = str_dup(password);
    login->expires = (int64_t)json_number_value(json_object_get(data, "expiresAt"));
    explicit_bzero(plain.ptr, plain.size);
    return 0;
}

int ecr_login(const char *ca_file, const char *host, struct ecr_login *login, struct err *err)
{
    struct aws_options options = {.ca_file = ca_file};
    struct ecr_host where;
    struct aws *aws;
    json_auto_t *reply = NULL;
    int rc;

    if (!ecr_host_parse(host, &where))
        return err_set(err, ERR_USAGE, 0, "%s is no ECR registry", host);
    aws = aws_open(&options, err);
    if (!aws)
        return err_wrap(err, "log in to %s", host);
    struct aws_request request = {
        .service = where.is_public ? &ecr_public : &ecr,
        .region = where.region,
        .action = "GetAuthorizationToken",
        .fips = where.fips,
        .dual_stack = where.dual_stack,
    };
    rc = aws_call(aws, &request, &reply, err);
    if (rc == 0)
        rc = read_token(reply, login, err);
    aws_free(aws);
    return rc < 0 ? err_wrap(err, "log in to %s", host) : 0;
}
