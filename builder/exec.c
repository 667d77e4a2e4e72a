/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/exec.h"

#include <stdio.h>
#include <string.h>

#include "base/scope.h"
#include "builder/contexts.h"
#include "builder/define.h"
#include "builder/exec_run.h"
#include "builder/exec_step.h"
#include "builder/named.h"
#include "builder/outputs.h"
#include "builder/run_options.h"
#include "runtime/user.h"

bool exec_is_step(const struct instruction *in)
{
    return in->kind == INSTR_RUN || in->kind == INSTR_COPY || in->kind == INSTR_ADD ||
           in->kind == INSTR_WORKDIR;
}

struct layer_options exec_layer_options(const struct build *build)
{
    struct layer_options options = LAYER_OPTIONS_DEFAULT;

    options.codec = outputs_codec(build->options->outputs, build->options->outputs_count);
    options.clamp = build->has_epoch;
    options.epoch = build->epoch;
    options.wire = build->options->run->wire;
    return options;
}

/* "user[:group]" against the image's own files. */
int exec_lookup_user(struct build *build, struct making *making, const char *text,
                     struct user *user, struct err *err)
{
    SCOPED(buf_release) struct buf passwd = {0}, group = {0};
    struct layout *layout = build->tools->layout;

    if (stack_read(&making->stack, layout, "/etc/passwd", USER_FILE_MAX, &passwd, err) < 0 ||
        stack_read(&making->stack, layout, "/etc/group", USER_FILE_MAX, &group, err) < 0)
        return -1;
    return user_parse(str_of(text), buf_str(&passwd), buf_str(&group), user, err);
}

/* Where COPY reads; the context is opened when it is first needed. */
int exec_open_origin(struct build *build, const struct making *making,
                     const struct stage_source *from, struct origin *origin, char label[static 80],
                     struct err *err)
{
    char stage[32];

    origin->layout = build->tools->layout;
    origin->label = label;
    if (from->kind == SOURCE_STAGE) {
        origin->stack = &making->product->stages[from->stage].stack;
        snprintf(label, 80, "%s",
                 graph_stage_label(&making->product->graph.stages[from->stage], stage));
    } else if (from->kind == SOURCE_IMAGE) {
        struct base_image *image =
            base_image_get(build, from->image, &making->stage->platform, err);

        if (!image)
            return -1;
        origin->stack = &image->stack;
        snprintf(label, 80, "image %.72s", from->image);
    } else {
        bool named = from->kind == SOURCE_NAMED;

        origin->context = named ? contexts_named(build->contexts, from->named, err)
                                : contexts_main(build->contexts, err);
        if (!origin->context)
            return -1;
        snprintf(label, 80, named ? "context %.70s" : "the build context",
                 named ? build->options->named->items[from->named].name : "");
    }
    return 0;
}

int exec_failed(struct making *making, const struct instruction *in, struct err *err)
{
    if (!making->excerpt.size)
        dockerfile_excerpt(in->doc, in->first_line, in->last_line, &making->excerpt);
    return dockerfile_wrap(in->doc, in->first_line, err);
}

static int run(struct build *build, struct making *making, const struct instruction *in,
               struct err *err)
{
    SCOPED(run_work_release) struct run_work work = {0};
    struct step step = {.build = build,
                        .making = making,
                        .in = in,
                        .keep_empty = true,
                        .fn = exec_run,
                        .arg = &work};
    struct cache_key key;
    int recalled;

    if (run_work_take(build, making, in, &work, err) < 0)
        return -1;
    step.created_by = work.spec.created_by;
    recalled = step_recall(&step, err);
    if (recalled)
        return recalled < 0 ? -1 : 0;
    cache_key_begin(&key, &making->stack, "RUN");
    step_hash_common(build, making, &key);
    if (run_work_hash(build, making, &work, &key, err) < 0)
        return -1;
    return step_make(&step, &key, err);
}

/* What the next step stands on: the step's definition, or, when it has none, the layers as they
 * are.
 */
static void adopt_definition(struct making *making)
{
    const struct definition *d = &making->definitions[making->next];

    if (d->hex[0] && !cache_is_filtered(making->product->build, making))
        memcpy(making->definition, d->hex, SHA256_HEX_SIZE);
    else
        define_stack(&making->stack, making->definition);
}

int exec_instruction(struct build *build, struct making *making, const struct instruction *in,
                     struct err *err)
{
    int rc;

    if (exec_is_step(in))
        making->number++;
    switch (in->kind) {
    case INSTR_RUN:
        rc = run(build, making, in, err);
        break;
    case INSTR_COPY:
    case INSTR_ADD:
        rc = exec_copy(build, making, in, err);
        break;
    case INSTR_WORKDIR:
        rc = exec_workdir(build, making, in, err);
        break;
    default:
        rc = state_apply(&making->state, in, making->created[0] ? making->created : NULL, err);
        break;
    }
    if (rc == 0 && exec_is_step(in))
        adopt_definition(making);
    if (rc == 0)
        rc = exec_check_secrets(build, making, err);
    return rc < 0 ? exec_failed(making, in, err) : 0;
}
