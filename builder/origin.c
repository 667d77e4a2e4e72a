/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/origin.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/fs.h"
#include "base/path.h"
#include "base/scope.h"
#include "builder/index.h"
#include "builder/sums.h"
#include "registry/layout.h"

#define LINKS_MAX 40 /* as the kernel: ELOOP after 40 */

static void from_node(struct origin_file *file, struct context_node *node)
{
    *file =
        (struct origin_file){.ref.node = node, .device = node->st.st_dev, .inode = node->st.st_ino};
    entry_of_stat(&file->entry, &node->st);
    file->entry.path = node->path;
    file->entry.link = node->link;
    file->shared = file->entry.type == ENTRY_FILE && node->st.st_nlink > 1;
}

/* In an index the names of one inode carry the first name as `link`; the first itself carries none.
 */
static void from_view(struct origin_file *file, const struct index *index, size_t layer,
                      size_t record)
{
    *file = (struct origin_file){.ref = {.layer = (uint32_t)layer, .record = (uint32_t)record},
                                 .device = layer};
    index_get(index, record, &file->entry);
    if (file->entry.type == ENTRY_FILE) {
        file->inode = file->entry.link ? index_find(index, file->entry.link) : record;
        file->shared = true;
        file->entry.link = NULL;
    }
    file->entry.xattrs = NULL;
    file->entry.xattrs_count = 0;
}

/* A directory that its topmost layer only implies looks as a lower one says: the view has put that
 * together. */
static void restore_merged(struct origin_file *file, const struct view_entry *at)
{
    if (at->entry.type != ENTRY_DIR)
        return;
    file->entry.mode = at->entry.mode;
    file->entry.uid = at->entry.uid;
    file->entry.gid = at->entry.gid;
    file->entry.mtime = at->entry.mtime;
}

/* What is left of a path once link `target` stands in the place of the component before `rest`. */
static char *after_link(const char *dir, const char *target, struct str rest)
{
    AUTO_FREE char *joined = target[0] == '/'
                                 ? xasprintf("%s/" STR_FMT, target, STR_ARG(rest))
                                 : xasprintf("%s/%s/" STR_FMT, dir, target, STR_ARG(rest));

    return path_beneath(str_of(joined));
}

/* One walk down the context from its root; 2: *again is the path to walk instead (a link was met).
 */
static int walk_context(struct context *context, const char *path, bool last,
                        struct context_node **found, char **again, struct err *err)
{
    struct context_node *node = context_root(context);
    struct str rest = str_of(path), name;

    while (rest.size) {
        struct context_node *child;

        str_cut(rest, '/', &name, &rest);
        if (str_is(name, "."))
            continue;
        if (context_child(context, node, name, &child, err) < 0)
            return -1;
        if (!child)
            return 0;
        if (child->link && (last || rest.size)) {
            *again = after_link(node->path, child->link, rest);
            return 2;
        }
        node = child;
    }
    *found = node;
    return 1;
}

static int find_in_context(struct origin *origin, const char *path, bool last,
                           struct origin_file *file, struct err *err)
{
    AUTO_FREE char *current = path_beneath(str_of(path));

    for (unsigned links = 0; links <= LINKS_MAX; links++) {
        struct context_node *node = NULL;
        char *again = NULL;
        int found = walk_context(origin->context, current, last, &node, &again, err);

        if (found == 1)
            from_node(file, node);
        if (found != 2)
            return found;
        free(current);
        current = again;
    }
    return err_set(err, ERR_INPUT, ELOOP, "%s: more than %d symbolic links", path, LINKS_MAX);
}

static void from_blob(struct origin_file *file, const struct origin_blob *blob)
{
    *file = (struct origin_file){.entry = {.path = blob->name,
                                           .type = ENTRY_FILE,
                                           .mode = 0600,
                                           .size = blob->size,
                                           .mtime = blob->mtime}};
}

/* FROM scratch and nothing more: a root with nothing in it, which no index speaks of. */
static bool has_no_layer(const struct origin *origin)
{
    return origin->stack && origin->stack->count == 0;
}

int origin_find(struct origin *origin, const char *path, bool last, struct origin_file *file,
                struct err *err)
{
    SCOPED(buf_release) struct buf resolved = {0};
    struct view_entry at;
    const struct view *view;
    int found;

    if (origin->blob) {
        from_blob(file, origin->blob);
        return 1;
    }
    if (origin->context)
        return find_in_context(origin, path, last, file, err);
    view = stack_view(origin->stack, origin->layout, err);
    if (!view)
        return -1;
    found = view_resolve(view, path, last ? VIEW_FOLLOW : VIEW_NOFOLLOW_LAST, &resolved, &at, err);
    if (found < 0)
        return err->code == ENOTDIR ? 0 : -1;
    if (found == 0) {
        *file = (struct origin_file){.entry = {.path = ".", .type = ENTRY_DIR, .mode = 0755}};
        return has_no_layer(origin) && strcmp(buf_cstr(&resolved), ".") == 0;
    }
    from_view(file, view->layers[at.layer], at.layer, at.record);
    restore_merged(file, &at);
    return 1;
}

void origin_list_release(struct origin_list *list)
{
    free(list->items);
    *list = (struct origin_list){0};
}

static struct origin_file *grow(struct origin_list *list)
{
    VEC_GROW(list->items, list->count, list->capacity);
    return &list->items[list->count++];
}

/* Index and record; the stack's view is there, for it gave the ref. */
static const struct index *index_of(const struct origin *origin, struct origin_ref file)
{
    return origin->stack->view.layers[file.layer];
}

const char *origin_path(const struct origin *origin, struct origin_ref file)
{
    if (origin->blob)
        return origin->blob->name;
    if (has_no_layer(origin))
        return ".";
    return origin->context ? file.node->path : index_path(index_of(origin, file), file.record);
}

int origin_list_dir(struct origin *origin, struct origin_ref dir, struct origin_list *list,
                    struct err *err)
{
    SCOPED(view_list_release) struct view_list names = {0};
    const struct view *view;

    if (origin->context) {
        if (context_load(origin->context, dir.node, err) < 0)
            return -1;
        for (size_t i = 0; i < dir.node->count; i++)
            from_node(grow(list), &dir.node->children[i]);
        return 0;
    }
    view = stack_view(origin->stack, origin->layout, err);
    if (!view)
        return -1;
    view_list_dir(view, origin_path(origin, dir), &names);
    for (size_t i = 0; i < names.count; i++) {
        const struct view_entry *at = &names.items[i].at;
        struct origin_file *file = grow(list);

        from_view(file, view->layers[at->layer], at->layer, at->record);
        restore_merged(file, at);
    }
    return 0;
}

int origin_open(struct origin *origin, struct origin_ref file, struct err *err)
{
    struct view_entry at = {.layer = file.layer, .record = file.record};

    if (origin->blob)
        return layout_open_blob(origin->layout, origin->blob->digest, NULL, err);
    if (origin->context)
        return context_open_file(origin->context, file.node, err);
    index_get(index_of(origin, file), file.record, &at.entry);
    return stack_open_file(origin->stack, origin->layout, &at, err);
}

int origin_xattrs(struct origin *origin, struct origin_ref file, struct xattr_set *set,
                  struct err *err)
{
    struct entry e;

    if (origin->blob || has_no_layer(origin))
        return 0;
    if (!origin->context) {
        index_get(index_of(origin, file), file.record, &e);
        for (size_t i = 0; i < e.xattrs_count; i++)
            xattr_set_add(set, str_of(e.xattrs[i].name), e.xattrs[i].value);
        return 0;
    }
    /* Links, devices and pipes carry none of the attributes that travel. */
    if (!S_ISREG(file.node->st.st_mode) && !S_ISDIR(file.node->st.st_mode))
        return 0;
    AUTO_FD int fd = origin_open(origin, file, err);
    if (fd < 0)
        return -1;
    return xattr_read_fd(set, fd, err);
}

static int hash_attributes(struct origin *origin, struct origin_ref file, struct sha256 *h,
                           struct err *err)
{
    SCOPED(xattr_set_release) struct xattr_set set = {0};

    if (origin_xattrs(origin, file, &set, err) < 0)
        return -1;
    sha256_add_u64(h, set.count);
    for (size_t i = 0; i < set.count; i++) {
        sha256_add_framed(h, str_of(set.items[i].name));
        sha256_add_framed(h, set.items[i].value);
    }
    return 0;
}

static struct sums *sums_of(struct origin *origin, struct origin_ref file)
{
    struct sums **sums;

    if (!origin->sums) {
        origin->sums_count = origin->stack->count;
        origin->sums = xcalloc(origin->sums_count, sizeof(*origin->sums));
    }
    sums = &origin->sums[file.layer];
    if (!*sums)
        *sums = sums_open(origin->layout->cache_fd, origin->stack->layers[file.layer].diff_id,
                          index_count(index_of(origin, file)));
    return *sums;
}

void origin_release(struct origin *origin)
{
    for (size_t i = 0; i < origin->sums_count; i++)
        sums_close(origin->sums[i]);
    free(origin->sums);
    *origin = (struct origin){0};
}

/* Names of one inode have one digest: that of the first, which carries no link. */
static int layer_digest(struct origin *origin, struct origin_ref file, const struct entry *e,
                        uint8_t out[static SHA256_SIZE], struct err *err)
{
    struct sums *sums = sums_of(origin, file);
    const uint8_t *known;

    if (e->link)
        file.record = (uint32_t)index_find(index_of(origin, file), e->link);
    known = sums_get(sums, file.record);
    if (known) {
        memcpy(out, known, SHA256_SIZE);
        return 0;
    }
    AUTO_FD int fd = origin_open(origin, file, err);
    if (fd < 0)
        return -1;
    if (sums_of_file(fd, out, err) < 0)
        return err_wrap(err, "%s", e->path);
    sums_put(sums, file.record, out);
    return 0;
}

int origin_hash(struct origin *origin, struct origin_ref file, struct sha256 *h, struct err *err)
{
    uint8_t digest[SHA256_SIZE];
    struct entry e;

    if (origin->blob) {
        sha256_add_framed(h, str_of(origin->blob->digest));
        return 0;
    }
    if (origin->context) {
        entry_of_stat(&e, &file.node->st);
        if (e.type == ENTRY_DIR)
            return hash_attributes(origin, file, h, err);
        if (e.type != ENTRY_FILE)
            return 0;
        if (context_digest(origin->context, file.node, digest, err) < 0)
            return -1;
        sha256_add(h, digest, sizeof(digest));
        return 0;
    }
    if (has_no_layer(origin))
        return hash_attributes(origin, file, h, err);
    index_get(index_of(origin, file), file.record, &e);
    if (e.type == ENTRY_DIR)
        return hash_attributes(origin, file, h, err);
    if (e.type != ENTRY_FILE)
        return 0;
    if (layer_digest(origin, file, &e, digest, err) < 0)
        return -1;
    sha256_add(h, digest, sizeof(digest));
    return hash_attributes(origin, file, h, err);
}

const char *origin_hint(const struct origin *origin, const char *path)
{
    AUTO_FREE char *clean = path_beneath(str_of(path));

    if (!origin->context)
        return "";
    return context_leaves_out(origin->context, clean) ? "; the ignore file leaves it out"
           : context_has_socket(origin->context, clean)
               ? "; it is a socket, which no layer can hold"
               : "";
}
