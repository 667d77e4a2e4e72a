/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/context.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/path.h"
#include "base/scope.h"
#include "base/strv.h"
#include "builder/entry.h"
#include "builder/ignore.h"
#include "builder/statcache.h"
#include "registry/layout.h"

#define IGNORE_FILE_MAX (4 << 20)
#define READ_STEP (256 << 10)
#define DEPTH_MAX 1000 /* ours: deeper directories are a loop of mounts, not a context */

struct context {
    int root_fd;
    char *path;
    struct ignore ignore;
    struct statcache *digests;
    struct context_node root;
};

static void free_children(struct context_node *node)
{
    for (size_t i = 0; i < node->count; i++) {
        struct context_node *child = &node->children[i];

        free_children(child);
        free(child->path);
        free(child->link);
    }
    free(node->children);
}

void context_close(struct context *context)
{
    if (!context)
        return;
    if (context->digests)
        statcache_close(context->digests);
    free_children(&context->root);
    free(context->root.path);
    ignore_release(&context->ignore);
    scope_close(&context->root_fd);
    free(context->path);
    free(context);
}

static int read_ignore(struct context *context, const char *dockerfile, struct err *err)
{
    AUTO_FREE char *own = xasprintf("%s.dockerignore", dockerfile);
    SCOPED(buf_release) struct buf bytes = {0};
    struct err missing = {0};

    if (fs_read_file(AT_FDCWD, own, &bytes, IGNORE_FILE_MAX, &missing) == 0)
        return ignore_parse(&context->ignore, buf_str(&bytes), own, err);
    if (missing.kind != ERR_SYSTEM || missing.code != ENOENT) {
        *err = missing;
        return -1;
    }
    if (fs_read_file(context->root_fd, ".dockerignore", &bytes, IGNORE_FILE_MAX, &missing) == 0)
        return ignore_parse(&context->ignore, buf_str(&bytes), ".dockerignore", err);
    if (missing.kind == ERR_SYSTEM && missing.code == ENOENT)
        return 0;
    *err = missing;
    return -1;
}

struct context *context_open(struct layout *layout, const char *path, const char *dockerfile,
                             struct err *err)
{
    struct context *context = xcalloc(1, sizeof(*context));

    context->path = xstrdup(path);
    context->root.path = xstrdup(".");
    context->root_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (context->root_fd < 0 || fstat(context->root_fd, &context->root.st) < 0) {
        err_errno(err, "build context %s", path);
        context_close(context);
        return NULL;
    }
    if (read_ignore(context, dockerfile, err) < 0) {
        context_close(context);
        return NULL;
    }
    context->digests = statcache_open(layout->cache_fd, context->root_fd);
    return context;
}

struct context_node *context_root(struct context *context)
{
    return &context->root;
}

static int by_name(const void *a, const void *b)
{
    const struct context_node *x = a, *y = b;

    return strcmp(x->name, y->name);
}

static int read_node(int dir_fd, struct context_node *node, struct err *err)
{
    if (fstatat(dir_fd, node->name, &node->st, AT_SYMLINK_NOFOLLOW) < 0)
        return err_errno(err, "build context: %s", node->path);
    if (S_ISLNK(node->st.st_mode)) {
        char target[PATH_MAX];
        ssize_t size = readlinkat(dir_fd, node->name, target, sizeof(target));

        if (size < 0)
            return err_errno(err, "build context: read link %s", node->path);
        node->link = xstrndup(target, (size_t)size);
    }
    return 0;
}

static int load(struct context *context, struct context_node *node, unsigned depth,
                struct err *err);

/* 1: the ignore file leaves it out. A left-out directory stays when something in it is put back by
 * a "!" line. */
static int left_out(struct context *context, struct context_node *node, unsigned depth,
                    struct err *err)
{
    struct str path = str_of(node->path);

    if (!context->ignore.count || !ignore_match(&context->ignore, path))
        return 0;
    if (!S_ISDIR(node->st.st_mode) || !ignore_may_descend(&context->ignore, path))
        return 1;
    if (load(context, node, depth + 1, err) < 0)
        return -1;
    return node->count == 0;
}

static int add_child(struct context *context, struct context_node *node, int dir_fd,
                     const char *name, size_t *capacity, unsigned depth, struct err *err)
{
    bool top = strcmp(node->path, ".") == 0;
    struct context_node child = {.path =
                                     top ? xstrdup(name) : xasprintf("%s/%s", node->path, name)};
    int out;

    child.name = child.path + (top ? 0 : strlen(node->path) + 1);
    out = read_node(dir_fd, &child, err);
    if (out == 0)
        out = left_out(context, &child, depth, err);
    if (out == 0 && S_ISSOCK(child.st.st_mode)) {
        log_debug("build context: %s is a socket and is passed over", child.path);
        out = 1;
    }
    if (out) {
        free_children(&child);
        free(child.path);
        free(child.link);
        return out < 0 ? -1 : 0;
    }
    VEC_GROW(node->children, node->count, *capacity);
    node->children[node->count++] = child;
    return 0;
}

static int load(struct context *context, struct context_node *node, unsigned depth, struct err *err)
{
    SCOPED(strv_release) struct strv names = {0};
    size_t capacity = 0;

    if (node->loaded)
        return 0;
    if (depth > DEPTH_MAX)
        return err_set(err, ERR_INPUT, 0, "build context: %s: nested deeper than %d directories",
                       node->path, DEPTH_MAX);
    AUTO_FD int fd =
        fs_open_beneath(context->root_fd, node->path, O_RDONLY | O_DIRECTORY, 0, FS_NO_LINKS, err);
    if (fd < 0 || fs_list(fd, &names, err) < 0)
        return err_wrap(err, "build context %s", context->path);
    for (size_t i = 0; i < names.count; i++)
        if (add_child(context, node, fd, names.ptr[i], &capacity, depth, err) < 0)
            return -1;
    node->loaded = true;
    return 0;
}

int context_load(struct context *context, struct context_node *node, struct err *err)
{
    return load(context, node, 0, err);
}

int context_child(struct context *context, struct context_node *dir, struct str name,
                  struct context_node **child, struct err *err)
{
    AUTO_FREE char *wanted = str_dup(name);

    *child = NULL;
    if (!S_ISDIR(dir->st.st_mode))
        return 0;
    if (context_load(context, dir, err) < 0)
        return -1;
    if (dir->count)
        *child = bsearch(&(struct context_node){.name = wanted}, dir->children, dir->count,
                         sizeof(*dir->children), by_name);
    return 0;
}

bool context_leaves_out(const struct context *context, const char *path)
{
    struct stat st;

    return ignore_match(&context->ignore, str_of(path)) &&
           fstatat(context->root_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

int context_open_file(const struct context *context, const struct context_node *node,
                      struct err *err)
{
    int fd = fs_open_beneath(context->root_fd, node->path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0,
                             FS_NO_LINKS, err);

    return fd < 0 ? err_wrap(err, "build context %s", context->path) : fd;
}

bool context_changed(const struct context *context, const struct context_node *node)
{
    const struct stat *was = &node->st;
    struct stat st;

    return fstatat(context->root_fd, node->path, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
           st.st_ino != was->st_ino || st.st_dev != was->st_dev || st.st_size != was->st_size ||
           st.st_mode != was->st_mode || st.st_ctim.tv_sec != was->st_ctim.tv_sec ||
           st.st_ctim.tv_nsec != was->st_ctim.tv_nsec;
}

static int hash_content(int fd, struct sha256 *h, struct err *err)
{
    AUTO_FREE char *bytes = xmalloc(READ_STEP);

    for (;;) {
        ssize_t n = read(fd, bytes, READ_STEP);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(err, "read");
        if (n == 0)
            return 0;
        sha256_add(h, bytes, (size_t)n);
    }
}

/* A file with attributes stands for the hash of its content's hash and of each attribute, framed.
 */
static int hash_xattrs(int fd, uint8_t digest[static SHA256_SIZE], struct err *err)
{
    SCOPED(xattr_set_release) struct xattr_set set = {0};
    struct sha256 h;

    if (xattr_read_fd(&set, fd, err) < 0)
        return -1;
    if (!set.count)
        return 0;
    sha256_begin(&h);
    sha256_add(&h, digest, SHA256_SIZE);
    for (size_t i = 0; i < set.count; i++) {
        sha256_add_framed(&h, str_of(set.items[i].name));
        sha256_add_framed(&h, set.items[i].value);
    }
    sha256_end(&h, digest);
    return 0;
}

int context_digest(struct context *context, const struct context_node *node,
                   uint8_t out[static SHA256_SIZE], struct err *err)
{
    const uint8_t *known = statcache_get(context->digests, &node->st);
    struct stat before, after;
    struct sha256 h;

    if (known) {
        memcpy(out, known, SHA256_SIZE);
        return 0;
    }
    AUTO_FD int fd = context_open_file(context, node, err);
    if (fd < 0)
        return -1;
    sha256_begin(&h);
    if (fstat(fd, &before) < 0)
        return err_errno(err, "build context: %s", node->path);
    if (hash_content(fd, &h, err) < 0)
        return err_wrap(err, "build context: %s", node->path);
    sha256_end(&h, out);
    if (hash_xattrs(fd, out, err) < 0)
        return err_wrap(err, "build context: %s", node->path);
    if (fstat(fd, &after) < 0)
        return err_errno(err, "build context: %s", node->path);
    statcache_put(context->digests, &before, &after, out);
    return 0;
}
