/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/ahead.h"

#include "builder/output_spec.h"

/* From its next instruction on. */
static bool has_run(const struct making *m)
{
    for (size_t i = m->next; i < m->stage->count; i++)
        if (m->stage->body[i]->kind == INSTR_RUN)
            return true;
    return false;
}

bool ahead_is_built_on(const struct making *m, const struct making *below)
{
    while (m != below && m->stage->base.kind == SOURCE_STAGE)
        m = &m->product->stages[m->stage->base.stage];
    return m == below;
}

/* An output that holds the target's files, or an image that must be whole in the store. */
static bool is_kept(const struct build *b, const struct making *m)
{
    const struct product *p = m->product;
    bool kept = false;

    for (size_t i = 0; i < b->options->outputs_count; i++) {
        const struct output_spec *spec = &b->options->outputs[i];

        kept = kept || spec->type != OUTPUT_IMAGE || spec->whole || spec->unpack ||
               (spec->store && !spec->push);
    }
    return kept && ahead_is_built_on(&p->stages[p->graph.target], m);
}

static bool will_run(const struct making *m)
{
    const struct product *p = m->product;

    for (size_t i = 0; i < p->graph.order_count; i++) {
        const struct making *other = &p->stages[p->graph.order[i]];

        if (ahead_is_built_on(other, m) && has_run(other))
            return true;
    }
    return false;
}

void ahead_begun(const struct build *b, const struct making *m)
{
    if (is_kept(b, m) || (b->options->no_cache && will_run(m)))
        stack_prefetch(&m->stack, b->tools->layout, false);
}

void ahead_missed(const struct build *b, const struct making *m)
{
    if (has_run(m))
        stack_prefetch(&m->stack, b->tools->layout, true);
}
