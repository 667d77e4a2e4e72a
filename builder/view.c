/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/view.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/path.h"
#include "base/scope.h"
#include "builder/index.h"

#define LINKS_MAX 40 /* as the kernel */

void view_release(struct view *v)
{
    int saved = errno;

    free(v->layers);
    *v = (struct view){0};
    errno = saved;
}

void view_push(struct view *v, const struct index *layer)
{
    if (v->count >= v->capacity) {
        v->capacity = v->capacity ? v->capacity * 2 : 16;
        v->layers = xreallocarray(v->layers, v->capacity, sizeof(void *));
    }
    v->layers[v->count++] = layer;
}

/* What one layer says of a path. */
enum say { SAY_NOTHING, SAY_HERE, SAY_GONE };

/*
 * *below: may lower layers have a say? Not below a whiteout, an opaque directory or anything that
 * is no directory, on the way to the path or at it.
 */
static enum say ask(const struct index *x, const char *path, size_t *record, bool *below)
{
    char part[PATH_MAX];
    size_t length = strlen(path);
    struct entry e;

    *below = true;
    if (length >= sizeof(part))
        return SAY_NOTHING;
    memcpy(part, path, length + 1);
    /* The root, then each longer part: an index has every parent of what it has. */
    index_get(x, 0, &e);
    *below = !e.opaque;
    *record = 0;
    if (strcmp(path, ".") == 0)
        return SAY_HERE;
    for (size_t end = 0; end <= length; end++) {
        if (part[end] && part[end] != '/')
            continue;
        part[end] = '\0';
        *record = index_find(x, part);
        if (*record == INDEX_NONE)
            return SAY_NOTHING;
        index_get(x, *record, &e);
        if (e.type != ENTRY_DIR) {
            *below = false;
            return end == length && e.type != ENTRY_WHITEOUT ? SAY_HERE : SAY_GONE;
        }
        *below &= !e.opaque;
        if (end < length)
            part[end] = '/';
    }
    return SAY_HERE;
}

bool view_lookup(const struct view *v, const char *path, struct view_entry *found)
{
    AUTO_FREE char *clean = path_beneath(str_of(path));
    struct view_entry at;
    bool below = true, any = false;

    for (size_t i = v->count; below && i-- > 0;) {
        enum say say = ask(v->layers[i], clean, &at.record, &below);

        if (say == SAY_NOTHING)
            continue;
        if (say == SAY_GONE)
            break;
        at.layer = i;
        index_get(v->layers[i], at.record, &at.entry);
        if (any && at.entry.type != ENTRY_DIR)
            break; /* the implied directory above took its place */
        if (!any || !at.entry.implied)
            *found = at;
        any = true;
        if (!at.entry.implied)
            break;
    }
    return any;
}

/* One component onto a clean path. */
static void add_part(struct buf *path, struct str part)
{
    if (path->size)
        buf_addc(path, '/');
    buf_add_str(path, part);
}

static void drop_part(struct buf *path)
{
    ptrdiff_t slash = str_rfind(buf_str(path), '/');

    if (!path->size)
        return;
    path->size = slash < 0 ? 0 : (size_t)slash;
    path->ptr[path->size] = '\0';
}

static const char *shown(const struct buf *path)
{
    return path->size ? path->ptr : ".";
}

static int not_a_directory(const struct buf *path, enum entry_type type, struct err *err)
{
    return err_set(err, ERR_INPUT, ENOTDIR, "/%s is a %s, not a directory", buf_cstr(path),
                   entry_type_name(type));
}

/* Takes the next component off rest: false when there is none. */
static bool next_part(struct str *rest, struct str *part)
{
    while (rest->size) {
        str_cut(*rest, '/', part, rest);
        if (part->size && !str_is(*part, "."))
            return true;
    }
    return false;
}

int view_resolve(const struct view *v, const char *path, enum view_follow how, struct buf *out,
                 struct view_entry *found, struct err *err)
{
    SCOPED(buf_release) struct buf todo = {0}, at = {0};
    struct view_entry here;
    struct str rest, part;
    unsigned links = 0;
    bool there = view_lookup(v, ".", &here);

    buf_adds(&todo, path);
    rest = buf_str(&todo);
    while (next_part(&rest, &part)) {
        struct str after = rest, more;
        bool last = !next_part(&after, &more);

        if (there && here.entry.type != ENTRY_DIR)
            return not_a_directory(&at, here.entry.type, err);
        if (str_is(part, "..")) {
            drop_part(&at);
            there = view_lookup(v, shown(&at), &here);
            continue;
        }
        add_part(&at, part);
        there = view_lookup(v, shown(&at), &here);
        if (!there || here.entry.type != ENTRY_SYMLINK || (last && how == VIEW_NOFOLLOW_LAST))
            continue;
        if (++links > LINKS_MAX)
            return err_set(err, ERR_INPUT, ELOOP, "%s: more than %d symbolic links", path,
                           LINKS_MAX);
        drop_part(&at);
        SCOPED(buf_release) struct buf spliced = {0};

        buf_addf(&spliced, "%s/" STR_FMT, here.entry.link, STR_ARG(rest));
        if (here.entry.link[0] == '/')
            buf_clear(&at);
        buf_release(&todo);
        todo = spliced;
        spliced = (struct buf){0};
        rest = buf_str(&todo);
        there = view_lookup(v, shown(&at), &here);
    }
    buf_clear(out);
    buf_adds(out, shown(&at));
    if (there && found)
        *found = here;
    return there;
}

void view_list_release(struct view_list *list)
{
    int saved = errno;

    free(list->items);
    *list = (struct view_list){0};
    errno = saved;
}

static int item_cmp(const void *a, const void *b)
{
    const struct view_item *x = a, *y = b;
    int order = strcmp(x->name, y->name);

    /* The same name: upper layers first. */
    return order ? order : x->at.layer > y->at.layer ? -1 : x->at.layer < y->at.layer;
}

static const char *last_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

/* Of the same name in several layers: what an overlay shows. Items begin with the topmost; 0 when
 * it is removed. */
static bool merge(const struct view_item *items, size_t count, struct view_item *out)
{
    *out = items[0];
    if (items[0].at.entry.type == ENTRY_WHITEOUT)
        return false;
    for (size_t i = 0; i < count; i++) {
        const struct entry *e = &items[i].at.entry;

        if (i > 0 && e->type != ENTRY_DIR)
            break;
        if (!e->implied) {
            *out = items[i];
            break;
        }
        if (e->opaque)
            break;
    }
    return true;
}

void view_list_dir(const struct view *v, const char *dir, struct view_list *list)
{
    AUTO_FREE char *clean = path_beneath(str_of(dir));
    size_t first = list->count, to;
    bool below = true;

    for (size_t i = v->count; below && i-- > 0;) {
        const struct index *x = v->layers[i];
        size_t record;
        enum say say = ask(x, clean, &record, &below);

        if (say == SAY_GONE)
            break;
        if (say == SAY_NOTHING)
            continue;
        for (size_t child = index_child(x, record); child < index_end(x, record);
             child = index_end(x, child)) {
            struct view_item item = {.name = last_name(index_path(x, child)),
                                     .at = {.layer = i, .record = child}};

            index_get(x, child, &item.at.entry);
            VEC_GROW(list->items, list->count, list->capacity);
            list->items[list->count++] = item;
        }
    }
    if (list->count - first > 1)
        qsort(list->items + first, list->count - first, sizeof(*list->items), item_cmp);
    to = first;
    for (size_t i = first, next; i < list->count; i = next) {
        struct view_item item;

        for (next = i + 1;
             next < list->count && strcmp(list->items[i].name, list->items[next].name) == 0;)
            next++;
        if (merge(list->items + i, next - i, &item))
            list->items[to++] = item;
    }
    list->count = to;
}

static int walk_below(const struct view *v, const char *dir, view_walk_fn *fn, void *ctx,
                      struct err *err)
{
    SCOPED(view_list_release) struct view_list list = {0};

    view_list_dir(v, dir, &list);
    for (size_t i = 0; i < list.count; i++) {
        const struct view_entry *at = &list.items[i].at;
        bool skip = false;

        if (fn(ctx, at, &skip, err) < 0)
            return -1;
        if (at->entry.type == ENTRY_DIR && !skip && walk_below(v, at->entry.path, fn, ctx, err) < 0)
            return -1;
    }
    return 0;
}

int view_walk(const struct view *v, const char *path, view_walk_fn *fn, void *ctx, struct err *err)
{
    struct view_entry at;
    bool skip = false;

    if (!view_lookup(v, path, &at))
        return 0;
    if (fn(ctx, &at, &skip, err) < 0)
        return -1;
    return at.entry.type == ENTRY_DIR && !skip ? walk_below(v, at.entry.path, fn, ctx, err) : 0;
}

int view_read(const struct view *v, const char *path, size_t max, view_open_fn *open, void *ctx,
              struct buf *out, struct err *err)
{
    SCOPED(buf_release) struct buf real = {0};
    struct view_entry at = {0};
    struct str kept;
    int got = view_resolve(v, path, VIEW_FOLLOW, &real, &at, err);

    if (got <= 0)
        return got;
    if (at.entry.type != ENTRY_FILE)
        return err_set(err, ERR_INPUT, EINVAL, "/%s is a %s, not a file", buf_cstr(&real),
                       entry_type_name(at.entry.type));
    if (at.entry.size > max)
        return err_set(err, ERR_INPUT, EFBIG, "/%s is larger than %zu bytes", buf_cstr(&real), max);
    if (index_content(v->layers[at.layer], at.record, &kept)) {
        buf_add_str(out, kept);
        return 1;
    }
    AUTO_FD int fd = open(ctx, &at, err);

    if (fd < 0)
        return -1;
    return fs_read(fd, out, max, err) < 0 ? err_wrap(err, "/%s", buf_cstr(&real)) : 1;
}
