/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_REFERENCE_H
#define REGISTRY_REFERENCE_H

/*
 * Image names: [host[:port]/]path[:tag][@digest] (distribution/reference grammar;
 * reference/registry.md §1.1). A parsed reference is always normalised: "web" is
 * docker.io/library/web:latest. The first component is a host when it has a "." or ":", is
 * "localhost" or has an upper-case letter; index.docker.io is docker.io. Without tag and digest the
 * tag is "latest"; with a digest there is a tag only if it was written. Pure.
 */
#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#define REFERENCE_PATH_MAX 255 /* distribution/reference, RepositoryNameTotalLengthMax */
#define REFERENCE_TAG_MAX 128

struct reference {
    char *host;   /* "docker.io", "localhost:5000", "[::1]:5000" */
    char *path;   /* "library/web" */
    char *tag;    /* NULL when only a digest was given */
    char *digest; /* "sha256:…" or NULL; wins over the tag, which is then for display only */
};

void reference_release(struct reference *ref);
void reference_copy(struct reference *to, const struct reference *from); /* to is empty */
/* ERR_USAGE, text: `image name "x:y:z": what is wrong`. out is empty on failure. */
int reference_parse(const char *text, struct reference *out, struct err *err);
bool reference_eq(const struct reference *a, const struct reference *b);

/* All three give a new string for free(). */
char *
reference_name(const struct reference *ref); /* full: "docker.io/library/web:1", "h/p:t@sha256:…" */
char *reference_familiar(const struct reference *ref);   /* short: "web:1" */
char *reference_repository(const struct reference *ref); /* "docker.io/library/web" */
/* Where the registry's API lives: "registry-1.docker.io" for docker.io, else the host. Borrowed. */
const char *reference_api_host(const struct reference *ref);

/* The parts of the grammar, for those who take them alone. */
bool reference_path_valid(struct str path);
bool reference_host_valid(struct str host); /* with its port */

#endif
