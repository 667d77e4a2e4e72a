/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DEPLOY_IMAGE_H
#define DEPLOY_IMAGE_H

/* An image as deployment needs it: asked at its registry once, then known by digest, with its
 * platform. */
#include <stdint.h>

#include "base/err.h"
#include "registry/platform.h"
#include "registry/reference.h"

struct remote;

struct deploy_image {
    struct reference ref;     /* as given; ref.digest is filled in */
    char *uri;                /* "repository@sha256:…": what the task definition gets */
    struct platform platform; /* of the image, or of the index's entry that fits */
    uint64_t size;            /* config and layers, compressed; 0: an index */
};

void deploy_image_release(struct deploy_image *image);
/*
 * Fetches the manifest (by digest when there is one, else by tag), pins it, and finds out its
 * platform: an index's entry for `want`, else the config's. An image by tag is told once which
 * digest it is now (debug line). ERR_INPUT when an index has nothing for `want`: the text lists
 * what it has.
 */
int deploy_image_resolve(struct remote *remote, const char *text, const struct platform *want,
                         struct deploy_image *image, struct err *err);

#endif
