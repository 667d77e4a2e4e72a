/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AWS_CALL_H
#define AWS_CALL_H

/*
 * One signed call to one service. JSON 1.1 (json_t in, json_t out) or query (form in, XML out as text).
 * Retries as the AWS tools do (botocore retries/standard.py): AWS_MAX_ATTEMPTS or 3 tries, every try signed anew; on no
 * reply, 500, 502, 503, 504 and throttling codes; once more with fresh credentials when they expired; once more with the
 * server's clock when ours is off by more than four minutes.
 * Errors: ERR_REMOTE with the HTTP status, text "ecs UpdateService: ClusterNotFoundException: Cluster not found."; a
 * denied call names the permission that is missing.
 */
#include <stdbool.h>
#include <stdint.h>

#include "aws/endpoint.h"
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

/* What a server said when it refused. All text is escaped and cut to size. */
struct aws_fault {
    int status;         /* HTTP; 0: no reply */
    char code[128];     /* "ClusterNotFoundException"; empty when the reply named none (HTML, nothing) */
    char message[600];
    char request_id[80];
};

struct aws_request {
    const struct aws_service *service;
    const char *region; /* NULL: the configured one */
    const char *action; /* "RegisterTaskDefinition" */
    json_t *input;      /* JSON: the body, NULL is {}; borrowed */
    struct aws_fault *fault; /* filled on ERR_REMOTE; may be NULL */
};

/* Reads configuration, nothing else: credentials are fetched by the first call. options NULL: all defaults. */
struct aws *aws_open(const struct aws_options *options, struct err *err);
void aws_free(struct aws *aws);
/* JSON protocol. *reply is a new reference (json_auto_t). */
int aws_call(struct aws *aws, const struct aws_request *request, json_t **reply, struct err *err);
const char *aws_region(struct aws *aws, struct err *err); /* NULL with the ways to set it when none is known; borrowed */
/* Where the credentials in use come from, NULL before the first call; borrowed. */
const char *aws_source(const struct aws *aws);

/* The parts of a refusal: JSON __type/code, x-amzn-errortype, XML <Code>, HTML title. Pure; never fails. */
void aws_fault_read(int status, const char *content_type, const char *error_type, struct str body,
                    struct aws_fault *fault);
bool aws_fault_is(const struct aws_fault *fault, const char *code); /* exact code */
bool aws_fault_throttled(const struct aws_fault *fault);

/* Query protocol, signed or not (sts AssumeRoleWithWebIdentity): the XML reply, at most 64 KiB. */
struct http;
struct aws_creds;
struct aws_config;
struct aws_query {
    const struct aws_service *service;
    const char *region;
    const char *action;
    const struct strv *params;      /* "Name=value", not encoded */
    const struct aws_creds *creds;  /* NULL: not signed */
};
int aws_query(const struct aws_config *config, struct http *http, const struct aws_query *query, struct buf *reply,
              struct err *err);
/* Text of the first <tag> in an XML reply, entities decoded; false when it is not there. */
bool aws_xml_text(struct str xml, const char *tag, struct buf *out);

#endif
