/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_LOGIN_H
#define CLI_LOGIN_H

/* What login and logout share: the registry they mean, and whether it takes a login. */
#include <stdbool.h>

#include "base/err.h"

struct remote;

struct login_place {
    char *host;  /* as in a reference: "docker.io", "host[:port]" */
    bool is_ecr; /* of Amazon, where AWS credentials make the login */
};

void login_place_release(struct login_place *place);
/* "registry.example", "https://registry.example/v2/"; NULL: Docker Hub. */
int login_place_parse(const char *text, struct login_place *place, struct err *err);
/* Asks for /v2/. 1: the registry took the login, 0: it asks for none, -1: it refused, or is none.
 * source: as for auth_set(). */
int login_check(struct remote *remote, const struct login_place *place, const char *user,
                const char *password, const char *source, struct err *err);

#endif
