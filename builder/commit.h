/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_COMMIT_H
#define BUILDER_COMMIT_H

/*
 * A finished stage as an image in the store: config and manifest beside the layers that are there
 * already. Nothing gets a name here.
 */
#include "base/err.h"
#include "base/hash.h"
#include "base/strv.h"
#include "builder/stack.h"
#include "registry/config.h"
#include "registry/descriptor.h"
#include "registry/platform.h"

struct layout;

/* All borrowed. */
struct commit_input {
    const json_t *config; /* whole image config; stays as it is */
    const struct stack *stack;
    const struct platform *platform;
    const char *created;       /* RFC 3339; NULL or "": the image has no date */
    const struct strv *labels; /* "name=value", they win over the config's; NULL: none */
};

struct commit {
    struct descriptor descriptor; /* of the manifest, with platform */
    char config_digest[DIGEST_SIZE];
};

int commit_image(const struct layout *layout, const struct commit_input *in, struct commit *out,
                 struct err *err);
void commit_release(struct commit *commit);

#endif
