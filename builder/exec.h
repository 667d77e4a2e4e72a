/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_EXEC_H
#define BUILDER_EXEC_H

/*
 * One instruction against one stage: what it is made of becomes its key; what the key gave before
 * is taken, or the instruction is carried out. Either way the stage grows by at most one layer and
 * its config by one history entry.
 */
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "base/clock.h"
#include "base/err.h"
#include "builder/build.h"
#include "builder/context.h"
#include "builder/graph.h"
#include "builder/parse.h"
#include "builder/stack.h"
#include "builder/state.h"

struct sources;

/* A stage in the making. */
struct making {
    const struct stage *stage; /* borrowed */
    struct state state;
    struct stack stack;
    char created[CLOCK_TEXT_SIZE]; /* when its last layer was made; "" when nothing is known */
    bool begun;
};

/* An image that FROM or COPY --from names, once loaded. */
struct base_image {
    char *name; /* as written */
    struct platform platform;
    struct stack stack;
    json_t *config;
};

struct build {
    const struct build_options *options;
    const struct build_tools *tools;
    struct build_result *result;
    struct dockerfile doc;
    struct graph graph;
    struct making *stages;      /* one for each of graph.stages */
    struct context *context;    /* opened when COPY first needs it */
    struct sources *sources;    /* what is fetched */
    struct base_image **images; /* each on its own: origins keep pointers into them */
    size_t images_count, images_capacity;
    bool has_epoch; /* SOURCE_DATE_EPOCH */
    int64_t epoch;
    size_t number, numbers; /* of the step in its stage, for titles */
    bool forget;            /* the running step's result must not be remembered */
    int shown;              /* the running step, as base/progress knows it */
};

/* Carries out one instruction (not FROM). Errors say where. */
int exec_instruction(struct build *build, struct making *making, const struct instruction *in,
                     struct err *err);
/* Does it count in "[builder 2/5]"? */
bool exec_is_step(const struct instruction *in);
/* The image that `source` names, for `platform`: from the store, else pulled. Borrowed from build.
 * NULL on failure. */
struct base_image *base_image_get(struct build *build, const char *name,
                                  const struct platform *platform, struct err *err);
void base_image_free(struct base_image *image);

#endif
