/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/find.h"

#include <string.h>

#include "base/alloc.h"
#include "base/scope.h"
#include "base/strv.h"
#include "cli/opts.h"

struct near {
    struct strv names; /* short forms of all, with and without their tags */
    const char *same;  /* the same repository under another tag; borrowed from names */
    struct reference *ref;
};

static int add_name(void *arg, const char *name, const struct descriptor *d, struct err *err)
{
    struct near *near = arg;
    SCOPED(reference_release) struct reference ref = {0};
    struct reference untagged;
    struct err ignored = {0};

    (void)d, (void)err;
    if (!name || reference_parse(name, &ref, &ignored) < 0)
        return 0;
    untagged = (struct reference){.host = ref.host, .path = ref.path};
    strv_take(&near->names, reference_familiar(&untagged));
    strv_take(&near->names, reference_familiar(&ref));
    if (near->ref->path && strcmp(ref.path, near->ref->path) == 0 &&
        strcmp(ref.host, near->ref->host) == 0)
        near->same = near->names.ptr[near->names.count - 1];
    return 0;
}

int find_image(const struct layout *l, const char *text, struct descriptor *out, char **name,
               struct err *err)
{
    SCOPED(reference_release) struct reference ref = {0};
    struct near near = {.ref = &ref};
    struct err ignored = {0};
    const char *guess;
    int found = layout_find(l, text, out, name, err);

    if (found != 0)
        return found < 0 ? -1 : 0;
    err_set(err, ERR_INPUT, 0, "no image \"%s\" in the store %s", text, l->root);
    reference_parse(text, &ref, &ignored);
    if (layout_each_tag(l, add_name, &near, &ignored) == 0) {
        guess = near.same ? near.same : opts_nearest(text, &near.names);
        if (guess)
            err_add(err, "; did you mean %s?", guess);
    }
    strv_release(&near.names);
    return -1;
}
