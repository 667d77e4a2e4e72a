/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AWS_CREDS_H
#define AWS_CREDS_H

/*
 * The AWS credential chain, in the order the AWS tools use (botocore: credentials.py):
 *   environment keys (unless a profile was chosen by option) > profile with role_arn > web identity
 * (environment, then profile) > sso > shared credentials file > credential_process > static keys in
 * the config file > container (CodeBuild, ECS, EKS) > instance metadata. A source that is
 * configured but fails is an error that names it, never a skip. SSO and `aws login` sessions are
 * errors that name themselves.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct aws_config; /* aws/config.h */
struct http;

struct aws_creds {
    char *access_key_id;
    char *secret_access_key;
    char *session_token; /* NULL: none */
    char *source;        /* where they are from, for people: "environment", "profile \"x\"
                            (/root/.aws/credentials)" */
    int64_t expires;     /* seconds since 1970; 0: they do not */
};

#define AWS_CREDS_MARGIN                                                                           \
    600 /* seconds before `expires` at which fresh ones are fetched (botocore: mandatory refresh)  \
         */

void aws_creds_release(struct aws_creds *creds);
void aws_creds_copy(struct aws_creds *to, const struct aws_creds *from);

/* Walks the chain. http: for STS, container and instance endpoints. No credentials anywhere is an
 * error that lists what was tried. */
int aws_creds_get(const struct aws_config *config, struct http *http, struct aws_creds *creds,
                  struct err *err);

#endif
