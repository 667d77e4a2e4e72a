/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_COMMIT_H
#define BUILDER_COMMIT_H

/*
 * A finished stage as an image in the store: its layers in the codec that is wanted, config and
 * manifest; and several of them as an index. Nothing gets a name here.
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/strv.h"
#include "builder/compress.h"
#include "builder/output_spec.h"
#include "builder/stack.h"
#include "registry/config.h"
#include "registry/descriptor.h"
#include "registry/platform.h"

struct layout;
struct pool;

/* All borrowed. */
struct commit_input {
    const json_t *config; /* whole image config; stays as it is */
    struct stack *stack;
    const struct platform *platform;
    const char *created;       /* RFC 3339; NULL or "": the image has no date */
    const struct strv *labels; /* "name=value", they win over the config's; NULL: none */
    json_t *cache;             /* records of its steps, for its config; NULL: none */
};

struct commit_options {
    enum codec codec;                      /* of the layers that the build made */
    int level;                             /* 0: the codec's default */
    bool force;                            /* base layers too */
    bool docker_types;                     /* Docker's media types instead of OCI's */
    const struct annotations *annotations; /* borrowed; NULL: none */
};
#define COMMIT_OPTIONS_DEFAULT ((struct commit_options){.codec = CODEC_GZIP})

/* What an output wants; annotations are borrowed from it. */
struct commit_options commit_options_of(const struct output_spec *spec);
/* Will the layer be compressed again? From any thread. */
bool commit_recodes(const struct layout *layout, const struct stack_layer *layer,
                    const struct commit_options *options);

struct commit {
    struct descriptor descriptor;    /* of the manifest, with platform; of an index, without */
    char config_digest[DIGEST_SIZE]; /* "" for an index */
    char created[CLOCK_TEXT_SIZE];   /* of the image; "" when it has no date */
};

int commit_image(struct layout *layout, struct pool *pool, const struct commit_input *in,
                 const struct commit_options *options, struct commit *out, struct err *err);
/* An index of manifests that are in the store. */
int commit_index(struct layout *layout, const struct commit *images, size_t count,
                 const struct commit_options *options, struct commit *out, struct err *err);
/* Fetches what an image or index in the store names and the store lacks, in parallel. */
int commit_complete(struct layout *layout, const struct descriptor *image, struct err *err);
/* It lacks nothing. */
bool commit_is_whole(struct layout *layout, const struct descriptor *image);
void commit_release(struct commit *commit);

#endif
