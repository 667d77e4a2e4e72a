/* SPDX-License-Identifier: Apache-2.0 */
#include "aws/call.h"

#include <stdlib.h>
#include <string.h>

#include "aws/config.h"
#include "aws/exchange.h"
#include "aws/metadata.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/http.h"
#include "base/log.h"
#include "base/scope.h"

#define REFRESH_MIN_S                                                                              \
    60 /* credentials handed out near their end are not asked for again before this */

struct aws {
    struct aws_config config;
    struct http *http;
    struct exchange_state state;
    struct aws_creds creds;
    int64_t refresh_at; /* 0: never */
    char *region;       /* found out; NULL: not asked yet */
};

struct aws *aws_open(const struct aws_options *options, struct err *err)
{
    static const struct aws_options none;
    const struct aws_options *o = options ? options : &none;
    struct aws *aws = xcalloc(1, sizeof(*aws));
    SCOPED(strv_release) struct strv insecure = {0};
    struct http_options http = {
        .ca_file = o->ca_file, .insecure = &insecure, .connect_to = o->connect_to, .attempts = 1};

    if (aws_config_load(&aws->config, o->env, o->profile, o->region, err) < 0) {
        aws_free(aws);
        return NULL;
    }
    if (aws_config_env(&aws->config, "AWS_CA_BUNDLE"))
        http.ca_file = aws_config_env(&aws->config, "AWS_CA_BUNDLE");
    if (o->insecure)
        strv_copy(&insecure, o->insecure);
    metadata_hosts(&aws->config, &insecure);
    aws->http = http_open(&http, err);
    if (!aws->http) {
        aws_free(aws);
        return NULL;
    }
    return aws;
}

void aws_free(struct aws *aws)
{
    if (!aws)
        return;
    http_free(aws->http);
    aws_config_release(&aws->config);
    aws_creds_release(&aws->creds);
    free(aws->region);
    free(aws);
}

static int give_creds(void *arg, bool refresh, struct aws_creds *creds, struct err *err)
{
    struct aws *aws = arg;
    int64_t now = clock_now().tv_sec;
    struct err why = {0};

    if (!aws->creds.access_key_id || refresh || (aws->refresh_at && now >= aws->refresh_at)) {
        if (aws_creds_get(&aws->config, aws->http, &aws->creds, &why) < 0) {
            bool usable = aws->creds.access_key_id && !refresh && now < aws->creds.expires;

            if (!usable) {
                *err = why;
                return -1;
            }
            log_debug("credentials not renewed yet: %s", why.text);
        }
        aws->refresh_at = aws->creds.expires ? aws->creds.expires - AWS_CREDS_MARGIN : 0;
        if (aws->refresh_at && aws->refresh_at < now + REFRESH_MIN_S)
            aws->refresh_at = now + REFRESH_MIN_S;
    }
    aws_creds_copy(creds, &aws->creds);
    return 0;
}

static const char *region_of(struct aws *aws, struct err *err)
{
    const char *region = aws_config_region(&aws->config);

    if (region)
        return region;
    if (!aws->region)
        aws->region = metadata_region(&aws->config, aws->http);
    if (!aws->region)
        err_set(
            err, ERR_INPUT, 0,
            "no AWS region: give --region, set AWS_REGION, or put region into profile \"%s\" of %s",
            aws->config.profile, aws->config.config_path);
    return aws->region;
}

int aws_call(struct aws *aws, const struct aws_request *request, json_t **reply, struct err *err)
{
    SCOPED(http_reply_release) struct http_reply answer = {0};
    SCOPED(buf_release) struct buf body = {0};
    struct aws_fault unused, *fault = request->fault ? request->fault : &unused;
    struct exchange x = {
        .config = &aws->config,
        .http = aws->http,
        .state = &aws->state,
        .service = request->service,
        .region = request->region ? request->region : region_of(aws, err),
        .action = request->action,
        .content_type = "application/x-amz-json-1.1",
        .fips = request->fips,
        .dual_stack = request->dual_stack,
        .creds = give_creds,
        .creds_arg = aws,
    };

    *fault = (struct aws_fault){0};
    if (!x.region)
        return -1;
    if (request->input)
        json_print(request->input, &body);
    else
        buf_adds(&body, "{}");
    x.body = buf_str(&body);
    if (exchange_run(&x, &answer, fault, err) < 0)
        return -1;
    if (!answer.body.size) {
        *reply = json_object();
        return 0;
    }
    *reply = json_parse(buf_str(&answer.body), err);
    if (!*reply)
        return err_wrap(err, "%s %s: the reply is no JSON document", x.service->name, x.action);
    return 0;
}
