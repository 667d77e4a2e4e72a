/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/scope.h"
#include "cli/commands.h"
#include "cli/find.h"
#include "registry/layout.h"

struct rm_opts {
    bool force;
};

struct holders {
    const char *digest;
    struct strv names;
    bool unnamed;
};

static int add_holder(void *arg, const char *name, const struct descriptor *d, struct err *err)
{
    struct holders *h = arg;

    (void)err;
    if (strcmp(d->digest, h->digest) != 0)
        return 0;
    if (name)
        strv_add(&h->names, name);
    else
        h->unnamed = true;
    return 0;
}

static int forget(const struct layout *l, const struct holders *h, const char *text, bool force,
                  struct err *err)
{
    int done;

    if (h->names.count > 1 && !force) {
        AUTO_FREE char *all = strv_join(&h->names, ", ");

        return err_set(err, ERR_USAGE, 0,
                       "image %s has more than one name (%s); use --force to remove them all", text,
                       all);
    }
    done = layout_forget(l, h->digest, err);
    if (done < 0)
        return -1;
    if (done == 0)
        return err_set(err, ERR_INPUT, 0, "image %s is part of another image; remove that one",
                       text);
    for (size_t i = 0; i < h->names.count; i++)
        printf("untagged: %s\n", h->names.ptr[i]);
    if (h->unnamed)
        printf("untagged: %s\n", h->digest);
    return 0;
}

static int remove_one(const struct layout *l, const char *text, bool force, struct err *err)
{
    SCOPED(descriptor_release) struct descriptor d = {0};
    AUTO_FREE char *name = NULL;
    struct holders holders = {0};
    int result;

    if (find_image(l, text, &d, &name, err) < 0)
        return -1;
    if (name) {
        SCOPED(reference_release) struct reference ref = {0};

        if (reference_parse(name, &ref, err) < 0 || layout_untag(l, &ref, err) < 0)
            return -1;
        printf("untagged: %s\n", name);
        return 0;
    }
    holders.digest = d.digest;
    result = layout_each_tag(l, add_holder, &holders, err);
    if (result == 0)
        result = forget(l, &holders, text, force, err);
    strv_release(&holders.names);
    return result;
}

static int rm_run(struct cmd_context *context, const void *values, int count, char **args,
                  struct err *err)
{
    const struct rm_opts *opts = values;
    SCOPED(layout_close) struct layout l = LAYOUT_CLOSED;

    if (layout_open(&l, context->root, err) < 0)
        return -1;
    for (int i = 0; i < count; i++)
        if (remove_one(&l, args[i], opts->force, err) < 0)
            return -1;
    return 0;
}

static const struct opt rm_opts[] = {
    {.type = OPT_FLAG,
     .letter = 'f',
     .name = "force",
     .help = "by id: remove all names of the image",
     .offset = offsetof(struct rm_opts, force)},
    {.type = OPT_END},
};
const struct cmd cmd_rm = {.name = "rm",
                           .args = "IMAGE...",
                           .summary = "take names away from images; prune then frees the disk",
                           .opts = rm_opts,
                           .opts_size = sizeof(struct rm_opts),
                           .min_args = 1,
                           .max_args = -1,
                           .run = rm_run};
