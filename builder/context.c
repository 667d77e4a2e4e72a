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
#include "builder/context_parts.h"
#include "builder/entry.h"
#include "builder/ignore.h"
#include "builder/statcache.h"
#include "registry/layout.h"

#define IGNORE_FILE_MAX (4 << 20)

void context_close(struct context *context)
{
    if (!context)
        return;
    if (context->digests)
        statcache_close(context->digests);
    context_forget(&context->root);
    free(context->root.digest);
    ignore_release(&context->ignore);
    scope_close(&context->root_fd);
    pthread_mutex_destroy(&context->lock);
    free(context->path);
    free(context->label);
    free(context);
}

/* 1: read; 0: there is none. A link to nothing is not none: what was to be left out would be
 * copied. */
static int read_rules(struct context *context, int dir_fd, const char *path, struct err *err)
{
    SCOPED(buf_release) struct buf bytes = {0};
    struct stat st;

    if (fstatat(dir_fd, path, &st, 0) < 0) {
        if (errno != ENOENT)
            return err_errno(err, "open %s", path);
        if (fstatat(dir_fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
            return 0;
        return err_set(err, ERR_SYSTEM, ENOENT, "%s is a symbolic link to what is not there", path);
    }
    if (!S_ISREG(st.st_mode))
        return err_set(err, ERR_INPUT, EINVAL, "%s is not a file", path);
    if (fs_read_file(dir_fd, path, &bytes, IGNORE_FILE_MAX, err) < 0 ||
        ignore_parse(&context->ignore, buf_str(&bytes), path, err) < 0)
        return -1;
    return 1;
}

static int read_ignore(struct context *context, const char *own, struct err *err)
{
    int result = own ? read_rules(context, AT_FDCWD, own, err) : 0;

    if (!result)
        result = read_rules(context, context->root_fd, ".dockerignore", err);
    return result < 0 ? -1 : 0;
}

/* What stat says, as the context means it. */
void context_adjust(const struct context *context, struct stat *st)
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
    context->root.path = ".";
    context->root_fd = open(options->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (context->root_fd < 0 || fstat(context->root_fd, &context->root.st) < 0) {
        err_errno(err, "%s %s", context->label, options->path);
        context_close(context);
        return NULL;
    }
    context_adjust(context, &context->root.st);
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

bool context_has_socket(const struct context *context, const char *path)
{
    struct stat st;

    return fstatat(context->root_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISSOCK(st.st_mode);
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
    context_adjust(context, &st);
    return st.st_ino != was->st_ino || st.st_dev != was->st_dev || st.st_size != was->st_size ||
           st.st_mode != was->st_mode || st.st_ctim.tv_sec != was->st_ctim.tv_sec ||
           st.st_ctim.tv_nsec != was->st_ctim.tv_nsec;
}
