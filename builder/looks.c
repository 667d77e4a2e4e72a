/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/looks.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/scope.h"
#include "builder/index.h"
#include "runtime/record.h"

/* Makes one directory as the view shows it; one that is there already is done. */
static int make_one(const struct view *view, int fd, const char *path, struct err *err)
{
    struct timespec times[2] = {{0}};
    struct view_entry at;

    if (mkdirat(fd, path, 0700) < 0)
        return errno == EEXIST ? 0 : err_errno(err, "make directory %s", path);
    if (!view_lookup(view, path, &at))
        return 0;
    times[0].tv_sec = times[1].tv_sec = at.entry.mtime;
    AUTO_FD int dir = openat(fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (dir < 0 || record_chown_fd(dir, at.entry.uid, at.entry.gid) < 0)
        return err_errno(err, "chown %s", path);
    if (fchmodat(fd, path, at.entry.mode, 0) < 0 ||
        utimensat(fd, path, times, AT_SYMLINK_NOFOLLOW) < 0)
        return err_errno(err, "set up directory %s", path);
    return 0;
}

/* The directory and those above it, which stand above all trees too. */
static int make_chain(const struct view *view, int fd, const char *path, struct err *err)
{
    AUTO_FREE char *copy = xstrdup(path);

    for (char *p = copy;; p++) {
        char c = *p;

        if (c != '/' && c != 0)
            continue;
        *p = 0;
        if (make_one(view, fd, copy, err) < 0)
            return -1;
        *p = c;
        if (c == 0)
            return 0;
    }
}

/* Does a layer below say how this directory looks, and is that not what its tree gives it anyway?
 */
static bool needs_looks(const struct view *view, size_t layer, const struct entry *e)
{
    struct view_entry at;

    if (e->type != ENTRY_DIR || !e->implied || strcmp(e->path, ".") == 0 ||
        !view_lookup(view, e->path, &at))
        return false;
    return at.entry.type == ENTRY_DIR && at.layer < layer &&
           (at.entry.mode != 0755 || at.entry.uid != 0 || at.entry.gid != 0);
}

int looks_make(const struct view *view, int tmp_fd, int *fd, struct err *err)
{
    AUTO_FD int dir = -1;

    for (size_t layer = 1; layer < view->count; layer++) {
        const struct index *index = view->layers[layer];

        for (size_t i = 0; i < index_count(index); i++) {
            struct entry e;

            index_get(index, i, &e);
            if (!needs_looks(view, layer, &e))
                continue;
            if (dir < 0) {
                if (mkdirat(tmp_fd, "looks", 0755) < 0)
                    return err_errno(err, "make directory looks");
                dir = fs_open_dir(tmp_fd, "looks", err);
            }
            if (dir < 0 || make_chain(view, dir, e.path, err) < 0)
                return -1;
        }
    }
    *fd = steal_fd(&dir);
    return *fd >= 0;
}
