/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_UPLOAD_H
#define REGISTRY_UPLOAD_H

/*
 * One blob from the store to a registry (distribution spec, "Pushing blobs"): HEAD; mounted from
 * another repository of that registry when one is known to hold it; else POST and one PUT of it
 * all. Each restart is a new session, after a look whether the blob arrived after all.
 */
#include <stdatomic.h>
#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"

struct remote;
struct remote_place;
struct layout;
struct descriptor;
struct push_blob;

/* Where to, and how; all borrowed. */
struct upload_way {
    struct remote *remote;
    const struct layout *layout;
    const struct remote_place *place;
    bool no_repository; /* the registry said before that it does not know the repository; then a
                           refused or cut POST is told as that */
    bool early;         /* another try will come: a failure is not shown as one */
    const atomic_bool *stop; /* true: given up soon; NULL: none */
};

/* record is filled also on failure. */
int upload_blob(const struct upload_way *way, const struct descriptor *blob,
                struct push_blob *record, struct err *err);

/* The URL of the PUT that ends an upload: location byte for byte, "digest=" after its "?", "&" or
 * neither. For free(). Pure. */
char *upload_put_url(const char *location, const char *digest);

#endif
