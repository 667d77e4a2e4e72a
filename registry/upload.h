/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_UPLOAD_H
#define REGISTRY_UPLOAD_H

/*
 * One blob from the store to a registry (distribution spec, "Pushing blobs"): HEAD; mounted from
 * another repository of that registry when one is known to hold it; else POST and one PUT of it
 * all. Where the line breaks it goes on in the same session as far as the registry has it, in parts
 * from then on; where it cannot, in a new session, after a look whether the blob arrived after all.
 * The store notes where an upload stands (registry/upload_journal), so that the next process goes
 * on with what a killed one began.
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

#endif
