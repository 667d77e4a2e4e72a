/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_ECR_H
#define REGISTRY_ECR_H

/*
 * Amazon ECR: which hosts are its registries, and the login that slipway makes by itself. The one
 * file of this room that sees aws/. Region and endpoint flavour come from the host name, never from
 * the environment.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct ecr_host {
    bool is_public;   /* public.ecr.aws: bearer tokens, anonymous pulls */
    char account[13]; /* twelve digits; empty for public */
    char region[64];  /* "us-east-1" for public */
    bool fips;
    bool dual_stack;
};

/* True when host (lower case, without port) is an ECR registry of any partition; look-alikes are
 * not. */
bool ecr_host_parse(const char *host, struct ecr_host *out);

struct ecr_login {
    char *user;      /* "AWS" */
    char *password;  /* of any size */
    int64_t expires; /* seconds since 1970, as told; may lie in the past (moto says 2015): then use
                        it once, do not cache */
};

void ecr_login_release(struct ecr_login *login);

/*
 * GetAuthorizationToken for the host's region, signed; credentials and endpoint come from the
 * environment. `host` as for ecr_host_parse. ca_file: PEM trusted besides the system's unless
 * AWS_CA_BUNDLE is set; NULL: none. The result is for HTTP Basic at a private registry, and for the
 * Basic of the token request at the public one. Errors name the credential source, or the
 * permission that is missing (ecr:GetAuthorizationToken).
 */
int ecr_login(const char *ca_file, const char *host, struct ecr_login *login, struct err *err);

#endif
