/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/rehearse.h"

#include <string.h>

#include "base/scope.h"
#include "builder/mount.h"
#include "builder/state_words.h"
#include "registry/config.h"

int rehearse_begin(const struct rehearsal *rehearsal, struct stage *stage,
                   const struct rehearsed *before, struct rehearsed *out, struct err *err)
{
    const struct graph *graph = rehearsal->graph;
    SCOPED(strv_release) struct strv triggers = {0};

    *out = (struct rehearsed){0};
    if (stage->base.kind == SOURCE_STAGE) {
        out->unknown = before->unknown;
        config_get_list(before->state.config, "OnBuild", &triggers);
        state_inherit(&out->state, graph, stage, &before->state);
    } else {
        int known = stage->base.kind != SOURCE_IMAGE
                        ? 1
                        : rehearsal->base_config(rehearsal->arg, stage, &out->base, err);

        if (known < 0)
            return dockerfile_wrap(graph->doc, stage->from->first_line, err);
        out->unknown = known == 0;
        if (out->base)
            config_get_list(out->base, "OnBuild", &triggers);
        state_begin(&out->state, graph, stage, out->base);
    }
    if (!triggers.count || stage->triggers)
        return 0;
    return graph_fire(rehearsal->graph, stage, &triggers, err);
}

struct words {
    struct state *state;
    const struct instruction *in;
};

static int expand_value(void *ctx, const char *value, struct buf *out, struct err *err)
{
    const struct words *words = ctx;

    return state_expand(words->state, words->in, value, out, err);
}

int rehearse_mounts(struct rehearsed *stage, const struct instruction *in, rehearse_mount_fn *fn,
                    void *arg, struct err *err)
{
    struct words words = {&stage->state, in};

    for (size_t i = 0; i < in->flags_count; i++) {
        SCOPED(mount_release) struct mount mount = {0};

        if (strcmp(in->flags[i].name, "mount") != 0)
            continue;
        if (mount_parse(str_of(in->flags[i].value), expand_value, &words, &mount, err) < 0 ||
            mount_resolve(&mount, stage->state.workdir, 0, err) < 0)
            return dockerfile_wrap(in->doc, in->first_line, err);
        if (fn)
            fn(arg, &mount, in);
    }
    return 0;
}

void rehearsed_release(struct rehearsed *stage)
{
    state_release(&stage->state);
    *stage = (struct rehearsed){0};
}
