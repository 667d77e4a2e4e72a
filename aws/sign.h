/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AWS_SIGN_H
#define AWS_SIGN_H

/*
 * AWS Signature Version 4 (IAM User Guide, "Create a signed AWS API request"): request in, headers
 * out. Pure: the time is an argument. Every header handed in is signed, so hand in only those that
 * reach the server unchanged.
 */
#include <time.h>

#include "base/buf.h"
#include "base/str.h"
#include "base/strv.h"

struct aws_creds;

struct sign_request {
    const char *method;
    struct str path;            /* as on the request line, without the query; empty is "/" */
    struct str query;           /* after the "?", as on the request line */
    const struct strv *headers; /* "Name: value"; Host must be among them */
    struct str body;
    const char *region;
    const char *service; /* signing name: "ecr" */
    time_t time;
};

/*
 * Appends "X-Amz-Date: …" and, for session credentials, "X-Amz-Security-Token: …" to `headers`
 * (start from a copy of the request's, or an empty vector), unless the request has them, and writes
 * the Authorization header's value.
 */
void aws_sign(const struct sign_request *request, const struct aws_creds *creds,
              struct strv *headers, struct buf *authorization);

/* The canonical request, for tests. */
void sign_canonical(const struct sign_request *request, struct buf *canonical,
                    struct buf *signed_names);

#endif
