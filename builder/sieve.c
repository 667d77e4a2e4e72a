/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/sieve.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/path.h"
#include "base/scope.h"
#include "base/strv.h"
#include "builder/diff.h"
#include "builder/stack.h"
#include "builder/view.h"

#define PIECE 65536

int sieve_open(struct sieve *sieve, struct layout *layout, struct pool *pool, struct stack *stack,
               const struct layer_options *options, struct err *err)
{
    struct layer_options with = *options;

    *sieve = (struct sieve){
        .layout = layout, .stack = stack, .clamp = options->clamp, .epoch = options->epoch};
    sieve->view = with.below = stack_view(stack, layout, err);
    if (!sieve->view)
        return -1;
    sieve->writer = layer_writer_open(layout, pool, &with, err);
    return sieve->writer ? 0 : -1;
}

void sieve_close(struct sieve *sieve)
{
    layer_writer_close(sieve->writer);
    sieve->writer = NULL;
}

static int64_t told_time(const struct sieve *s, const struct entry *e)
{
    return s->clamp && e->mtime > s->epoch ? s->epoch : e->mtime;
}

/* Those that travel with an image; the index has all that the layer's tar names. */
static bool travels(const struct xattr *x)
{
    return (strncmp(x->name, "user.", 5) == 0 && !xattr_is_overlay(x->name)) ||
           strcmp(x->name, "security.capability") == 0;
}

static const struct xattr *next_xattr(const struct entry *e, size_t *i)
{
    while (*i < e->xattrs_count && !travels(&e->xattrs[*i]))
        ++*i;
    return *i < e->xattrs_count ? &e->xattrs[(*i)++] : NULL;
}

static bool same_xattrs(const struct entry *a, const struct entry *b)
{
    size_t i = 0, j = 0;

    for (;;) {
        const struct xattr *x = next_xattr(a, &i), *y = next_xattr(b, &j);

        if (!x || !y)
            return x == y;
        if (strcmp(x->name, y->name) != 0 || !str_eq(x->value, y->value))
            return false;
    }
}

/* What only its directory tells has no time of its own (builder/index.h). */
static bool same_metadata(const struct sieve *s, const struct entry *e, const struct entry *below)
{
    if (e->type != below->type || e->opaque || e->uid != below->uid || e->gid != below->gid ||
        (e->type != ENTRY_SYMLINK && e->mode != below->mode) ||
        (!below->implied && told_time(s, e) != told_time(s, below)) || !same_xattrs(e, below))
        return false;
    switch (e->type) {
    case ENTRY_FILE:
        return e->size == below->size;
    case ENTRY_SYMLINK:
        return strcmp(e->link, below->link) == 0;
    case ENTRY_CHAR:
    case ENTRY_BLOCK:
        return e->dev_major == below->dev_major && e->dev_minor == below->dev_minor;
    default:
        return true;
    }
}

/* -1: unreadable, which the reading for the layer will tell better. */
static int same_bytes(int a, int b)
{
    AUTO_FREE char *bytes = xmalloc(2 * PIECE);

    for (off_t at = 0;;) {
        ssize_t n = pread(a, bytes, PIECE, at), m = pread(b, bytes + PIECE, PIECE, at);

        if (n < 0 || m < 0 || n != m)
            return n < 0 || m < 0 ? -1 : 0;
        if (n == 0)
            return 1;
        if (memcmp(bytes, bytes + PIECE, (size_t)n) != 0)
            return 0;
        at += n;
    }
}

static bool same_content(struct sieve *s, const struct view_entry *below, int dir_fd,
                         const char *name)
{
    struct err why = {0};
    AUTO_FD int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    AUTO_FD int old = fd < 0 ? -1 : stack_open_file(s->stack, s->layout, below, &why);

    if (old < 0)
        log_debug("%s: cannot be compared: %s", below->entry.path, why.text);
    return old >= 0 && same_bytes(fd, old) == 1;
}

static bool says_nothing(struct sieve *s, const struct entry *e, const struct view_entry *below,
                         int dir_fd, const char *name)
{
    struct stat st;

    if (!same_metadata(s, e, &below->entry))
        return false;
    if (e->type == ENTRY_DIR)
        return true;
    /* Another name of it may be new, and a link to this one. */
    if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_nlink > 1)
        return false;
    return e->type != ENTRY_FILE || e->size == 0 || same_content(s, below, dir_fd, name);
}

/* ---- what is left out of an upper directory ---- */

struct sieve_rest {
    struct strv paths;   /* in the walk's order: a directory before what is in it */
    struct strv opaques; /* directories whose mark goes */
};

static void rest_release(struct sieve_rest *rest)
{
    strv_release(&rest->paths);
    strv_release(&rest->opaques);
}

static int leave_out(struct sieve *s, const struct entry *e)
{
    if (s->rest && strcmp(e->path, ".") != 0)
        strv_add(&s->rest->paths, e->path);
    return 0;
}

/* The directory above keeps its time: the layer tells it. */
static int remove_one(int upper_fd, const char *path, struct err *err)
{
    AUTO_FREE char *up = str_dup(path_dir(str_of(path)));
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}};
    struct stat st, above;
    int rc;

    if (fstatat(upper_fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
        fstatat(upper_fd, up, &above, AT_SYMLINK_NOFOLLOW) < 0)
        return err_errno(err, "stat %s", path);
    rc = unlinkat(upper_fd, path, S_ISDIR(st.st_mode) ? AT_REMOVEDIR : 0);
    if (rc < 0 && (errno == ENOTEMPTY || errno == EEXIST))
        return 0; /* something in it is in the layer, and so is it, as it is below */
    times[1] = above.st_mtim;
    if (rc < 0 || utimensat(upper_fd, up, times, AT_SYMLINK_NOFOLLOW) < 0)
        return err_errno(err, "remove %s", path);
    return 0;
}

static int remove_rest(int upper_fd, const struct sieve_rest *rest, struct err *err)
{
    for (size_t i = 0; i < rest->opaques.count; i++) {
        AUTO_FD int fd =
            openat(upper_fd, rest->opaques.ptr[i], O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

        if (fd < 0)
            return err_errno(err, "open %s", rest->opaques.ptr[i]);
        fremovexattr(fd, "user.overlay.opaque");
        fremovexattr(fd, "trusted.overlay.opaque");
    }
    for (size_t i = rest->paths.count; i-- > 0;)
        if (remove_one(upper_fd, rest->paths.ptr[i], err) < 0)
            return -1;
    return 0;
}

int sieve_add(void *ctx, const struct entry *e, int dir_fd, const char *name, struct err *err)
{
    struct sieve *s = ctx;
    struct view_entry below;
    bool there = view_lookup(s->view, e->path, &below);
    struct entry told = *e;

    if (e->type == ENTRY_WHITEOUT && !there)
        return leave_out(s, e);
    if (told.opaque && !(there && below.entry.type == ENTRY_DIR)) {
        told.opaque = false;
        if (s->rest)
            strv_add(&s->rest->opaques, e->path);
    }
    if (there && says_nothing(s, &told, &below, dir_fd, name))
        return leave_out(s, e);
    return told.type == ENTRY_FILE ? layer_add_file(s->writer, &told, dir_fd, name, err)
                                   : layer_add(s->writer, &told, err);
}

int sieve_end(struct sieve *sieve, struct layer *layer, struct err *err)
{
    return layer_writer_end(sieve->writer, layer, err);
}

int sieve_upper(struct layout *layout, struct pool *pool, struct stack *stack, int upper_fd,
                const struct layer_options *options, struct layer *layer, struct err *err)
{
    SCOPED(rest_release) struct sieve_rest rest = {0};
    SCOPED(sieve_close) struct sieve s = {0};

    if (sieve_open(&s, layout, pool, stack, options, err) < 0)
        return -1;
    s.rest = &rest;
    if (diff_recorded(upper_fd, false, options->links, sieve_add, &s, err) < 0 ||
        sieve_end(&s, layer, err) < 0)
        return -1;
    return remove_rest(upper_fd, &rest, err);
}
