/* SPDX-License-Identifier: Apache-2.0 */
#include "aws/endpoint.h"

#include <ctype.h>
#include <string.h>

#include "base/scope.h"

/* botocore: data/partitions.json. A region belongs to the first partition whose prefix it starts
 * with. */
static const struct {
    struct aws_partition partition;
    const char *prefix;
} partitions[] = {
    {{"aws-cn", "amazonaws.com.cn", "api.amazonwebservices.com.cn", "cn-northwest-1"}, "cn-"},
    {{"aws-us-gov", "amazonaws.com", "api.aws", "us-gov-west-1"}, "us-gov-"},
    {{"aws-iso-b", "sc2s.sgov.gov", "api.aws.scloud", "us-isob-east-1"}, "us-isob-"},
    {{"aws-iso-e", "cloud.adc-e.uk", "api.cloud-aws.adc-e.uk", "eu-isoe-west-1"}, "eu-isoe-"},
    {{"aws-iso-f", "csp.hci.ic.gov", "api.aws.hci.ic.gov", "us-isof-south-1"}, "us-isof-"},
    {{"aws-iso", "c2s.ic.gov", "api.aws.ic.gov", "us-iso-east-1"}, "us-iso-"},
    {{"aws-eusc", "amazonaws.eu", "api.amazonwebservices.eu", "eusc-de-east-1"}, "eusc-"},
    {{"aws", "amazonaws.com", "api.aws", "us-east-1"}, ""},
};

const struct aws_partition *aws_partition_of(const char *region)
{
    struct str r = str_of(region);

    for (size_t i = 0; i < ARRAY_SIZE(partitions); i++) {
        if (str_starts(r, partitions[i].prefix))
            return &partitions[i].partition;
    }
    err_bug(__FILE__, __LINE__, "the last partition takes any region");
}

bool aws_region_valid(struct str region)
{
    if (!region.size || region.size > 63 || region.ptr[0] == '-' ||
        region.ptr[region.size - 1] == '-')
        return false;
    for (size_t i = 0; i < region.size; i++) {
        unsigned char c = (unsigned char)region.ptr[i];

        if (!islower(c) && !isdigit(c) && c != '-')
            return false;
    }
    return true;
}

static int configured(const struct aws_service *service, const struct endpoint_want *want,
                      struct buf *out, struct err *err)
{
    struct str url = str_of(want->url);

    if (want->fips || want->dual_stack)
        return err_set(err, ERR_INPUT, 0,
                       "%s: a configured endpoint (%s) excludes %s; unset one of them",
                       service->name, want->url,
                       want->fips ? "AWS_USE_FIPS_ENDPOINT" : "AWS_USE_DUALSTACK_ENDPOINT");
    if (!str_starts(url, "http://") && !str_starts(url, "https://"))
        return err_set(err, ERR_INPUT, 0, "%s: endpoint \"%s\" is no http or https URL",
                       service->name, want->url);
    for (size_t i = 0; i < url.size; i++) {
        if ((unsigned char)url.ptr[i] <= ' ' || url.ptr[i] == '?' || url.ptr[i] == '#')
            return err_set(err, ERR_INPUT, 0,
                           "%s: endpoint \"%s\" has a query, a fragment or white space",
                           service->name, want->url);
    }
    /* The host in lower case: it is signed as the server will read it. */
    size_t host = (size_t)str_search(url, "//") + 2;
    ptrdiff_t end = str_find(str_slice(url, host, url.size), '/');
    size_t stop = end < 0 ? url.size : host + (size_t)end;

    for (size_t i = 0; i < stop; i++)
        buf_addc(out, (char)tolower((unsigned char)url.ptr[i]));
    buf_add_str(out, str_slice(url, stop, url.size));
    if (!str_ends(url, "/"))
        buf_addc(out, '/');
    return 0;
}

int endpoint_url(const struct aws_service *service, const struct endpoint_want *want,
                 struct buf *out, struct err *err)
{
    const struct aws_partition *partition;
    const char *host = service->host;

    if (want->url)
        return configured(service, want, out, err);
    if (!aws_region_valid(str_of(want->region)))
        return err_set(err, ERR_INPUT, 0, "\"%s\" is no AWS region",
                       want->region ? want->region : "");
    partition = aws_partition_of(want->region);
    if (want->dual_stack && service->host_dual)
        host = service->host_dual;
    buf_addf(out, "https://");
    if (want->fips && service->host_fips && host == service->host)
        buf_adds(out, service->host_fips);
    else
        buf_addf(out, "%s%s", host, want->fips ? "-fips" : "");
    buf_addf(out, ".%s.%s/", want->region, want->dual_stack ? partition->dual : partition->suffix);
    return 0;
}
