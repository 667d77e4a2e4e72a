/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DEPLOY_ARTIFACTS_H
#define DEPLOY_ARTIFACTS_H

/* The files CodePipeline's ECS actions read (CodePipeline User Guide, "Image definitions file
 * reference"). Pure. */
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct artifact_image {
    const char *name; /* container */
    const char *uri;  /* "repo@sha256:…" */
};

/* imagedefinitions.json, for the ECS standard action: [{"name":…,"imageUri":…}]. */
void artifact_imagedefinitions(const struct artifact_image *images, size_t count, struct buf *out);

struct artifact_detail {
    const char *uri; /* by digest */
    const char *digest;
    const char *registry;   /* account; NULL: not an ECR image */
    const char *repository; /* NULL: leave out */
    const char *tag;        /* NULL: none */
    uint64_t size;          /* 0: not known */
    int64_t pushed;         /* seconds since 1970; 0: not known */
};

/* imageDetail.json, for the ECS blue/green action, in the full form that the ECR source action
 * writes. */
void artifact_image_detail(const struct artifact_detail *detail, struct buf *out);

#endif
