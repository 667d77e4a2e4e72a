/* SPDX-License-Identifier: Apache-2.0 */
#include "base/alloc.h"
#include "base/scope.h"
#include "cli/commands.h"
#include "cli/find.h"
#include "registry/layout.h"

struct targets {
    struct reference *refs;
    size_t count;
};

static void targets_release(struct targets *t)
{
    for (size_t i = 0; i < t->count; i++)
        reference_release(&t->refs[i]);
    scope_free(&t->refs);
}

static int tag_run(struct cmd_context *context, const void *values, int count, char **args,
                   struct err *err)
{
    SCOPED(layout_close) struct layout l = LAYOUT_CLOSED;
    SCOPED(descriptor_release) struct descriptor d = {0};
    SCOPED(targets_release)
    struct targets targets = {.refs = xcalloc((size_t)count, sizeof(struct reference))};

    (void)values;
    for (int i = 1; i < count; i++) {
        struct reference *ref = &targets.refs[targets.count];

        if (reference_parse(args[i], ref, err) < 0)
            return -1;
        targets.count++;
        if (ref->digest)
            return err_set(err, ERR_USAGE, 0, "\"%s\": a new name cannot have a digest", args[i]);
    }
    if (layout_open(&l, context->root, err) < 0 || find_image(&l, args[0], &d, NULL, err) < 0)
        return -1;
    return layout_tag_all(&l, targets.refs, targets.count, &d, err);
}

static const struct opt tag_opts[] = {{.type = OPT_END}};
const struct cmd cmd_tag = {.name = "tag",
                            .args = "IMAGE NAME...",
                            .summary = "give an image more names",
                            .opts = tag_opts,
                            .min_args = 2,
                            .max_args = -1,
                            .run = tag_run};
