/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_CA_BUNDLE_H
#define BUILDER_CA_BUNDLE_H

/*
 * --ca-bundle: certificates of authorities that RUN steps trust during this build and that are in
 * no image: a proxy that looks into TLS has one of its own.
 *
 *   a file        image's bundle (or this host's) and ours, mounted at CA_BUNDLE_TARGET; variables
 *                 that programs know (SSL_CERT_FILE …) name it, where the step has none of its own
 *   the image's   bundles that exist hold ours too while the step runs, between two marks. After
 *                 it, what stands between the marks goes again: a bundle that the step did not
 *                 touch is as it was, one that it wrote anew (update-ca-certificates) is its own.
 *
 * No mount covers the bundles, because a step could not replace them then.
 */
#include <stddef.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/err.h"

struct plan;

#define CA_BUNDLE_TARGET "/run/slipway-ca-bundle.crt"
#define CA_BUNDLE_PLACES_MAX 8

struct ca_bundle {
    struct buf extra; /* with its marks; empty: nothing is asked for */
    struct buf host;  /* this host's own; may be empty */
};

/* "host", or a file of certificates (PEM). ERR_USAGE. */
int ca_bundle_read(struct ca_bundle *bundle, const char *what, struct err *err);
void ca_bundle_release(struct ca_bundle *bundle);

/* What was done to one root. */
struct ca_change {
    struct ca_place {
        const char *path;
        struct buf before;
        struct stat st;
    } places[CA_BUNDLE_PLACES_MAX];
    size_t count;
    size_t mount; /* in the plan */
};

/* Each does nothing when nothing is asked for. Before the root is there: the mount. */
void ca_bundle_plan(const struct ca_bundle *bundle, struct ca_change *change, struct plan *plan);
/* Into the root's bundles and the mount. */
int ca_bundle_put(const struct ca_bundle *bundle, struct ca_change *change, int root_fd,
                  struct plan *plan, struct err *err);
/* Out of them again, before the layer is made. */
int ca_bundle_take(const struct ca_bundle *bundle, struct ca_change *change, int root_fd,
                   struct err *err);
void ca_change_release(struct ca_change *change);

#endif
