/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/context.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
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
    char *path, *label;
    bool git_modes, has_mtime;
    int64_t mtime;
    struct ignore ignore;
    pthread_mutex_t lock;      /* for all below, until a directory is loaded */
    struct statcache *digests; /* NULL: none are remembered */
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
    pthread_mutex_destroy(&context->lock);
    free(context->path);
    free(context->label);
    free(context);
}

static int read_ignore(struct context *context, const char *own, struct err *err)
{
    SCOPED(buf_release) struct buf bytes = {0};
    struct err missing = {.kind = ERR_SYSTEM, .code = ENOENT};

    if (own && fs_read_file(AT_FDCWD, own, &bytes, IGNORE_FILE_MAX, &missing) == 0)
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

/* What stat says, as the context means it. */
static void adjust(const struct context *context, struct stat *st)
{
    if (context->git_modes && (S_ISREG(st->st_mode) || S_ISDIR(st->st_mode)))
        st->st_mode = (st->st_mode & S_IFMT) |
                      (S_ISDIR(st->st_mode) || (st->st_mode & S_IXUSR) ? 0755 : 0644);
    if (context->has_mtime)
        st->st_mtim = (struct timespec){.tv_sec = context->mtime};
}

struct context *context_open(struct layout *layout, const struct context_options *options,
                             struct err *err)
{
    struct context *context = xcalloc(1, sizeof(*context));

    pthread_mutex_init(&context->lock, NULL);
    context->path = xstrdup(options->path);
    context->label = xstrdup(options->label);
    context->git_modes = options->git_modes;
    context->has_mtime = options->has_mtime;
    context->mtime = options->mtime;
    context->root.path = xstrdup(".");
    context->root_fd = open(options->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (context->root_fd < 0 || fstat(context->root_fd, &context->root.st) < 0) {
        err_errno(err, "%s %s", context->label, options->path);
        context_close(context);
        return NULL;
    }
    adjust(context, &context->root.st);
    if (!options->no_ignore && read_ignore(context, options->ignore_path, err) < 0) {
        err_wrap(err, "%s", context->label);
        context_close(context);
        return NULL;
    }
    if (!options->passing)
        context->digests = statcache_open(layout->cache_fd, context->root_fd);
    return context;
}

const struct ignore *context_ignore(const struct context *context)
{
    return &context->ignore;
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

static int read_node(const struct context *context, int dir_fd, struct context_node *node,
                     struct err *err)
{
    if (fstatat(dir_fd, node->name, &node->st, AT_SYMLINK_NOFOLLOW) < 0)
        return err_errno(err, "%s: %s", context->label, node->path);
    adjust(context, &node->st);
    if (S_ISLNK(node->st.st_mode)) {
        char target[PATH_MAX];
        ssize_t size = readlinkat(dir_fd, node->name, target, sizeof(target));

        if (size < 0)
            return err_errno(err, "%s: read link %s", context->label, node->path);
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
    out = read_node(context, dir_fd, &child, err);
    if (out == 0)
        out = left_out(context, &child, depth, err);
    if (out == 0 && S_ISSOCK(child.st.st_mode)) {
        log_debug("%s: %s is a socket and is passed over", context->label, child.path);
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
        return err_set(err, ERR_INPUT, 0, "%s: %s: nested deeper than %d directories",
                       context->label, node->path, DEPTH_MAX);
    AUTO_FD int fd =
        fs_open_beneath(context->root_fd, node->path, O_RDONLY | O_DIRECTORY, 0, FS_NO_LINKS, err);
    if (fd < 0 || fs_list(fd, &names, err) < 0)
        return err_wrap(err, "%s %s", context->label, context->path);
    for (size_t i = 0; i < names.count; i++)
        if (add_child(context, node, fd, names.ptr[i], &capacity, depth, err) < 0)
            return -1;
    node->loaded = true;
    return 0;
}

int context_load(struct context *context, struct context_node *node, struct err *err)
{
    int rc;

    pthread_mutex_lock(&context->lock);
    rc = load(context, node, 0, err);
    pthread_mutex_unlock(&context->lock);
    return rc;
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

bool context_alters(const struct context *context)
{
    return context->git_modes || context->has_mtime;
}

bool context_leaves_out(const struct context *context, const char *path)
{
    struct stat st;

    return ignore_match(&context->ignore, str_of(path)) &&
           fstatat(context->root_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

int context_read(const struct context *context, const char *path, size_t max, struct buf *out,
                 struct err *err)
{
    AUTO_FD int fd =
        fs_open_beneath(context->root_fd, path, O_RDONLY | O_NONBLOCK, 0, FS_IN_ROOT, err);

    if (fd < 0)
        return err_wrap(err, "%s", context->label);
    return fs_read(fd, out, max, err) < 0 ? err_wrap(err, "%s: %s", context->label, path) : 0;
}

int context_open_file(const struct context *context, const struct context_node *node,
                      struct err *err)
{
    int fd = fs_open_beneath(context->root_fd, node->path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0,
                             FS_NO_LINKS, err);

    return fd < 0 ? err_wrap(err, "%s %s", context->label, context->path) : fd;
}

bool context_changed(const struct context *context, const struct context_node *node)
{
    const struct stat *was = &node->st;
    struct stat st;

    if (fstatat(context->root_fd, node->path, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return true;
    adjust(context, &st);
    return st.st_ino != was->st_ino || st.st_dev != was->st_dev || st.st_size != was->st_size ||
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

static bool recall(struct context *context, const struct context_node *node,
                   uint8_t out[static SHA256_SIZE])
{
    const uint8_t *known;

    pthread_mutex_lock(&context->lock);
    known = context->digests ? statcache_get(context->digests, &node->st) : NULL;
    if (known)
        memcpy(out, known, SHA256_SIZE);
    pthread_mutex_unlock(&context->lock);
    return known != NULL;
}

int context_digest(struct context *context, const struct context_node *node,
                   uint8_t out[static SHA256_SIZE], struct err *err)
{
    struct stat before, after;
    struct sha256 h;

    if (recall(context, node, out))
        return 0;
    AUTO_FD int fd = context_open_file(context, node, err);
    if (fd < 0)
        return -1;
    sha256_begin(&h);
    if (fstat(fd, &before) < 0)
        return err_errno(err, "%s: %s", context->label, node->path);
    if (hash_content(fd, &h, err) < 0)
        return err_wrap(err, "%s: %s", context->label, node->path);
    sha256_end(&h, out);
    if (hash_xattrs(fd, out, err) < 0)
        return err_wrap(err, "%s: %s", context->label, node->path);
    if (fstat(fd, &after) < 0)
        return err_errno(err, "%s: %s", context->label, node->path);
    if (!context->digests)
        return 0;
    pthread_mutex_lock(&context->lock);
    statcache_put(context->digests, &before, &after, out);
    pthread_mutex_unlock(&context->lock);
    return 0;
}
