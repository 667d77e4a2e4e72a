/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_GRAPH_H
#define BUILDER_GRAPH_H

/*
 * The stages of a Dockerfile, what needs what, and what the target can do without. Pure.
 *
 *     SCOPED(graph_release) struct graph graph = {0};
 *     struct graph_options options = {.build_args = &args, .target = NULL, .build =
 * platform_host(), .wanted = platform}; if (graph_make(&doc, &options, &graph, err) < 0) … for
 * (size_t i = 0; i < graph.order_count; i++) build(&graph.stages[graph.order[i]]);
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/strv.h"
#include "builder/named.h"
#include "builder/parse.h"
#include "registry/platform.h"

struct graph_options {
    const struct strv *build_args;         /* "NAME=value", the last of a name counts; NULL: none */
    const char *target;                    /* stage name or index; NULL or "": the last stage */
    struct platform build;                 /* where we run: BUILDPLATFORM … */
    struct platform wanted;                /* what is to come out: TARGETPLATFORM … */
    const struct named_contexts *contexts; /* they come before stages and images; NULL: none */
};

enum source_kind {
    SOURCE_CONTEXT,
    SOURCE_SCRATCH,
    SOURCE_STAGE,
    SOURCE_IMAGE,
    SOURCE_NAMED,
};

struct stage_source {
    enum source_kind kind;
    size_t stage; /* SOURCE_STAGE: index into graph.stages */
    char *image; /* SOURCE_IMAGE: reference as written, variables expanded; or "oci-layout://…" */
    size_t named; /* SOURCE_NAMED: files of graph_options.contexts->items[named] */
    unsigned line;
};

/* Where a RUN --mount with from= reads. */
struct mount_source {
    const struct instruction *in;
    size_t flag; /* in->flags[flag] */
    struct stage_source source;
};

struct stage {
    size_t index;                   /* place in the file */
    const char *name;               /* lower case, borrowed from doc; NULL: none */
    const struct instruction *from; /* its FROM */
    size_t first, end; /* its instructions in the file: doc->instructions[first … end - 1] */
    /* What it carries out, in order, and where each COPY --from reads. At first its instructions in
     * the file; graph_fire() puts the triggers of its base before them. */
    const struct instruction **body;
    struct stage_source *sources;
    size_t count;
    struct dockerfile *triggers; /* owned; NULL: none were fired */
    struct stage_source base;
    struct platform platform; /* of the base image: --platform, else that of the base stage, else
                                 options.wanted */
    bool platform_set;        /* --platform was given */
    struct mount_source *mounts;
    size_t mounts_count, mounts_capacity;
    size_t *needs; /* stages it needs, sorted, each once */
    size_t needs_count;
    bool needed; /* the target needs it (or it is the target) */
};

struct graph {
    const struct dockerfile *doc;          /* borrowed */
    const struct named_contexts *contexts; /* borrowed, may be NULL */
    struct stage *stages;                  /* in the order of the file */
    size_t count;
    size_t target;
    size_t *order; /* the needed stages; each after all it needs */
    size_t order_count;
    struct strv globals;    /* "NAME=value" of platform ARGs and ARGs before the first FROM */
    struct strv build_args; /* those of the options, each name once */
    struct strv unused;     /* names of build args that no ARG consumes: a warning's worth */
};

/* doc must outlive graph. Flags and instructions that are not carried out are refused here, in
 * needed stages only. */
int graph_make(struct dockerfile *doc, const struct graph_options *options, struct graph *graph,
               struct err *err);
void graph_release(struct graph *graph);
/*
 * ONBUILD: puts the triggers of the stage's base ("RUN make", as the image config stores them)
 * before the stage's own instructions. They may read from earlier stages, which are added to
 * `needs`. The errors name the trigger. Only for a stage that nothing has carried out yet; needs no
 * lock against the same for other stages.
 */
int graph_fire(struct graph *graph, struct stage *stage, const struct strv *triggers,
               struct err *err);
/* Where a COPY (or ADD) of the stage's body reads from; borrowed. */
const struct stage_source *graph_source(const struct stage *stage, const struct instruction *in);
/* Where the mount that is in->flags[flag] reads: from= of it, else the context; borrowed. */
const struct stage_source *graph_mount_source(const struct stage *stage,
                                              const struct instruction *in, size_t flag);
/* Fills source when --build-context says what this name is; false: it does not. */
bool graph_named(const struct graph *graph, const char *name, struct stage_source *source);
/* "stage builder" or "stage 2", for messages; borrowed or from out. */
const char *graph_stage_label(const struct stage *stage, char out[static 32]);
/* Predefined proxy variable (HTTP_PROXY …, either case): reaches RUN without ARG, never the cache
 * key or the history. */
bool graph_is_proxy(struct str name);

#endif
