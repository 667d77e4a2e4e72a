/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_AUTH_H
#define REGISTRY_AUTH_H

/*
 * Who we are to a registry. auth_send() is http_send() with that answered: it finds the stored
 * login, sends what the host is known to want, and on a refusal does what the challenge asks, once:
 * Basic, or a bearer token fetched for the scope. Tokens are kept until they run out, per (host,
 * realm, service, scope). Any number of threads may call it.
 *
 * Logins are looked for in (first found wins): auth_set(), $DOCKER_AUTH_CONFIG (JSON), then only
 * $REGISTRY_AUTH_FILE if that is set, else $DOCKER_CONFIG/config.json or ~/.docker/config.json,
 * $XDG_RUNTIME_DIR/containers/auth.json, $XDG_CONFIG_HOME/containers/auth.json; for ECR hosts,
 * last, the AWS credential chain (registry/ecr.h). Within a file credHelpers beats credsStore beats
 * auths. A stored ECR login that the host refuses gives way to the AWS chain.
 *
 * Guards: a token realm must be https when the registry is, may not be an IP literal of a private
 * network unless it is the registry's own host, and its redirects are held to the same. Credentials
 * go to the registry and its realm only.
 */
#include <stdbool.h>

#include "base/err.h"
#include "base/http.h"

struct auth;

struct auth_login {
    char *user, *password;
    char *identity_token; /* for the token service (OAuth refresh token) */
    char *registry_token; /* sent as Bearer, as it is */
    char *source;         /* where it came from, for messages: a path, "docker-credential-x", "AWS
                             credentials" */
};

/* http is borrowed. ca_file: for the AWS calls of ECR logins, PEM trusted besides the system's;
 * NULL: none. */
struct auth *auth_open(struct http *http, const char *ca_file);
void auth_free(struct auth *auth);
/* A login given; beats all stored ones. user NULL: anonymous, stored logins are not looked at.
 * source, for messages: NULL is "the command line". */
void auth_set(struct auth *auth, const char *registry, const char *user, const char *password,
              const char *source);
/*
 * Sends the request, whose URL is on the registry's own host (or a mirror's: then that host is
 * `registry`), with what authorization it takes. registry: as in a reference, "docker.io",
 * "host[:port]". scope: space-separated, the one that matters first:
 * "repository:library/node:pull"; NULL: none ("/v2/"). request->authorization is ours to set. A
 * refusal (401, 403) that remains is a reply like any other: see auth_explain(). -1: no reply, or
 * the token service refused us, or a login could not be had (a helper failed, AWS said no).
 */
int auth_send(struct auth *auth, const char *registry, const char *scope,
              const struct http_request *request, struct http_reply *reply, struct err *err);
/* For a 401 or 403: who was refused, where that login came from, what to do. ERR_REMOTE; returns
 * -1. */
int auth_explain(struct auth *auth, const char *registry, const struct http_reply *reply,
                 struct err *err);

/*
 * The login for a registry and, in containers-auth.json, for a repository path below it (NULL:
 * none). 1 found, 0 none, -1 a file or helper is broken. Does not ask AWS.
 */
int auth_lookup(const char *registry, const char *path, struct auth_login *out, struct err *err);
void auth_login_release(struct auth_login *login);

/*
 * For `login` and `logout`: to the credential helper that docker's config.json names for the
 * registry, else into that file's auths (replaced whole, unknown members kept, mode 0600). where:
 * what took it, for free(). auth_erase: 1 there was one, 0 none.
 */
int auth_store(const char *registry, const char *user, const char *password, char **where,
               struct err *err);
int auth_erase(const char *registry, char **where, struct err *err);

#endif
