/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_BUILD_H
#define BUILDER_BUILD_H

/*
 * A Dockerfile and its context to an image in the store: plan, run, commit.
 *
 * The caller opens what the build works with and keeps it open: the store, the session (entered
 * before any thread), the pool, the registries. Nothing is tagged unless all of the build
 * succeeded.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/strv.h"
#include "builder/outputs.h"
#include "registry/platform.h"
#include "registry/reference.h"

struct cache_spec;
struct contexts;
struct layout;
struct named_contexts;
struct run_options;
struct pool;
struct remote;
struct session;
struct sources;

struct build_options {
    const char *context;                /* see builder/contexts.h */
    const char *dockerfile;             /* as given; NULL: the context's own */
    int input_fd;                       /* standard input, for "-" */
    const struct named_contexts *named; /* --build-context; NULL: none */
    const struct strv *targets;         /* stage names or indexes; NULL or empty: the last stage */
    const struct strv *build_args;      /* "NAME=value" */
    const struct strv *labels;          /* "name=value", they win over LABEL */
    const struct platform *platforms;   /* what is to come out, at least one */
    size_t platforms_count;
    unsigned jobs; /* stages that are made at once; 0: as many as the pool has threads */
    const struct outputs_names *names; /* one for each target; for one when there are none */
    const struct output_spec *outputs; /* what is to come of it */
    size_t outputs_count;
    const struct cache_spec *cache_from, *cache_to; /* builder/cache_import.h, cache_export.h */
    size_t cache_from_count, cache_to_count;
    const struct strv *no_cache_filter; /* names or indexes of stages; NULL: none */
    bool no_cache;                      /* steps are carried out even when they are remembered */
    const struct run_options *run;      /* what RUN may and gets */
    bool explain;                       /* say why steps were remembered or not */
    bool strict_platform;               /* builder/crossing.h */
    bool pull; /* ask the registry for base images even when the store has them */
};

struct build_tools {
    struct layout *layout;
    struct session *session;
    struct pool *pool;
    struct remote *remote;
};

struct build_result {
    struct outputs_result *outputs; /* one for each target */
    size_t outputs_count;
    size_t steps, cached; /* steps that make layers; how many were remembered */
    /* After a failure, when they are known: the lines of the Dockerfile, and the last output of the
     * step. */
    struct buf excerpt;
    struct buf output;
    struct buf explanation;    /* with options.explain, whatever came of the build */
    struct strv warnings;      /* of the build checks, ready to print; after a failure too */
    json_t *warnings_metadata; /* the same for --metadata-file; NULL: none */
};

/* What a build fetches with, and its contexts (builder/sources.h, builder/contexts.h): for those
 * who ask about a Dockerfile, too. */
struct sources *build_open_sources(const struct build_options *options,
                                   const struct build_tools *tools, bool commit_time);
struct contexts *build_open_contexts(const struct build_options *options, struct layout *layout,
                                     struct sources *sources, struct buf *dockerfile, char **name,
                                     struct err *err);
int build_run(const struct build_options *options, const struct build_tools *tools,
              struct build_result *result, struct err *err);
void build_result_release(struct build_result *result);

#endif
