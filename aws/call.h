/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AWS_CALL_H
#define AWS_CALL_H

/*
 * One signed JSON 1.1 call to one service. One thread at a time for one struct aws.
 * Retries as the AWS tools do (botocore retries/standard.py): AWS_MAX_ATTEMPTS or 3 tries, every
 * try signed anew; on no reply, 500, 502, 503, 504 and throttling codes; once more with fresh
 * credentials when they expired; once more with the server's clock when ours is off by more than
 * four minutes. Errors: ERR_REMOTE with the HTTP status, text "ecs UpdateService:
 * ClusterNotFoundException: Cluster not found."; a denied call names the permission that is
 * missing.
 */
#include <stdbool.h>
#include <stdint.h>

#include "aws/endpoint.h"
#include "aws/fault.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/strv.h"

struct aws;

struct aws_options {
    const struct strv *env;        /* NULL: the process's own */
    const char *profile;           /* --profile; NULL: environment, else "default" */
    const char *region;            /* --region; NULL: environment, else profile */
    const char *ca_file;           /* used when AWS_CA_BUNDLE is not set */
    const struct strv *insecure;   /* as in http_options */
    const struct strv *connect_to; /* as in http_options */
};

struct aws_request {
    const struct aws_service *service;
    const char *region;    /* NULL: the configured one */
    const char *action;    /* "RegisterTaskDefinition" */
    bool fips, dual_stack; /* endpoint flavour asked for by the caller, besides the configuration */
    json_t *input;         /* NULL is {}; borrowed */
    struct aws_fault *fault; /* filled on ERR_REMOTE; may be NULL */
};

/* Reads configuration, nothing else: credentials are fetched by the first call. options NULL: all
 * defaults. */
struct aws *aws_open(const struct aws_options *options, struct err *err);
void aws_free(struct aws *aws);
/* *reply is a new reference (json_auto_t). */
int aws_call(struct aws *aws, const struct aws_request *request, json_t **reply, struct err *err);

#endif
