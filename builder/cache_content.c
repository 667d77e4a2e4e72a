/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cache_content.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/scope.h"
#include "base/usage.h"
#include "builder/cache_import.h"
#include "builder/cache_mount.h"
#include "builder/exec.h"
#include "builder/exec_run.h"
#include "builder/layer.h"
#include "builder/tree_copy.h"
#include "registry/layout.h"
#include "runtime/record.h"

void cache_contents_release(struct cache_contents *contents)
{
    for (size_t i = 0; i < contents->count; i++)
        free(contents->items[i].id);
    free(contents->items);
    *contents = (struct cache_contents){0};
}

static bool has_name(const struct cache_contents *contents, const char *name)
{
    for (size_t i = 0; i < contents->count; i++)
        if (strcmp(contents->items[i].name, name) == 0)
            return true;
    return false;
}

void cache_content_used(struct build *build, const char *name, const char *id)
{
    struct cache_contents *contents = &build->contents;

    pthread_mutex_lock(&build->lock);
    if (!has_name(contents, name)) {
        VEC_GROW(contents->items, contents->count, contents->capacity);
        contents->items[contents->count].id = xstrdup(id);
        memcpy(contents->items[contents->count++].name, name, SHA256_HEX_SIZE);
    }
    pthread_mutex_unlock(&build->lock);
}

/* ---- out ---- */

struct content_export {
    struct build *build;
    const struct cache_spec *spec;
    struct cache_doc *doc;
    void (*add_layer)(void *ctx, const struct descriptor *layer);
    void *ctx;
    uint64_t left; /* bytes */
};

static bool is_exported(const struct cache_doc *doc, const char *name)
{
    for (size_t i = 0; i < doc->contents_count; i++)
        if (strcmp(doc->contents[i].name, name) == 0)
            return true;
    return false;
}

static void leave(const struct content_export *x, const char *id)
{
    log_warn(
        "cache mount %s does not go along: it would be more than cache-mounts-max-size, %" PRIu64
        " bytes, together",
        id, x->spec->mounts_max_size);
}

/* What its files take on the disk, before any of them is read. */
static int too_large(const struct content_export *x, int dir_fd, struct err *err)
{
    SCOPED(usage_release) struct usage usage = {0};

    if (usage_add(&usage, dir_fd, ".", err) < 0)
        return -1;
    return usage.bytes / 4 >
           x->left; /* a small file takes a whole block, and in a tar two of 512 */
}

static int export_dir(struct content_export *x, const struct cache_name *cache, int dir_fd,
                      struct err *err)
{
    SCOPED(layer_release) struct layer layer = {0};
    struct layer_options options = exec_layer_options(x->build);
    struct cache_content *content;
    struct stat st;
    int large = too_large(x, dir_fd, err);

    if (large < 0 || fstat(dir_fd, &st) < 0)
        return large < 0 ? -1 : err_errno(err, "look at a cache");
    options.codec = x->spec->has_codec ? x->spec->codec : CODEC_GZIP;
    options.level = x->spec->level;
    options.clamp = false; /* tools go by these times */
    if (!large && layer_from_upper(x->build->tools->layout, x->build->tools->pool, dir_fd, &options,
                                   &layer, err) < 0)
        return -1;
    if (large || layer.size > x->left) {
        leave(x, cache->id);
        return 0;
    }
    x->left -= layer.size;
    x->add_layer(x->ctx, &layer.descriptor);
    content = cache_doc_add_content(x->doc);
    content->id = xstrdup(cache->id);
    content->mode = st.st_mode & 07777;
    content->uid = st.st_uid;
    content->gid = st.st_gid;
    memcpy(content->name, cache->name, SHA256_HEX_SIZE);
    memcpy(content->diff_id, layer.diff_id, DIGEST_SIZE);
    memcpy(content->layer, layer.descriptor.digest, DIGEST_SIZE);
    return 0;
}

static int export_own(struct content_export *x, const struct cache_name *cache, struct err *err)
{
    struct cache_mount mount = CACHE_MOUNT_CLOSED;
    int rc = cache_mount_read(x->build->tools->layout, cache->name, &mount, err);

    if (rc > 0)
        rc = export_dir(x, cache, mount.dir_fd, err);
    cache_mount_close(&mount);
    return rc < 0 ? err_wrap(err, "cache mount %.200s", cache->id) : 0;
}

/* What came with --cache-from and was not opened here goes on as it came, unread. */
static void export_foreign(struct content_export *x, const struct imported_content *from)
{
    struct cache_content *content;

    if (is_exported(x->doc, from->content.name))
        return;
    if (from->blob.size > x->left) {
        leave(x, from->content.id);
        return;
    }
    x->left -= from->blob.size;
    x->add_layer(x->ctx, &from->blob);
    content = cache_doc_add_content(x->doc);
    *content = from->content;
    content->id = xstrdup(from->content.id);
}

static int by_name(const void *a, const void *b)
{
    const struct cache_name *x = a, *y = b;

    return strcmp(x->name, y->name);
}

int cache_content_export(struct build *build, const struct cache_spec *spec, struct cache_doc *doc,
                         void (*add_layer)(void *ctx, const struct descriptor *layer), void *ctx,
                         struct err *err)
{
    struct content_export x = {build, spec, doc, add_layer, ctx, spec->mounts_max_size};
    struct cache_contents *own = &build->contents;

    if (!spec->mounts)
        return 0;
    if (own->count)
        qsort(own->items, own->count, sizeof(*own->items), by_name);
    for (size_t i = 0; i < own->count; i++)
        if (export_own(&x, &own->items[i], err) < 0)
            return -1;
    for (size_t i = 0; i < build->imported.contents_count; i++)
        export_foreign(&x, &build->imported.contents[i]);
    return 0;
}

/* ---- in ---- */

int cache_content_fill(struct layout *layout, const struct imported_content *from, int dir_fd,
                       struct err *err)
{
    const struct cache_content *content = &from->content;
    const struct tree_copy options = {0};
    char path[LAYER_TREE_PATH_MAX];
    struct err why = {0};

    if (layer_tree(layout, &from->blob, content->diff_id, &why) < 0) {
        log_warn("cache mount %s begins without what the cache has: %s", content->id, why.text);
        return 0;
    }
    AUTO_FD int tree_fd = fs_open_dir(layout->dir_fd, layer_tree_path(content->diff_id, path), err);
    if (tree_fd < 0 || tree_copy(tree_fd, dir_fd, &options, err) < 0)
        return -1;
    if (record_chown_fd(dir_fd, content->uid, content->gid) < 0 ||
        fchmod(dir_fd, content->mode) < 0)
        return err_errno(err, "set owner and mode of a cache");
    return 1;
}
