/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AWS_METADATA_H
#define AWS_METADATA_H

/*
 * Credentials from the place the program runs in: the container endpoint (CodeBuild, ECS, EKS Pod
 * Identity) and the instance metadata service, version 2 (botocore: utils.py
 * ContainerMetadataFetcher, IMDSFetcher). Each returns 1 with *creds filled, 0 when there is no
 * such place, -1 when there is one and it fails.
 */
#include "aws/creds.h"
#include "base/err.h"
#include "base/str.h"
#include "base/strv.h"

int metadata_container(const struct aws_config *config, struct http *http, struct aws_creds *creds,
                       struct err *err);
int metadata_instance(const struct aws_config *config, struct http *http, struct aws_creds *creds,
                      struct err *err);
/* The instance's region, for free(); NULL when this is no instance. */
char *metadata_region(const struct aws_config *config, struct http *http);
/* Names of the hosts above that are spoken to in plain http, in the form http_options.insecure
 * takes. */
void metadata_hosts(const struct aws_config *config, struct strv *hosts);
/* {"AccessKeyId", "SecretAccessKey", "Token" or "SessionToken", "Expiration"}; source is kept in
 * *creds. */
int metadata_parse(struct str json, const char *source, struct aws_creds *creds, struct err *err);

#endif
