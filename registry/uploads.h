/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_UPLOADS_H
#define REGISTRY_UPLOADS_H

/*
 * The blobs of images on their way to one repository, each once, in parallel on a pool.
 *
 * They may begin before the manifest that names them is known (a build whose layers go while it
 * runs); nobody waits for those, and what fails of them is a debug line: it begins again when the
 * image is pushed through here, and then its failure counts. No tag and no manifest is touched
 * here.
 *
 *     struct uploads *u = uploads_open(remote, layout, pool, target);
 *     uploads_begin(u, layer);  …                  at any time, from any thread
 *     push_through(u, image, …)                    waits for them, does the rest
 *     uploads_close(u);                            what is still under way is called off
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct descriptor;
struct layout;
struct pool;
struct push_blob;
struct reference;
struct remote;
struct remote_place;
struct uploads;

/* remote, layout and pool are borrowed, target is copied. Asks nobody yet. */
struct uploads *uploads_open(struct remote *remote, struct layout *layout, struct pool *pool,
                             const struct reference *target);
/* Within a second or so; NULL is fine. Sessions that were begun are left for the registry to purge.
 */
void uploads_close(struct uploads *u);
/* Is this the repository of ref? */
bool uploads_lead_to(const struct uploads *u, const struct reference *ref);
/* One blob begins, unless it did before. Foreign layers stay where their `urls` say. Copied. */
void uploads_begin(struct uploads *u, const struct descriptor *blob);

/*
 * For registry/push. uploads_ask: what a tag (or digest) names now: 1 this digest, 0 not, -1. It
 * settles place, login and scope before blobs go in parallel, and tells a missing repository apart,
 * which ECR shows at uploads only by hanging up.
 */
int uploads_ask(struct uploads *u, const char *name, const char *digest, struct err *err);
/* All of these are there, or the first failure; records: one for each, empty or of a call before.
 * After uploads_ask. */
int uploads_finish(struct uploads *u, const struct descriptor *const *blobs, size_t count,
                   struct push_blob *records, struct err *err);
/*
 * The registry refused the manifest, and blobs went long before it: it may have swept away what no
 * manifest named. 1: looked after all blobs again, and some had to go again; 0: nothing went early,
 * or all is there; -1.
 */
int uploads_look_again(struct uploads *u, const struct descriptor *const *blobs, size_t count,
                       struct push_blob *records, struct err *err);
/* Borrowed; the place: after uploads_ask. */
const struct remote_place *uploads_place(const struct uploads *u);
struct remote *uploads_remote(const struct uploads *u);
struct layout *uploads_layout(const struct uploads *u);

#endif
