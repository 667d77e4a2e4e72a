/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_REFUSAL_H
#define REGISTRY_REFUSAL_H

/*
 * A registry's "no" in words. Bodies are {"errors":[{"code","message","detail"}]} (distribution
 * spec, "Error Codes"), other JSON, XML (S3 behind ECR), HTML (proxies), text or nothing; all are
 * foreign: cut, escaped, and the query of any URL in them (presigned ones carry a signature) taken
 * out. Pure.
 */
#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"

#define REFUSAL_TEXT_MAX 300 /* ours: what fits a line that a person reads */

struct refusal {
    char *code;    /* "NAME_UNKNOWN"; NULL when the body gave none */
    char *message; /* NULL when there was none */
};

void refusal_release(struct refusal *r);
/* Never fails: a body that makes no sense gives less. */
void refusal_parse(struct str body, const char *content_type, struct refusal *out);
bool refusal_is(const struct refusal *r, const char *code);

/* What was asked of whom. All borrowed. */
struct refusal_request {
    const char *method;
    const char *host; /* "docker.io" */
    const char *
        storage; /* the other host that host sent us to, and that answered; NULL: host itself did */
    const char *repository; /* "library/web" */
    const char *path;       /* "manifests/1", "blobs/sha256:…", "blobs/uploads/" */
    bool push;
    bool authorized; /* a login was sent */
    const char
        *ecr_region; /* set when host is an ECR registry, "" for the public one; NULL: not ECR */
    const char *retry_after; /* the header; NULL: none */
    unsigned attempts;
};

/* ERR_REMOTE, code = status: "host answered 403 DENIED: message; what to do". Returns -1. */
int refusal_explain(const struct refusal_request *request, int status,
                    const struct refusal *refusal, struct err *err);

#endif
