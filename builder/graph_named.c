/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/alloc.h"
#include "builder/graph.h"

bool graph_named(const struct graph *graph, const char *name, struct stage_source *source)
{
    ssize_t index = named_find(graph->contexts, name);
    const struct named_context *c = index < 0 ? NULL : &graph->contexts->items[index];

    if (!c)
        return false;
    source->named = (size_t)index;
    source->kind = c->kind == NAMED_DIR || c->kind == NAMED_FETCHED ? SOURCE_NAMED
                   : strcmp(c->value, "scratch") == 0               ? SOURCE_SCRATCH
                                                                    : SOURCE_IMAGE;
    if (source->kind == SOURCE_IMAGE)
        source->image = xstrdup(c->value);
    return true;
}
