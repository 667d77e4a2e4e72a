/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_REMOTE_H
#define REGISTRY_REMOTE_H

/*
 * Registries as this run sees them: one http door, the logins, and which servers stand in for which
 * host. One struct remote serves any number of threads.
 *
 * A *place* is one repository on one server. A reference has one or more: its mirrors in the order
 * given, then its origin. Mirrors are for pulling only. `base` is the server's URL
 * ("https://registry-1.docker.io", no slash at its end), `host` the name whose credentials are used
 * (a mirror's own). Scheme: https, but for a host that is loopback or named insecure https is tried
 * first, then http, once per run. An endpoint ("HOST=URL") changes only where we connect: name, TLS
 * and login stay HOST's.
 *
 * remote_send() has the login made and sent (registry/auth); what goes to another host than the
 * place's own (an upload's Location at a storage service) goes without. A reply of any status is
 * success; remote_refused() puts it in words.
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/http.h"
#include "base/strv.h"

struct auth;      /* registry/auth.h */
struct reference; /* registry/reference.h */

struct remote_settings {
    struct strv mirrors;   /* "HOST=URL" */
    struct strv endpoints; /* "HOST=URL" */
    struct strv insecure;  /* "HOST[:PORT]" */
    char *ca_file;         /* PEM bundle, beside the system's; NULL: none */
};

struct remote;

struct remote_place {
    char *base;       /* "https://registry-1.docker.io", "http://127.0.0.1:5000/prefix" */
    char *host;       /* "docker.io", "127.0.0.1:5000" */
    char *repository; /* "library/node" */
    bool is_mirror;
};

struct remote_places {
    struct remote_place *items;
    size_t count;
};

struct remote_call {
    const struct remote_place *place;
    const char *path;         /* below /v2/<repository>/: "manifests/alpine"; or … */
    const char *url;          /* … a whole URL: an upload's Location */
    bool push;                /* wants leave to push, not only to pull */
    const char *mount_from;   /* wants leave to pull from this repository too; NULL: none */
    struct http_request http; /* url and authorization are filled in by remote_send() */
};

/* A manifest as it came: raw bytes, whose SHA-256 is `digest`. */
struct remote_manifest {
    struct buf bytes;
    char *media_type; /* from Content-Type, parameters dropped; NULL: none was sent */
    char digest[DIGEST_SIZE];
    size_t place; /* which of the places gave it */
};

void remote_settings_release(struct remote_settings *settings);

/* settings are copied; NULL: none. */
struct remote *remote_open(const struct remote_settings *settings, struct err *err);
void remote_free(struct remote *remote);
void remote_drop(struct remote **remote);        /* the same, for SCOPED() */
struct http *remote_http(struct remote *remote); /* borrowed: for calls that are no registry's */
/* What the settings say of TLS, for programs that speak for themselves: the bundle, or NULL; may
 * this "host[:port]" be unverified? */
const char *remote_ca_file(const struct remote *remote); /* borrowed */
bool remote_is_insecure(const struct remote *remote, const char *host);
struct auth *remote_auth(struct remote *remote); /* borrowed: the logins */
bool remote_is_ecr(const struct remote_place *place);

/* Where to pull ref from (mirrors, origin) or, when push, where to push it to (the origin alone).
 */
int remote_find(struct remote *remote, const struct reference *ref, bool push,
                struct remote_places *places, struct err *err);
void remote_places_release(struct remote_places *places);

int remote_send(struct remote *remote, const struct remote_call *call, struct http_reply *reply,
                struct err *err);
/* ERR_REMOTE with the status as code: what was wanted, what the registry said, what to do. -1. */
int remote_refused(struct remote *remote, const struct remote_call *call,
                   const struct http_reply *reply, struct err *err);
/* The same for a repository known to be missing, whatever became of the call. */
int remote_no_repository(const struct remote_call *call, struct err *err);

/*
 * GETs a manifest by tag or digest from the first place that has it: 1; 0 when no place has it (err
 * is set then too: ERR_REMOTE, 404); -1 for every other failure. digest NULL: by tag; else what the
 * bytes must hash to, and tag is not looked at.
 */
int remote_fetch_manifest(struct remote *remote, const struct remote_places *places,
                          const char *tag, const char *digest, struct remote_manifest *manifest,
                          struct err *err);
/* The same from one place: also 0 for a repository that is not there, which *no_repository (may be
 * NULL) tells. stop: see struct http_request. */
int remote_get_manifest(struct remote *remote, const struct remote_place *place, bool push,
                        const char *tag, const char *digest, const atomic_bool *stop,
                        struct remote_manifest *manifest, bool *no_repository, struct err *err);
void remote_manifest_release(struct remote_manifest *manifest);

#endif
