/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/stage.h"

#include <stdlib.h>
#include <string.h>

#include "base/scope.h"
#include "builder/ahead.h"
#include "builder/define.h"
#include "builder/early_push.h"
#include "builder/worktree.h"
#include "registry/config.h"
#include "runtime/session.h"

/* As large as the stage is: it goes when nothing more is to be run in it. */
static void close_worktree(struct making *m)
{
    if (m->worktree)
        worktree_close(m->worktree);
    free(m->worktree);
    m->worktree = NULL;
}

void stage_release(struct making *m)
{
    close_worktree(m);
    for (size_t i = 0; m->definitions && i < m->stage->count; i++)
        strv_release(&m->definitions[i].fields);
    free(m->definitions);
    state_release(&m->state);
    stack_release(&m->stack);
    stack_release(&m->ahead);
    buf_release(&m->output);
    buf_release(&m->excerpt);
}

static void adopt_created(struct making *m, const char *created)
{
    struct timespec ignored;

    if (created && strlen(created) < sizeof(m->created) &&
        clock_parse_rfc3339(str_of(created), &ignored))
        memcpy(m->created, created, strlen(created) + 1);
}

/* FROM: scratch, an earlier stage, an image, or a context. */
static int begin_base(struct build *b, struct making *m, struct err *err)
{
    const struct stage *stage = m->stage;
    const struct graph *graph = &m->product->graph;
    const struct making *before;
    struct base_image *image;

    switch (stage->base.kind) {
    case SOURCE_STAGE:
        before = &m->product->stages[stage->base.stage];
        stack_push_all(&m->stack, &before->stack);
        m->stage->platform = before->stage->platform;
        memcpy(m->created, before->created, sizeof(m->created));
        state_inherit(&m->state, graph, stage, &before->state);
        return 0;
    case SOURCE_IMAGE:
        image = base_image_get(b, stage->base.image, &stage->platform, err);
        if (!image)
            return -1;
        stack_push_all(&m->stack, &image->stack);
        ahead_begun(b, m);
        adopt_created(m, config_created(image->config));
        state_begin(&m->state, graph, stage, image->config);
        return 0;
    case SOURCE_NAMED:
        state_begin(&m->state, graph, stage, NULL);
        return exec_from_context(b, m, err);
    default:
        state_begin(&m->state, graph, stage, NULL);
        return 0;
    }
}

static int begin(struct build *b, struct making *m, struct err *err)
{
    state_release(&m->state); /* of the rehearsal: builder/define.c */
    if (begin_base(b, m, err) < 0)
        return exec_failed(m, m->stage->from, err);
    if (m->base_hex[0])
        memcpy(m->definition, m->base_hex, sizeof(m->definition));
    else
        define_stack(&m->stack, m->definition);
    if (b->has_epoch)
        clock_rfc3339((struct timespec){.tv_sec = b->epoch}, m->created);
    m->number = m->numbers = 1; /* FROM */
    for (size_t i = 0; i < m->stage->count; i++)
        m->numbers += exec_is_step(m->stage->body[i]);
    m->begun = true;
    return 0;
}

/* The stage that `source` names, while it is not done. */
static struct task *not_done(struct build *b, struct making *m, const struct stage_source *source)
{
    struct task *task;

    if (source->kind != SOURCE_STAGE)
        return NULL;
    task = &m->product->stages[source->stage].task;
    return schedule_is_done(&b->schedule, task) ? NULL : task;
}

/* A stage that the instruction needs and that is not done. */
static struct task *pending(struct build *b, struct making *m, size_t at)
{
    const struct instruction *in = m->stage->body[at];
    struct task *task = not_done(b, m, &m->stage->sources[at]);

    for (size_t i = 0; !task && i < m->stage->mounts_count; i++)
        if (m->stage->mounts[i].in == in)
            task = not_done(b, m, &m->stage->mounts[i].source);
    return task;
}

int stage_make(void *arg, struct task *task, struct task **on, struct err *err)
{
    struct build *b = arg;
    struct making *m = (struct making *)task; /* its first member */

    if (!m->begun) {
        *on = not_done(b, m, &m->stage->base);
        if (*on)
            return 0;
        if (begin(b, m, err) < 0)
            return -1;
        early_push_layers(b, m);
    }
    while (m->next < m->stage->count) {
        const struct instruction *in = m->stage->body[m->next];

        if (!define_remembers(b, m, m->next))
            *on = pending(b, m, m->next);
        if (*on) {
            ((struct making *)*on)->wanted = true;
            if (b->tools->session->rung == SESSION_IN_PLACE)
                close_worktree(m); /* the other stage may need the one root */
            return 0;
        }
        if (schedule_stopped(&b->schedule))
            return err_set(err, ERR_COMMAND, 0, "cancelled");
        if (exec_instruction(b, m, in, err) < 0)
            return -1;
        early_push_layers(b, m);
        m->next++;
    }
    close_worktree(m);
    pthread_mutex_lock(&b->lock);
    memcpy(m->final_hex, m->definition, sizeof(m->final_hex));
    pthread_mutex_unlock(&b->lock);
    return 1;
}
