/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_CHALLENGE_H
#define REGISTRY_CHALLENGE_H

/*
 * WWW-Authenticate: what a registry wants to see before it answers (RFC 9110 §11.6.1; distribution
 * "Token Authentication"). Pure. A header may hold several challenges and a reply several headers;
 * schemes that are neither Basic nor Bearer are kept as CHALLENGE_OTHER, so that an error can name
 * them.
 */
#include <stddef.h>

#include "base/err.h"
#include "base/str.h"

enum challenge_scheme { CHALLENGE_OTHER, CHALLENGE_BASIC, CHALLENGE_BEARER };

#define CHALLENGE_MAX 16 /* of one reply; more is an error */

struct challenge {
    enum challenge_scheme scheme;
    char *name;  /* the scheme as sent */
    char *realm; /* NULL when not given, as all below */
    char *service;
    char *scope; /* "repository:a:pull,push repository:b:pull" */
    char *error; /* "insufficient_scope", "invalid_token" */
};

struct challenges {
    struct challenge *items;
    size_t count;
    size_t capacity;
};

/* Appends the challenges of one header value. On failure (ERR_REMOTE) nothing was appended. */
int challenge_parse(struct str value, struct challenges *out, struct err *err);
void challenges_release(struct challenges *list);
/* The first of that scheme, or NULL. */
const struct challenge *challenge_find(const struct challenges *list, enum challenge_scheme scheme);

#endif
