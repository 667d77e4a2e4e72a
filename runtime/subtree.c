/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/subtree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/scope.h"
#include "runtime/syscalls.h"

#define CLONE_FLAGS (OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH)

static int clone_at(int fd, unsigned recursive)
{
    return open_tree(fd, "", CLONE_FLAGS | recursive);
}

/*
 * Before Linux 6.15 only what is attached in our mount namespace can be cloned from. So the mount
 * is put at a place of its own for a moment (the namespace is private), and its clone with it.
 */
static int clone_attached(int root_fd, const char *path, unsigned recursive, struct err *err)
{
    char place[] = "/tmp/.slipway-subtree-XXXXXX";
    AUTO_FD int attached = -1, at = -1, clone = -1;

    if (!mkdtemp(place))
        return err_errno(err, "make %s", place);
    if (move_mount(root_fd, "", AT_FDCWD, place, MOVE_MOUNT_F_EMPTY_PATH) < 0) {
        err_errno(err, "attach a file system for a moment");
    } else {
        attached = open(place, O_PATH | O_DIRECTORY | O_CLOEXEC);
        at = attached < 0 ? err_errno(err, "open %s", place)
                          : fs_open_beneath(attached, path, O_PATH, 0, FS_IN_ROOT, err);
        clone = at < 0 ? -1 : clone_at(at, recursive);
        if (at >= 0 && clone < 0)
            err_errno(err, "clone the mount of %s", path);
        umount2(place, MNT_DETACH);
    }
    rmdir(place);
    return steal_fd(&clone);
}

int subtree_mount(int root_fd, const char *path, bool read_only, bool *is_dir, struct err *err)
{
    AUTO_FD int at = *path ? fs_open_beneath(root_fd, path, O_PATH, 0, FS_IN_ROOT, err)
                           : fcntl(root_fd, F_DUPFD_CLOEXEC, 3);
    AUTO_FD int clone = -1;
    struct mount_attr attr = {.attr_set = (read_only ? MOUNT_ATTR_RDONLY : 0) | MOUNT_ATTR_NODEV};
    unsigned recursive;
    struct stat st;

    if (at < 0)
        return *path ? -1 : err_errno(err, "mount a file");
    if (fstat(at, &st) < 0)
        return err_errno(err, "%s", path);
    *is_dir = S_ISDIR(st.st_mode);
    recursive = *is_dir ? AT_RECURSIVE : 0;
    clone = clone_at(at, recursive);
    if (clone < 0 && errno != EINVAL)
        return err_errno(err, "clone the mount of %s", path);
    if (clone < 0)
        clone = clone_attached(root_fd, path, recursive, err);
    if (clone < 0)
        return -1;
    if (mount_setattr(clone, "", AT_EMPTY_PATH | recursive, &attr, sizeof(attr)) < 0)
        return err_errno(err, "restrict the mount of %s", path);
    return steal_fd(&clone);
}
