/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AWS_STS_H
#define AWS_STS_H

/* The two STS calls of the credential chain (query protocol, XML replies). */
#include "aws/creds.h"
#include "base/err.h"

struct sts_role {
    const char *arn;
    const char *session;     /* NULL: "slipway-<time>" */
    const char *external_id; /* NULL: none */
    const char *duration;    /* seconds as text; NULL: the role's default */
};

/* base: who asks. */
int sts_assume_role(const struct aws_config *config, struct http *http, const struct sts_role *role,
                    const struct aws_creds *base, struct aws_creds *creds, struct err *err);
/* token_file is read anew for each call; the call itself is not signed. */
int sts_assume_role_with_web_identity(const struct aws_config *config, struct http *http,
                                      const struct sts_role *role, const char *token_file,
                                      struct aws_creds *creds, struct err *err);

#endif
