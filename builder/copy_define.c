/* SPDX-License-Identifier: Apache-2.0 */
/* What COPY reads from a context, as one hash. */
#include <stdlib.h>

#include "base/scope.h"
#include "builder/context_tree.h"
#include "builder/copy_planner.h"

int copy_define(const struct copy_request *request, enum context_depth depth, struct sha256 *h,
                struct err *err)
{
    SCOPED(planner_release) struct planner p = {.request = request};

    if (planner_find_sources(&p, err) < 0)
        return -1;
    sha256_add_u64(h, p.matches_count);
    for (size_t i = 0; i < p.matches_count; i++) {
        const struct match *match = &p.matches[i];

        sha256_add_framed(h, str_of(match->name));
        sha256_add_framed(h, str_of(match->file.ref.node->path));
        if (context_tree_hash(match->origin->context, match->file.ref.node, request->pool, depth, h,
                              err) < 0)
            return -1;
    }
    return 0;
}

int copy_list(const struct copy_request *request, struct buf *out, struct err *err)
{
    SCOPED(planner_release) struct planner p = {.request = request};

    if (planner_find_sources(&p, err) < 0)
        return -1;
    for (size_t i = 0; i < p.matches_count; i++)
        if (context_tree_list(p.matches[i].origin->context, p.matches[i].file.ref.node, out, err) <
            0)
            return -1;
    return 0;
}
