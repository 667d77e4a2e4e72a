/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_OUTPUTS_H
#define BUILDER_OUTPUTS_H

/*
 * Finished stages to all that --output asks for, in one go: images are committed, archives written
 * beside their places and images pushed first; only when all of that succeeded do archives and
 * names appear, and files go to directories.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/strv.h"
#include "builder/commit.h"
#include "builder/output_spec.h"
#include "registry/reference.h"

struct early_push;
struct layout;
struct pool;
struct remote;

/* All borrowed. */
struct outputs {
    const struct output_spec *specs; /* none: nothing is written */
    size_t count;
    const struct strv *keep; /* directories that mode=delete must leave alone; NULL: none */
    bool owners;             /* directories: see struct export_options */
    bool has_epoch;          /* SOURCE_DATE_EPOCH */
    int64_t epoch;
    bool multi_platform; /* an index for one platform too */
    struct layout *layout;
    struct pool *pool;
    struct remote *remote;
    struct early_push *early; /* for those that push; only outputs_write needs it */
};

/* Names for the images of one target whose output has none of its own. */
struct outputs_names {
    struct reference *refs;
    size_t count;
};

/* All borrowed. With several targets, type=local makes a directory for each, and archives are
 * refused. */
struct outputs_target {
    const char *name; /* of the stage; NULL: there is one target only */
    const struct outputs_names *names;
    const struct commit_input *images; /* one for each platform */
    size_t count;                      /* 0: not made yet */
};

/* Of one target. */
struct outputs_result {
    bool has_image; /* an output is an image; of the first such: */
    struct commit image;
    struct strv names;  /* full names that images were given, each once */
    struct strv pushed; /* "repository@digest" */
};

/* Before the build: what cannot come to a good end. ERR_USAGE, ERR_INPUT. */
int outputs_check(const struct outputs *outputs, const struct outputs_target *targets, size_t count,
                  struct err *err);
/* results: one for each target, empty. */
int outputs_write(const struct outputs *outputs, const struct outputs_target *targets, size_t count,
                  struct outputs_result *results, struct err *err);
void outputs_result_release(struct outputs_result *result);
/* The codec that steps should write their layers in, so that the fewest are converted. */
enum codec outputs_codec(const struct output_spec *specs, size_t count);

#endif
