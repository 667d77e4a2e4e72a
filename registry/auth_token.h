/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_AUTH_TOKEN_H
#define REGISTRY_AUTH_TOKEN_H

/* The token service of a registry (distribution "Token Authentication", "OAuth2 Token
 * Authentication"), for auth.c. */
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/http.h"
#include "base/str.h"
#include "registry/auth.h"

#define AUTH_TOKEN_MAX                                                                             \
    (64 << 10) /* of the reply; a token is a header, and servers refuse large ones */

struct auth_token_ask {
    const char
        *registry_url; /* of the request that was refused: its scheme and host bound where we go */
    const char *realm;
    const char *service;            /* NULL: none */
    const char *scope;              /* space-separated; NULL or "": none */
    const struct auth_login *login; /* NULL: anonymous */
};

/* A realm, or a redirect of it, that we will send a login to. Pure. */
int auth_realm_check(const char *registry_url, const char *realm, struct err *err);
/* The words of b that a lacks are put after a's, actions of one name merged: "a:pull b:pull" and
 * "a:push" give "a:pull,push b:pull". Pure. */
void auth_scope_merge(struct str a, struct str b, struct buf *out);
/* Whether all that `part` asks is in `whole`. Pure. */
bool auth_scope_covers(struct str whole, struct str part);
/* realm?service=…&scope=…&scope=…&account=user. Pure. */
void auth_token_url(const struct auth_token_ask *ask, struct buf *out);
/* "token" or "access_token", "expires_in". The token is for free(). Pure. */
int auth_token_read(struct str body, char **token, uint64_t *lifetime_s, struct err *err);
/* What a refusal says, code and message; nothing when it says nothing. */
void auth_reply_words(const struct http_reply *reply, struct buf *out);
/* "Basic …" */
void auth_basic(const struct auth_login *login, struct buf *out);

/* The exchange. A service that refuses the login: ERR_REMOTE with its status. */
int auth_token_fetch(struct http *http, const struct auth_token_ask *ask, char **token,
                     uint64_t *lifetime_s, struct err *err);

#endif
