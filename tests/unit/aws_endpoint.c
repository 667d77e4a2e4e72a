/* SPDX-License-Identifier: Apache-2.0 */
#include "aws/endpoint.h"

#include <string.h>

#include "base/scope.h"
#include "tests/tap.h"

static const struct aws_service ecs = {.name = "ecs", .id = "ECS", .host = "ecs", .signing = "ecs"};
static const struct aws_service ecr = {
    .name = "ecr", .id = "ECR", .host = "api.ecr", .host_dual = "ecr", .signing = "ecr"};

static const struct {
    const struct aws_service *service;
    struct endpoint_want want;
    const char *url, *err;
} urls_rows[] = {
    {&ecs, {.region = "eu-west-1"}, "https://ecs.eu-west-1.amazonaws.com/", NULL},
    {&ecs, {.region = "mx-central-1"}, "https://ecs.mx-central-1.amazonaws.com/", NULL},
    {&ecs, {.region = "zz-moon-9"}, "https://ecs.zz-moon-9.amazonaws.com/", NULL},
    {&ecs,
     {.region = "us-west-2", .fips = true},
     "https://ecs-fips.us-west-2.amazonaws.com/",
     NULL},
    {&ecs,
     {.region = "us-east-1", .fips = true, .dual_stack = true},
     "https://ecs-fips.us-east-1.api.aws/",
     NULL},
    {&ecs, {.region = "cn-north-1"}, "https://ecs.cn-north-1.amazonaws.com.cn/", NULL},
    {&ecs, {.region = "us-isob-east-1"}, "https://ecs.us-isob-east-1.sc2s.sgov.gov/", NULL},
    {&ecs, {.region = "us-iso-west-1"}, "https://ecs.us-iso-west-1.c2s.ic.gov/", NULL},
    {&ecr, {.region = "us-east-1"}, "https://api.ecr.us-east-1.amazonaws.com/", NULL},
    {&ecr,
     {.region = "us-east-1", .fips = true},
     "https://api.ecr-fips.us-east-1.amazonaws.com/",
     NULL},
    {&ecr, {.region = "us-east-1", .dual_stack = true}, "https://ecr.us-east-1.api.aws/", NULL},
    {&ecr,
     {.region = "us-gov-west-1", .fips = true, .dual_stack = true},
     "https://ecr-fips.us-gov-west-1.api.aws/",
     NULL},
    {&ecr,
     {.region = "cn-northwest-1", .dual_stack = true},
     "https://ecr.cn-northwest-1.api.amazonwebservices.com.cn/",
     NULL},
    {&ecr, {.region = "eusc-de-east-1"}, "https://api.ecr.eusc-de-east-1.amazonaws.eu/", NULL},
    {&ecr, {.region = "eu-isoe-west-1"}, "https://api.ecr.eu-isoe-west-1.cloud.adc-e.uk/", NULL},
    {&ecr, {.region = "us-isof-south-1"}, "https://api.ecr.us-isof-south-1.csp.hci.ic.gov/", NULL},
    {&ecr, {.region = "us-east-1", .url = "http://127.0.0.1:5000"}, "http://127.0.0.1:5000/", NULL},
    {&ecr,
     {.region = "us-east-1", .url = "https://Proxy.Example/Base/x"},
     "https://proxy.example/Base/x/",
     NULL},
    {&ecr,
     {.region = "us-east-1", .url = "ftp://x"},
     NULL,
     "ecr: endpoint \"ftp://x\" is no http or https URL"},
    {&ecr,
     {.region = "us-east-1", .url = "https://x/?a"},
     NULL,
     "ecr: endpoint \"https://x/?a\" has a query, a fragment or white space"},
    {&ecr,
     {.region = "us-east-1", .url = "https://x", .fips = true},
     NULL,
     "ecr: a configured endpoint (https://x) excludes AWS_USE_FIPS_ENDPOINT; unset one of "
     "them"},
    {&ecs,
     {.region = "us-east-1.evil.example/"},
     NULL,
     "\"us-east-1.evil.example/\" is no AWS region"},
    {&ecs, {.region = "US-EAST-1"}, NULL, "\"US-EAST-1\" is no AWS region"},
    {&ecs, {.region = NULL}, NULL, "\"\" is no AWS region"},
};

static void urls(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(urls_rows); i++) {
        SCOPED(buf_release) struct buf got = {0};
        struct err err = {0};
        int rc = endpoint_url(urls_rows[i].service, &urls_rows[i].want, &got, &err);

        EQ_INT(rc, urls_rows[i].err ? -1 : 0);
        EQ_STR(rc < 0 ? err.text : buf_cstr(&got),
               urls_rows[i].err ? urls_rows[i].err : urls_rows[i].url);
    }
}

static void partitions(void)
{
    EQ_STR(aws_partition_of("us-gov-east-1")->name, "aws-us-gov");
    EQ_STR(aws_partition_of("us-gov-east-1")->region_any, "us-gov-west-1");
    EQ_STR(aws_partition_of("eusc-de-east-1")->name, "aws-eusc");
    EQ_STR(aws_partition_of("ap-southeast-7")->name, "aws");
    EQ_STR(aws_partition_of("")->name, "aws");
}

TAP_MAIN({"urls", urls}, {"partitions", partitions})
