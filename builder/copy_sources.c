/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/path.h"
#include "base/scope.h"
#include "builder/copy_planner.h"
#include "builder/glob.h"

static void add_match(struct planner *p, struct str path, const struct origin_file *file)
{
    VEC_GROW(p->matches, p->matches_count, p->matches_capacity);
    p->matches[p->matches_count++] = (struct match){str_dup(path_base(path)), p->origin, *file};
}

static int add_literal(struct planner *p, const char *path, struct err *err)
{
    struct origin *origin = p->origin;
    struct origin_file file;
    int found = origin_find(origin, path, true, &file, err);

    if (found < 0)
        return -1;
    if (!found)
        return err_set(err, ERR_INPUT, ENOENT, "\"%s\" is not in %s%s", path, origin->label,
                       origin_hint(origin, path));
    add_match(p, str_of(path), &file);
    return 0;
}

static int glob_below(struct planner *p, const char *dir, struct str rest, struct err *err);

static int glob_child(struct planner *p, const char *dir, const struct origin_file *child,
                      struct str pattern, struct str rest, struct err *err)
{
    struct str name = path_base(str_of(child->entry.path));
    AUTO_FREE char *path = NULL, *text = str_dup(name);
    int held = glob_match(pattern, name, err);

    if (held <= 0)
        return held;
    path = path_join(dir, text);
    return rest.size ? glob_below(p, path, rest, err) : add_literal(p, path, err);
}

/* `dir` is there and free of wildcards; `rest` is what of the pattern lies below it. Nothing there
 * is no match. */
static int glob_below(struct planner *p, const char *dir, struct str rest, struct err *err)
{
    SCOPED(origin_list_release) struct origin_list list = {0};
    struct origin_file at;
    struct str component;
    int found = origin_find(p->origin, dir, true, &at, err);

    if (found < 0)
        return -1;
    if (!found)
        return 0;
    str_cut(rest, '/', &component, &rest);
    if (!glob_has_wildcard(component)) {
        AUTO_FREE char *name = glob_literal(component), *path = path_join(dir, name);

        found = origin_find(p->origin, path, true, &at, err);
        if (found <= 0)
            return found;
        return rest.size ? glob_below(p, path, rest, err) : add_literal(p, path, err);
    }
    if (at.entry.type != ENTRY_DIR)
        return 0;
    if (origin_list_dir(p->origin, at.ref, &list, err) < 0)
        return -1;
    for (size_t i = 0; i < list.count; i++)
        if (glob_child(p, dir, &list.items[i], component, rest, err) < 0)
            return -1;
    return 0;
}

int planner_find_sources(struct planner *p, struct err *err)
{
    const struct strv *sources = &p->request->spec->sources;

    for (size_t i = 0; i < sources->count; i++) {
        AUTO_FREE char *path = path_beneath(str_of(sources->ptr[i]));
        int rc;

        p->origin = p->request->origin;
        if (p->request->origins && p->request->origins[i]) {
            /* One of its own is meant whole, whatever the source is called. */
            p->origin = p->request->origins[i];
            rc = add_literal(p, p->origin->blob ? p->origin->blob->name : "/", err);
        } else if (glob_has_wildcard(str_of(path))) {
            rc = glob_below(p, "/", str_of(path), err);
        } else {
            AUTO_FREE char *literal = glob_literal(str_of(path));

            rc = add_literal(p, literal, err);
        }
        if (rc < 0)
            return -1;
    }
    return 0;
}
