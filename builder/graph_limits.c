/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/graph_limits.h"

#include <errno.h>
#include <inttypes.h>

#include "base/alloc.h"
#include "base/scope.h"

static int passed(struct dockerfile *doc, const struct stage *s, struct err *err)
{
    doc->failed = (struct span){s->from->first_line, s->from->last_line};
    return dockerfile_wrap(doc, s->from->first_line, err);
}

int graph_check_count(const struct graph *graph, struct dockerfile *doc, struct err *err)
{
    if (graph->count <= GRAPH_STAGES_MAX)
        return 0;
    err_set(err, ERR_INPUT, E2BIG, "more than %d stages", GRAPH_STAGES_MAX);
    return passed(doc, &graph->stages[GRAPH_STAGES_MAX], err);
}

int graph_check_inherited(const struct graph *graph, struct dockerfile *doc, struct err *err)
{
    AUTO_FREE uint64_t *lines = xcalloc(graph->count + 1, sizeof(*lines));
    uint64_t sum = 0;

    for (size_t i = 0; i < graph->count; i++) {
        const struct stage *s = &graph->stages[i];
        uint64_t below = s->base.kind == SOURCE_STAGE ? lines[s->base.stage] : 0;

        lines[i] = below + s->count;
        sum += below;
        if (sum <= GRAPH_INHERITED_MAX)
            continue;
        err_set(err, ERR_INPUT, E2BIG,
                "too many stages, each FROM the one before: up to here they inherit %" PRIu64
                " instructions, and at most %d are supported",
                sum, GRAPH_INHERITED_MAX);
        return passed(doc, s, err);
    }
    return 0;
}
