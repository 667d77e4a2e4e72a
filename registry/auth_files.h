/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_AUTH_FILES_H
#define REGISTRY_AUTH_FILES_H

/*
 * Logins as docker and the containers tools keep them, for auth_lookup.c and auth_store.c
 * (docker/cli "config.json", containers-auth.json(5), docker-credential-helpers protocol).
 */
#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/strv.h"
#include "registry/auth.h"

#define AUTH_FILE_MAX (4 << 20)
#define AUTH_DOCKER_KEY "https://index.docker.io/v1/" /* Docker Hub's name in these files */

/* The host a key stands for: scheme and path dropped, Docker Hub's names made "docker.io". Lower
 * case. Pure. */
void auth_key_host(struct str key, struct buf *out);
/* The key under which a registry is kept. Borrowed from registry or static. */
const char *auth_registry_key(const char *registry);
/* One entry of "auths": 1 a login, 0 an empty one, -1 it makes no sense. source is left alone.
 * Pure. */
int auth_entry_read(json_t *entry, struct auth_login *out, struct err *err);
/* The helper a config document names for the registry, or NULL; borrowed. is_own: by credHelpers.
 * Pure. */
const char *auth_helper_of(json_t *doc, const char *registry, bool *is_own);

/* 1 read, 0 there is none, -1 it is broken. */
int auth_file_read(const char *path, json_t **doc, struct err *err);

/* docker-credential-NAME get|store|erase. get: 1 found, 0 none; store, erase: 1 done. -1: err.code
 * is ENOENT when there is no such program. */
int auth_helper_get(const char *helper, const char *registry, struct auth_login *out,
                    struct err *err);
int auth_helper_store(const char *helper, const char *registry, const char *user,
                      const char *password, struct err *err);
int auth_helper_erase(const char *helper, const char *registry, struct err *err);

#endif
