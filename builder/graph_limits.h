/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_GRAPH_LIMITS_H
#define BUILDER_GRAPH_LIMITS_H

/*
 * What a file of DOCKERFILE_MAX bytes could ask for and no memory could hold. Limits of ours: each
 * stage's config is one of its own, with the history of all that it is FROM, so a chain of stages
 * costs the square of its length; stages are found by name in a walk.
 */
#include "base/err.h"
#include "builder/graph.h"

#define GRAPH_STAGES_MAX 20000
#define GRAPH_INHERITED_MAX (1 << 18) /* instructions, over all stages: a chain of some 700 */

/* doc->failed is the FROM with which a limit is passed. */
int graph_check_count(const struct graph *graph, struct dockerfile *doc, struct err *err);
int graph_check_inherited(const struct graph *graph, struct dockerfile *doc, struct err *err);

#endif
