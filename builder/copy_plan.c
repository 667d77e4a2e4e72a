/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/copy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/path.h"
#include "base/scope.h"
#include "builder/archive.h"
#include "builder/copy_planner.h"

void planner_release(struct planner *p)
{
    for (size_t i = 0; i < p->matches_count; i++) {
        free(p->matches[i].name);
        ignore_release(&p->matches[i].only);
    }
    free(p->matches);
    free(p->dest);
}

/* Where the destination is, and whether it takes names below it. */
static int find_dest(struct planner *p, struct err *err)
{
    const struct copy_spec *spec = p->request->spec;
    SCOPED(buf_release) struct buf resolved = {0};
    struct view_entry at;
    int found = view_resolve(p->view, spec->dest, VIEW_FOLLOW, &resolved, &at, err);

    if (found < 0)
        return err_wrap(err, "destination %s", spec->dest);
    p->dest_exists = found && at.entry.type == ENTRY_DIR;
    p->dest_is_dir = p->dest_exists || str_ends(str_of(spec->dest), "/");
    if (found && !p->dest_exists && p->dest_is_dir)
        return err_set(err, ERR_INPUT, ENOTDIR,
                       "destination %s is a %s in the image, not a directory", spec->dest,
                       entry_type_name(at.entry.type));
    p->dest = path_beneath(buf_str(&resolved));
    return 0;
}

static struct copy_item *add_item(struct planner *p, char *target)
{
    struct copy_plan *plan = p->plan;
    struct copy_item *item;

    VEC_GROW(plan->items, plan->count, plan->capacity);
    item = &plan->items[plan->count];
    *item = (struct copy_item){.target = target, .origin = p->origin, .order = plan->count};
    item->entry.path = target;
    plan->count++;
    return item;
}

static void set_owner_and_mode(const struct copy_request *request, const struct origin *origin,
                               struct entry *e)
{
    const struct copy_spec *spec = request->spec;

    if (request->has_owner) {
        e->uid = request->uid;
        e->gid = request->gid;
    } else if (!origin || !origin->stack) {
        e->uid = e->gid = 0;
    }
    if (spec->has_chmod && e->type != ENTRY_SYMLINK)
        e->mode = chmod_apply(&spec->chmod, e->mode, e->type == ENTRY_DIR);
}

/* A directory that nothing in the origin stands for. */
static void add_made(struct planner *p, char *target)
{
    struct copy_item *item = add_item(p, target);

    item->made = true;
    item->entry.type = ENTRY_DIR;
    item->entry.mode = 0755;
    item->entry.mtime = p->request->now;
    if (p->request->has_owner) {
        item->entry.uid = p->request->uid;
        item->entry.gid = p->request->gid;
    }
    if (p->request->spec->has_chmod && p->request->spec->chmod.is_octal)
        item->entry.mode = p->request->spec->chmod.octal & 0777;
}

/* Those of dir and its parents that the image lacks. dir is free of links as far as it exists. */
static void add_missing(struct planner *p, const char *dir)
{
    struct view_entry at;

    if (strcmp(dir, ".") == 0 || view_lookup(p->view, dir, &at))
        return;
    for (const char *slash = dir;; slash++) {
        char *prefix;

        if (*slash != '/' && *slash != 0)
            continue;
        prefix = xstrndup(dir, (size_t)(slash - dir));
        if (view_lookup(p->view, prefix, &at))
            free(prefix);
        else
            add_made(p, prefix);
        if (*slash == 0)
            return;
    }
}

char *planner_below(const char *dir, const char *name)
{
    return strcmp(dir, ".") == 0 ? xstrdup(name) : xasprintf("%s/%s", dir, name);
}

/* Neither may a file take a directory's place, nor the reverse. */
static int check_type(struct planner *p, const struct copy_item *item, struct err *err)
{
    struct view_entry at;

    if (!view_lookup(p->view, item->target, &at))
        return 0;
    if ((at.entry.type == ENTRY_DIR) == (item->entry.type == ENTRY_DIR))
        return 0;
    return err_set(err, ERR_INPUT, EEXIST, "cannot put a %s at /%s: the image has a %s there",
                   entry_type_name(item->entry.type), item->target, entry_type_name(at.entry.type));
}

int planner_add_file(struct planner *p, char *target, const struct origin_file *file,
                     struct err *err)
{
    struct copy_item *item = add_item(p, target);

    item->file = file->ref;
    item->shared = file->shared;
    item->device = file->device;
    item->inode = file->inode;
    item->entry = file->entry;
    item->entry.path = target;
    set_owner_and_mode(p->request, p->origin, &item->entry);
    return check_type(p, item, err);
}

/* Local files unless told otherwise, what a URL gave only when told. */
static bool unpacks(const struct planner *p)
{
    const struct copy_spec *spec = p->request->spec;

    return spec->is_add &&
           (p->origin->blob ? spec->unpack == GITURL_YES : spec->unpack != GITURL_NO);
}

/* ADD unpacks a local archive, told by its content, into the destination directory. 1: it is one.
 */
static int add_archive(struct planner *p, const struct origin_file *file, struct err *err)
{
    struct copy_item *item;
    struct view_entry at;
    int is_archive;

    if (!unpacks(p) || file->entry.type != ENTRY_FILE)
        return 0;
    AUTO_FD int fd = origin_open(p->origin, file->ref, err);
    if (fd < 0)
        return -1;
    is_archive = archive_probe(fd, err);
    if (is_archive <= 0)
        return is_archive;
    if (!p->dest_exists && view_lookup(p->view, p->dest, &at))
        return err_set(err, ERR_INPUT, EEXIST,
                       "cannot unpack an archive at /%s: the image has a %s there", p->dest,
                       entry_type_name(at.entry.type));
    add_missing(p, p->dest);
    p->dest_is_dir = true;
    item = add_item(p, xstrdup(p->dest));
    item->file = file->ref;
    item->entry.type = ENTRY_DIR;
    item->archive = true;
    p->plan->archives++;
    return 1;
}

/* Only what is in a directory is copied: a destination that is not there is made, not given its
 * looks, and is a directory for the sources after it. */
static int add_directory(struct planner *p, const struct match *match, struct err *err)
{
    struct view_entry at;

    if (!p->dest_exists && view_lookup(p->view, p->dest, &at))
        return err_set(err, ERR_INPUT, EEXIST,
                       "cannot put a directory at /%s: the image has a %s there", p->dest,
                       entry_type_name(at.entry.type));
    add_missing(p, p->dest);
    p->dest_is_dir = true;
    return planner_add_tree(p, p->dest, &match->file, &match->only, err);
}

/* Where a file of that name goes, its parents made. NULL: several sources want one file's place. */
static char *file_target(struct planner *p, const char *name, struct err *err)
{
    size_t sources = p->matches_count + p->request->spec->files_count;
    AUTO_FREE char *parent = NULL;
    char *target;

    if (sources > 1 && !p->dest_is_dir) {
        err_set(err, ERR_INPUT, ENOTDIR,
                "%zu sources match, but %s is not a directory; end it with \"/\" to make it one",
                sources, p->request->spec->dest);
        return NULL;
    }
    target = p->dest_is_dir ? planner_below(p->dest, name) : xstrdup(p->dest);
    parent = str_dup(path_dir(str_of(target)));
    add_missing(p, parent);
    return target;
}

static int add_match_to_plan(struct planner *p, const struct match *match, struct err *err)
{
    const struct origin_file *file = &match->file;
    char *target;
    int done;

    p->origin = match->origin;
    if (file->entry.type == ENTRY_DIR)
        return add_directory(p, match, err);
    done = add_archive(p, file, err);
    if (done)
        return done < 0 ? -1 : 0;
    target = file_target(p, match->name, err);
    return target ? planner_add_file(p, target, file, err) : -1;
}

static int add_heredoc(struct planner *p, const struct copy_file *text, struct err *err)
{
    char *target = file_target(p, text->name, err);
    struct copy_item *item;

    if (!target)
        return -1;
    item = add_item(p, target);
    item->text = text;
    item->entry.type = ENTRY_FILE;
    item->entry.mode = 0644;
    item->entry.size = text->size;
    item->entry.mtime = p->request->now;
    set_owner_and_mode(p->request, NULL, &item->entry);
    return check_type(p, item, err);
}

const struct view *copy_view(const struct copy_request *request, struct err *err)
{
    static const struct view nothing;

    return request->spec->link ? &nothing : stack_view(request->target, request->layout, err);
}

int copy_plan_make(const struct copy_request *request, struct copy_plan *plan, struct err *err)
{
    SCOPED(planner_release) struct planner p = {.request = request, .plan = plan};

    p.view = copy_view(request, err);
    if (!p.view || planner_find_sources(&p, err) < 0 || find_dest(&p, err) < 0)
        return -1;
    for (size_t i = 0; i < p.matches_count; i++)
        if (add_match_to_plan(&p, &p.matches[i], err) < 0)
            return -1;
    for (size_t i = 0; i < request->spec->files_count; i++)
        if (add_heredoc(&p, &request->spec->files[i], err) < 0)
            return -1;
    return copy_plan_order(plan, err);
}

void copy_plan_release(struct copy_plan *plan)
{
    for (size_t i = 0; i < plan->count; i++)
        free(plan->items[i].target);
    free(plan->items);
    *plan = (struct copy_plan){0};
}
