/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/ecr.h"

#include <stdio.h>
#include <string.h>

#include "base/scope.h"
#include "tests/tap.h"

static void hosts(void)
{
    static const struct {
        const char *host, *want; /* "account region flags"; NULL: no ECR registry */
    } rows[] = {
        {"123456789012.dkr.ecr.us-east-1.amazonaws.com", "123456789012 us-east-1 --"},
        {"123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com", "123456789012 us-gov-west-1 f-"},
        {"123456789012.dkr-ecr.eu-west-1.on.aws", "123456789012 eu-west-1 -d"},
        {"123456789012.dkr-ecr-fips.us-west-2.on.aws", "123456789012 us-west-2 fd"},
        {"123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn", "123456789012 cn-north-1 --"},
        {"123456789012.dkr-ecr.cn-north-1.on.amazonwebservices.com.cn",
         "123456789012 cn-north-1 -d"},
        {"123456789012.dkr.ecr.eusc-de-east-1.amazonaws.eu", "123456789012 eusc-de-east-1 --"},
        {"123456789012.dkr.ecr.us-iso-east-1.c2s.ic.gov", "123456789012 us-iso-east-1 --"},
        {"123456789012.dkr.ecr.us-isob-east-1.sc2s.sgov.gov", "123456789012 us-isob-east-1 --"},
        {"123456789012.dkr.ecr.eu-isoe-west-1.cloud.adc-e.uk", "123456789012 eu-isoe-west-1 --"},
        {"123456789012.dkr.ecr.us-isof-south-1.csp.hci.ic.gov", "123456789012 us-isof-south-1 --"},
        {"public.ecr.aws", " us-east-1 p"},
        {"ecr-public.aws.com", " us-east-1 p"},
        /* look-alikes: the login must never go to these */
        {"123456789012.dkr.ecr.us-east-1.amazonaws.com.evil.example", NULL},
        {"123456789012.dkr.ecr.us-east-1.amazonaws.com.cn", NULL},
        {"123456789012.dkr.ecr.cn-north-1.amazonaws.com", NULL},
        {"123456789012.dkr.ecr.us-east-1.evil.amazonaws.com", NULL},
        {"123456789012.dkr.ecr.us-east-1.amazonaws.com.", NULL},
        {"evil.123456789012.dkr.ecr.us-east-1.amazonaws.com", NULL},
        {"12345678901.dkr.ecr.us-east-1.amazonaws.com", NULL},
        {"1234567890123.dkr.ecr.us-east-1.amazonaws.com", NULL},
        {"12345678901a.dkr.ecr.us-east-1.amazonaws.com", NULL},
        {"123456789012.dkrxecr.us-east-1.amazonaws.com", NULL},
        {"123456789012.dkr.ecr.us-east-1.amazonawsxcom", NULL},
        {"123456789012.dkr.ecr.us-east-1xamazonaws.com", NULL},
        {"123456789012.dkr-ecr.us-east-1.amazonaws.com", NULL},
        {"123456789012.dkr.ecr.us-east-1.on.aws", NULL},
        {"123456789012.dkr.ecr..amazonaws.com", NULL},
        {"123456789012.dkr.ecr.evil.amazonaws.com", NULL},
        {"123456789012.dkr.ecr.us-east-1@evil.amazonaws.com", NULL},
        {"123456789012.dkr.ecr.us-east-1/.amazonaws.com", NULL},
        {"123456789012.dkr.ecr.US-EAST-1.amazonaws.com", NULL},
        {"x.public.ecr.aws", NULL},
        {"public.ecr.aws.evil.example", NULL},
        {"docker.io", NULL},
        {"", NULL},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct ecr_host h = {0};
        char got[200];
        bool is = ecr_host_parse(rows[i].host, &h);

        snprintf(got, sizeof(got), "%s %s %s", h.account, h.region,
                 h.is_public    ? "p"
                 : h.fips       ? (h.dual_stack ? "fd" : "f-")
                 : h.dual_stack ? "-d"
                                : "--");
        OKF(is == (rows[i].want != NULL) && (!is || !strcmp(got, rows[i].want)), "%s: %s",
            rows[i].host, is ? got : "not ECR");
    }
}

static void no_host(void)
{
    struct ecr_login login = {0};
    struct err err = {0};

    EQ_INT(ecr_login(NULL, "docker.io", &login, &err), -1);
    EQ_STR(err.text, "docker.io is no ECR registry");
    ecr_login_release(&login);
}

TAP_MAIN({"hosts", hosts}, {"not an ECR host", no_host})
