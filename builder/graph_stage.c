/* SPDX-License-Identifier: Apache-2.0 */
/* Questions about one stage. */
#include <stdio.h>

#include "builder/graph.h"

const struct stage_source *graph_source(const struct stage *stage, const struct instruction *in)
{
    for (size_t i = 0; i < stage->count; i++)
        if (stage->body[i] == in)
            return &stage->sources[i];
    BUG_ON(true);
    return NULL;
}

const struct stage_source *graph_mount_source(const struct stage *stage,
                                              const struct instruction *in, size_t flag)
{
    static const struct stage_source context = {.kind = SOURCE_CONTEXT};

    for (size_t i = 0; i < stage->mounts_count; i++)
        if (stage->mounts[i].in == in && stage->mounts[i].flag == flag)
            return &stage->mounts[i].source;
    return &context;
}

const char *graph_stage_label(const struct stage *stage, char out[static 32])
{
    if (stage->name)
        snprintf(out, 32, "stage %s", stage->name);
    else
        snprintf(out, 32, "stage %zu", stage->index);
    return out;
}
