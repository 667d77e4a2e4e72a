/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/path.h"
#include "base/scope.h"
#include "builder/copy_planner.h"
#include "builder/glob.h"

/* --exclude speaks of what is below a source that is a directory, and of files by their names. */
static bool leaves_out(const struct planner *p, struct str name, const struct origin_file *file)
{
    return file->entry.type != ENTRY_DIR && ignore_match(&p->request->spec->exclude, name);
}

/* `only`: with --parents, what of the directory is meant: "" all. NULL: no --parents. */
static int add_match(struct planner *p, struct str path, const struct origin_file *file,
                     const char *only, struct err *err)
{
    struct match *match;

    if (leaves_out(p, path_base(path), file))
        return 0;
    VEC_GROW(p->matches, p->matches_count, p->matches_capacity);
    match = &p->matches[p->matches_count++];
    *match = (struct match){.name = str_dup(path_base(path)), .origin = p->origin, .file = *file};
    return only ? ignore_add_path(&match->only, str_of(only), err) : 0;
}

static int not_there(const struct planner *p, const char *path, struct err *err)
{
    return err_set(err, ERR_INPUT, ENOENT, "\"%s\" is not in %s%s", path, p->origin->label,
                   origin_hint(p->origin, path));
}

static int add_literal(struct planner *p, const char *path, const char *only, struct err *err)
{
    struct origin_file file;
    int found = origin_find(p->origin, path, true, &file, err);

    if (found < 0)
        return -1;
    if (!found)
        return not_there(p, path, err);
    if (only && file.entry.type != ENTRY_DIR)
        return err_set(err, ERR_INPUT, ENOTDIR,
                       "\"%s\" is a %s; before \"/./\" --parents needs a directory", path,
                       entry_type_name(file.entry.type));
    return add_match(p, str_of(path), &file, only, err);
}

/* A pattern under way. Links on the way to the first wildcard are followed, and the last component
 * is; in between they are files that do not match, as in BuildKit. */
struct glob {
    struct planner *p;
    const char *only;
};

static int glob_below(const struct glob *g, const char *dir, struct origin_ref at, struct str rest,
                      struct err *err);

/* All of it, before anything is compared: no file may be there to find a mistake with. */
static int check_pattern(struct str pattern, struct err *err)
{
    struct str component;

    while (pattern.size) {
        str_cut(pattern, '/', &component, &pattern);
        if (glob_check(component, err) < 0)
            return -1;
    }
    return 0;
}

static int glob_child(const struct glob *g, const char *dir, const struct origin_file *child,
                      struct str pattern, struct str rest, struct err *err)
{
    struct str name = path_base(str_of(child->entry.path));
    AUTO_FREE char *path = NULL, *text = str_dup(name);
    int held = glob_match(pattern, name, err);

    if (held <= 0)
        return held;
    path = path_join(dir, text);
    if (rest.size)
        return child->entry.type == ENTRY_DIR ? glob_below(g, path, child->ref, rest, err) : 0;
    /* Only directories have something below them: with --parents others are no match. */
    return g->only && child->entry.type != ENTRY_DIR ? 0 : add_literal(g->p, path, g->only, err);
}

static int glob_below(const struct glob *g, const char *dir, struct origin_ref at, struct str rest,
                      struct err *err)
{
    SCOPED(origin_list_release) struct origin_list list = {0};
    struct str component;

    str_cut(rest, '/', &component, &rest);
    if (origin_list_dir(g->p->origin, at, &list, err) < 0)
        return -1;
    for (size_t i = 0; i < list.count; i++)
        if (glob_child(g, dir, &list.items[i], component, rest, err) < 0)
            return -1;
    return 0;
}

/* The components before the first with a wildcard; *rest: it and those after. For free(). */
static char *literal_part(struct str path, struct str *rest)
{
    size_t end = 0;

    for (*rest = path; rest->size;) {
        struct str component, after;

        str_cut(*rest, '/', &component, &after);
        if (glob_has_wildcard(component))
            break;
        end = path.size - after.size;
        *rest = after;
    }
    return glob_literal(str_slice(path, 0, end - (rest->size && end))); /* without the last "/" */
}

/* path: clean, as path_beneath() gives it. */
static int add_pattern(struct planner *p, const char *path, const char *only, struct err *err)
{
    struct glob g = {p, only};
    struct str rest;
    AUTO_FREE char *dir = literal_part(str_of(path), &rest);
    struct origin_file at;
    int found;

    if (!rest.size)
        return add_literal(p, dir, only, err);
    if (check_pattern(rest, err) < 0)
        return -1;
    found = origin_find(p->origin, dir, true, &at, err);
    if (found < 0)
        return -1;
    if (!found)
        return not_there(p, dir, err);
    return at.entry.type == ENTRY_DIR ? glob_below(&g, dir, at.ref, rest, err) : 0;
}

/* A path without wildcards must be there below `root`. Links on the way are not followed: a pattern
 * matches names, and what is behind a link has no name of its own. */
static int check_there(struct planner *p, const char *root, const char *path, struct err *err)
{
    AUTO_FREE char *clean = path_join(root, path), *part = NULL;
    struct origin_file file;
    struct str rest = str_of(path), name;
    int found = 1;

    while (found > 0 && rest.size) {
        str_cut(rest, '/', &name, &rest);
        free(part);
        part = str_dup(str_slice(str_of(path), 0, (size_t)(name.ptr + name.size - path)));
        AUTO_FREE char *whole = path_join(root, part);
        found = origin_find(p->origin, whole, false, &file, err);
        if (found > 0 && rest.size && file.entry.type == ENTRY_SYMLINK)
            return err_set(err, ERR_INPUT, 0,
                           "\"%s\": %s is a symbolic link, and --parents follows none behind "
                           "\"/./\"; name the directory it points to",
                           clean, whole);
    }
    return found < 0 ? -1 : found == 0 ? not_there(p, clean, err) : 0;
}

/* --parents: "root/./pattern"; without "/./" the root is the origin's own. */
static int add_with_parents(struct planner *p, const char *source, struct err *err)
{
    const char *pivot = strstr(source, "/./");
    AUTO_FREE char *root = path_beneath(pivot ? (struct str){source, (size_t)(pivot - source)}
                                              : STR("/")),
                   *pattern = path_beneath(str_of(pivot ? pivot + 3 : source)),
                   *plain_root = glob_literal(str_of(root)), *plain = glob_literal(str_of(pattern));
    bool all = strcmp(pattern, ".") == 0;

    if (!glob_has_wildcard(str_of(root)) && !glob_has_wildcard(str_of(pattern)) && !all &&
        check_there(p, plain_root, plain, err) < 0)
        return -1;
    return add_pattern(p, root, all ? "" : pattern, err);
}

int planner_find_sources(struct planner *p, struct err *err)
{
    const struct copy_spec *spec = p->request->spec;

    for (size_t i = 0; i < spec->sources.count; i++) {
        const char *source = spec->sources.ptr[i];
        AUTO_FREE char *path = path_beneath(str_of(source));
        int rc;

        p->origin = p->request->origin;
        if (p->request->origins && p->request->origins[i]) {
            /* One of its own is meant whole, whatever the source is called. */
            p->origin = p->request->origins[i];
            rc = add_literal(p, p->origin->blob ? p->origin->blob->name : "/", NULL, err);
        } else if (spec->parents) {
            rc = add_with_parents(p, source, err);
        } else {
            rc = add_pattern(p, path, NULL, err);
        }
        if (rc < 0)
            return -1;
    }
    return 0;
}
