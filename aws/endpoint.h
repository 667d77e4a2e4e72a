/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AWS_ENDPOINT_H
#define AWS_ENDPOINT_H

/* Region, partition and service to URL. Pure. Source: botocore's partitions.json and its endpoint
 * rule sets. */
#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

/* What aws/ must be told about a service; each user of a service holds its own constant. */
struct aws_service {
    const char *name; /* "ecs": for messages and for IAM actions */
    const char *id;   /* "ECS": as in AWS_ENDPOINT_URL_ECS and the config file's `services` section
                         (lower case there) */
    const char *host; /* "ecs", "api.ecr": before the region */
    const char *host_fips; /* NULL: host with "-fips" appended */
    const char *host_dual; /* NULL: same as host ("ecr" for api.ecr) */
    const char *signing;   /* signing name */
    const char *target;    /* JSON: before the dot of X-Amz-Target; NULL: query protocol */
    const char *version;   /* query protocol: the Version parameter */
};

struct aws_partition {
    const char *name;       /* "aws", "aws-cn" … */
    const char *suffix;     /* "amazonaws.com" */
    const char *dual;       /* "api.aws" */
    const char *region_any; /* a region of it that global services sign with */
};

struct endpoint_want {
    const char *region;
    const char *url; /* configured endpoint; NULL: none */
    bool fips;
    bool dual_stack;
};

/* By the region's shape, so that regions newer than this program work; "aws" when no shape fits.
 * Static. */
const struct aws_partition *aws_partition_of(const char *region);
/* A host label: letters, digits, hyphens. Anything else must not get into a host name. */
bool aws_region_valid(struct str region);
/* "https://api.ecr.eu-west-1.amazonaws.com/", always ending in "/". A configured URL together with
 * FIPS or dual-stack is an error, as with the AWS tools. */
int endpoint_url(const struct aws_service *service, const struct endpoint_want *want,
                 struct buf *out, struct err *err);

#endif
