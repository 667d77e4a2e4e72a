/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_CA_BUNDLE_H
#define BUILDER_CA_BUNDLE_H

/*
 * Certificate authorities that the commands of a build may trust and its images never see
 * (--ca-bundle): a site behind a TLS-inspecting proxy needs them.
 *
 * Programs find authorities in two ways, and both are served:
 *
 *   variables    SSL_CERT_FILE and its like lead to a file in the sandbox's own /dev: the image's
 *                bundle, else this host's, and ours. A variable that is set already stays.
 *   the files    bundles that the image has (/etc/ssl/certs/ca-certificates.crt …) get ours at
 *                their end before the command, and lose them after it.
 *
 * The files are not covered by mounts: update-ca-certificates, apk and rpm replace a bundle by
 * rename, which a mount point does not allow. What they write comes from the image's own sources,
 * so it is what it would have been. A file that still has our part loses it, and is then the file
 * of before: no layer holds it (builder/sieve.h). What a command copied elsewhere is found by the
 * mark, a line before our part with a number that no other run has: the step fails.
 *
 * No part of this is in a cache key: with another bundle a step is remembered all the same.
 */
#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "base/buf.h"
#include "base/err.h"

struct plan;

#define CA_BUNDLE_HOST "host" /* in place of a file: this host's own */
#define CA_BUNDLE_MAX (4u << 20)
#define CA_BUNDLE_PLACES 7

/* All zero: there is none, and the calls below do nothing. */
struct ca_bundle {
    struct buf own;  /* PEM; what was asked for */
    struct buf host; /* PEM of this host, for images that have none; may be empty */
    bool is_host;    /* own is host */
    char mark[48];   /* in the line before own, wherever it is put */
};

void ca_bundle_release(struct ca_bundle *b);
/*
 * source: a file, or "host". ERR_USAGE with the reason when it cannot be read or has no
 * certificates; warns of those that are out of date.
 */
int ca_bundle_open(const char *source, struct ca_bundle *b, struct err *err);
static inline bool ca_bundle_is_empty(const struct ca_bundle *b)
{
    return !b || !b->own.size;
}

/* What was put into one sandbox's root. */
struct ca_use {
    struct ca_place {
        char *path;
        int fd; /* the file as it was; it may have lost its name since */
    } items[CA_BUNDLE_PLACES];
    size_t count;
};
void ca_use_release(struct ca_use *use);

/* Into the root and the plan (variables, files in /dev); the root may be written to and no process
 * lives in it. b: NULL is none. */
int ca_bundle_put(const struct ca_bundle *b, int root_fd, struct plan *plan, struct ca_use *use,
                  struct err *err);
/* When none of the sandbox's processes lives any more: out of all files that it was put in. */
int ca_bundle_take(const struct ca_bundle *b, int root_fd, struct ca_use *use, struct err *err);

/* Pure. The file with our part at its end; and without it: false when it is not there. */
void ca_bundle_join(const struct ca_bundle *b, struct buf *bundle);
bool ca_bundle_cut(const struct ca_bundle *b, struct buf *bundle);

#endif
