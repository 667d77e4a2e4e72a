/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/ground.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/fs.h"
#include "base/http.h"
#include "base/log.h"
#include "base/path.h"
#include "base/scope.h"
#include "base/str.h"
#include "builder/entry.h"
#include "builder/spared.h"

#define LEFT_MAX (1 << 30)

int ground_open(const struct ground *g, struct err *err)
{
    int fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    BUG_ON(!g->layout);
    return fd < 0 ? err_errno(err, "open /") : fd;
}

/* What slipway itself reads, late in a build, to talk to registries: once a stage has put its own
 * over this container's, that is better than nothing. */
static bool is_needed(const char *path)
{
    static const char *const needed[] = {
        "etc/ssl",   "etc/pki",           "usr/share/ca-certificates",
        "etc/hosts", "etc/nsswitch.conf", "etc/resolv.conf"};

    for (size_t i = 0; i < ARRAY_SIZE(needed); i++)
        if (strcmp(path, needed[i]) == 0 || entry_path_below(path, needed[i]))
            return true;
    return false;
}

static int note(void *ctx, enum scan_change change, const char *path, int dir_fd, const char *name,
                struct err *err)
{
    (void)dir_fd;
    (void)name;
    (void)err;
    if (change != SCAN_GONE && (change != SCAN_CHANGED || !is_needed(path)))
        buf_add(ctx, path, strlen(path) + 1);
    return 0;
}

/* What stages left. */
static int list_left(const struct ground *g, int root_fd, struct buf *left, struct err *err)
{
    SCOPED(scan_release) struct scan now = SCAN_CLOSED;
    const struct scan_options options = {.dir_fd = g->tmp.fd,
                                         .before = &g->before,
                                         .by_name = true,
                                         .spared = &g->spared,
                                         .fn = note,
                                         .ctx = left};

    return scan_tree(root_fd, &options, &now, err);
}

/* A directory in which there is something else stays. */
static int remove_one(int root_fd, const char *path, struct err *err)
{
    AUTO_FREE char *dir = str_dup(path_dir(str_of(path)));
    AUTO_FREE char *name = str_dup(path_base(str_of(path)));
    struct err why = {0};
    AUTO_FD int fd =
        fs_open_beneath(root_fd, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0, FS_NO_LINKS, &why);

    if (fd < 0) {
        if (why.code == ENOENT || why.code == ENOTDIR || why.code == ELOOP)
            return 0;
        *err = why;
        return -1;
    }
    if (unlinkat(fd, name, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno != EISDIR)
        return err_errno(err, "remove /%s", path);
    if (unlinkat(fd, name, AT_REMOVEDIR) == 0 || errno == ENOTEMPTY || errno == EEXIST)
        return 0;
    return err_errno(err, "remove /%s", path);
}

/* Backwards: what is in a directory before it. */
static int remove_left(const struct ground *g, int root_fd, const struct buf *left, struct err *err)
{
    size_t end = left->size;

    while (end > 0) {
        size_t at = end - 1;

        while (at > 0 && left->ptr[at - 1])
            at--;
        const char *path = (const char *)left->ptr + at;
        if (path[0] && !spared_has(&g->spared, path) && !spared_below(&g->spared, path) &&
            remove_one(root_fd, path, err) < 0)
            return -1;
        end = at;
    }
    return 0;
}

/* Of the build before this one. */
static int clear_old(const struct ground *g, int root_fd, struct err *err)
{
    SCOPED(buf_release) struct buf left = {0};
    struct err why = {0};

    if (fs_read_file(root_fd, SPARED_RECORD, &left, LEFT_MAX, &why) < 0) {
        if (why.code == ENOENT)
            return 0;
        *err = why;
        return -1;
    }
    if (left.size == 0 || left.ptr[left.size - 1])
        return err_set(err, ERR_SYSTEM, EBUSY,
                       "isolation in-place: a build that was killed left this container's root "
                       "half made (/%s); take a new container",
                       SPARED_RECORD);
    return remove_left(g, root_fd, &left, err);
}

static int begin(struct ground *g, struct layout *layout, int root_fd, struct err *err)
{
    const struct scan_options options = {.dir_fd = g->tmp.fd, .spared = &g->spared};

    if (spared_find(layout, &g->spared, err) < 0 || clear_old(g, root_fd, err) < 0 ||
        scan_tree(root_fd, &options, &g->before, err) < 0)
        return -1;
    return fs_replace(root_fd, SPARED_RECORD, "", 0, 0600, false, err);
}

int ground_take(struct ground *g, struct layout *layout, const void *holder, struct err *err)
{
    SCOPED(buf_release) struct buf left = {0};
    AUTO_FD int root_fd = -1;

    BUG_ON(g->holder);
    if (!g->layout) {
        http_preload();
        if (layout_tmp_open(layout, &g->tmp, err) < 0)
            return -1;
        g->layout = layout;
    }
    root_fd = ground_open(g, err);
    if (root_fd < 0)
        return -1;
    if (g->before.fd < 0) {
        if (begin(g, layout, root_fd, err) < 0)
            return -1;
    } else if (list_left(g, root_fd, &left, err) < 0 || remove_left(g, root_fd, &left, err) < 0) {
        return err_wrap(err, "put back this container's root");
    }
    g->holder = holder;
    g->used = true;
    return 0;
}

void ground_leave(struct ground *g, const void *holder)
{
    if (g->holder == holder)
        g->holder = NULL;
}

/* A record of nothing is one empty path, for an empty file says something else. */
static int record(const struct ground *g, struct err *err)
{
    SCOPED(buf_release) struct buf left = {0};
    AUTO_FD int root_fd = ground_open(g, err);

    if (root_fd < 0 || list_left(g, root_fd, &left, err) < 0)
        return -1;
    if (!left.size)
        buf_addc(&left, 0);
    return fs_replace(root_fd, SPARED_RECORD, left.ptr, left.size, 0600, false, err);
}

void ground_close(struct ground *g)
{
    struct err err = {0};

    if (g->used && record(g, &err) < 0)
        log_warn("isolation in-place: this container's root serves no other build: %s", err.text);
    scan_release(&g->before);
    strv_release(&g->spared);
    if (g->layout)
        layout_tmp_close(g->layout, &g->tmp);
    *g = (struct ground)GROUND_CLOSED;
}
