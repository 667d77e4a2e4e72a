/* SPDX-License-Identifier: Apache-2.0 */
/* Reading directories of a context: one when something looks into it, or a whole tree at once. */
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
#include "base/pool.h"
#include "base/scope.h"
#include "builder/context_parts.h"

#define DEPTH_MAX 1000 /* ours: deeper directories are a loop of mounts, not a context */
#define JOB_DIRECTORIES 32

void context_forget(struct context_node *node)
{
    for (size_t i = 0; i < node->count; i++) {
        context_forget(&node->children[i]);
        free(node->children[i].link);
        free(node->children[i].digest);
    }
    free(node->children);
    free(node->names);
    node->children = NULL;
    node->names = NULL;
    node->count = 0;
}

/* ---- the names in one directory ---- */

struct names {
    struct buf bytes; /* each with its NUL */
    size_t *at;       /* where each begins, then sorted */
    size_t count, capacity;
};

static void names_release(struct names *n)
{
    buf_release(&n->bytes);
    free(n->at);
}

static int by_bytes(const void *a, const void *b, void *bytes)
{
    const char *base = bytes;

    return strcmp(base + *(const size_t *)a, base + *(const size_t *)b);
}

/* fd is closed in any case. */
static int list(int fd, struct names *n, struct err *err)
{
    DIR *dir = fdopendir(fd);
    struct dirent *entry;

    if (!dir) {
        err_errno(err, "open directory");
        close(fd);
        return -1;
    }
    errno = 0;
    while ((entry = readdir(dir))) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            VEC_GROW(n->at, n->count, n->capacity);
            n->at[n->count++] = n->bytes.size;
            buf_add(&n->bytes, entry->d_name, strlen(entry->d_name) + 1);
        }
        errno = 0;
    }
    if (errno) {
        err_errno(err, "read directory");
        closedir(dir);
        return -1;
    }
    closedir(dir);
    if (n->count > 1)
        qsort_r(n->at, n->count, sizeof(*n->at), by_bytes, n->bytes.ptr);
    return 0;
}

/* ---- one directory ---- */

static int load(struct context *context, struct context_node *node, unsigned depth,
                struct err *err);

static int read_node(const struct context *context, int dir_fd, struct context_node *node,
                     struct err *err)
{
    if (fstatat(dir_fd, node->name, &node->st, AT_SYMLINK_NOFOLLOW) < 0)
        return err_errno(err, "%s: %s", context->label, node->path);
    context_adjust(context, &node->st);
    if (S_ISLNK(node->st.st_mode)) {
        char target[PATH_MAX];
        ssize_t size = readlinkat(dir_fd, node->name, target, sizeof(target));

        if (size < 0)
            return err_errno(err, "%s: read link %s", context->label, node->path);
        node->link = xstrndup(target, (size_t)size);
    }
    return 0;
}

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
                     struct context_node *child, unsigned depth, struct err *err)
{
    int out = read_node(context, dir_fd, child, err);

    if (out == 0)
        out = left_out(context, child, depth, err);
    if (out == 0 && S_ISSOCK(child->st.st_mode)) {
        log_warn("%s: %s is a socket and is left out", context->label, child->path);
        out = 1;
    }
    if (out) {
        context_forget(child);
        free(child->link);
        *child = (struct context_node){0};
        return out < 0 ? -1 : 0;
    }
    node->count++;
    return 0;
}

/* All children's paths stand in one piece of memory. */
static int add_children(struct context *context, struct context_node *node, int dir_fd,
                        const struct names *names, unsigned depth, struct err *err)
{
    bool top = strcmp(node->path, ".") == 0;
    size_t head = top ? 0 : strlen(node->path) + 1;
    char *to = node->names = xmalloc(names->bytes.size + names->count * head + 1);

    node->children = xcalloc(names->count + 1, sizeof(*node->children));
    for (size_t i = 0; i < names->count; i++) {
        const char *name = names->bytes.ptr + names->at[i];
        struct context_node *child = &node->children[node->count];
        size_t size = strlen(name) + 1;

        if (head) {
            memcpy(to, node->path, head - 1);
            to[head - 1] = '/';
        }
        memcpy(to + head, name, size);
        *child = (struct context_node){.path = to, .name = to + head};
        to += head + size;
        if (add_child(context, node, dir_fd, child, depth, err) < 0)
            return -1;
    }
    return 0;
}

static int load(struct context *context, struct context_node *node, unsigned depth, struct err *err)
{
    SCOPED(names_release) struct names names = {0};

    if (node->loaded)
        return 0;
    if (depth > DEPTH_MAX)
        return err_set(err, ERR_INPUT, 0, "%s: %s: nested deeper than %d directories",
                       context->label, node->path, DEPTH_MAX);
    AUTO_FD int fd =
        fs_open_beneath(context->root_fd, node->path, O_RDONLY | O_DIRECTORY, 0, FS_NO_LINKS, err);
    if (fd < 0 || list(fcntl(fd, F_DUPFD_CLOEXEC, 0), &names, err) < 0)
        return err_wrap(err, "%s %s", context->label, context->path);
    if (add_children(context, node, fd, &names, depth, err) < 0) {
        context_forget(node);
        return -1;
    }
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

/* ---- a whole tree, level by level, each level in pieces ---- */

struct level {
    struct context_node **nodes;
    size_t count, capacity;
};

struct piece {
    struct context *context;
    struct context_node **nodes;
    size_t count;
};

/* What cannot be read stays unread: whoever needs it will meet the error. */
static int load_piece(void *arg, struct err *err)
{
    const struct piece *p = arg;

    for (size_t i = 0; i < p->count; i++) {
        struct err why = {0};

        if (load(p->context, p->nodes[i], 0, &why) < 0)
            log_debug("%s", why.text);
    }
    (void)err;
    return 0;
}

static void load_level(struct context *context, const struct level *level, struct pool *pool)
{
    size_t count = (level->count + JOB_DIRECTORIES - 1) / JOB_DIRECTORIES;
    AUTO_FREE struct piece *pieces = xcalloc(count + 1, sizeof(*pieces));
    AUTO_FREE struct job **jobs = xcalloc(count + 1, sizeof(struct job *));
    struct err ignored = {0};

    for (size_t i = 0; i < count; i++) {
        size_t first = i * JOB_DIRECTORIES, left = level->count - first;

        pieces[i] = (struct piece){context, level->nodes + first,
                                   left < JOB_DIRECTORIES ? left : JOB_DIRECTORIES};
        if (count > 1)
            jobs[i] = pool_start(pool, load_piece, &pieces[i]);
        else
            load_piece(&pieces[i], &ignored);
    }
    for (size_t i = 0; count > 1 && i < count; i++)
        job_wait(jobs[i], &ignored);
}

static void next_level(const struct level *from, struct level *to)
{
    for (size_t i = 0; i < from->count; i++)
        for (size_t k = 0; k < from->nodes[i]->count; k++) {
            struct context_node *child = &from->nodes[i]->children[k];

            if (!S_ISDIR(child->st.st_mode))
                continue;
            VEC_GROW(to->nodes, to->count, to->capacity);
            to->nodes[to->count++] = child;
        }
}

void context_load_tree(struct context *context, struct context_node *node, struct pool *pool)
{
    struct level level = {0};

    VEC_GROW(level.nodes, level.count, level.capacity);
    level.nodes[level.count++] = node;
    pthread_mutex_lock(&context->lock);
    while (level.count) {
        struct level next = {0};

        load_level(context, &level, pool);
        next_level(&level, &next);
        free(level.nodes);
        level = next;
    }
    pthread_mutex_unlock(&context->lock);
    free(level.nodes);
}
