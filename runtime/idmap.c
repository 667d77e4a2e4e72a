/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/idmap.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/scope.h"
#include "runtime/syscalls.h"

static int write_map(pid_t pid, const char *name, unsigned id, struct err *err)
{
    char path[64], line[32];
    AUTO_FD int fd = -1;

    snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
    snprintf(line, sizeof(line), "%u 0 1\n", id);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return err_errno(err, "open %s", path);
    return fs_write(fd, line, strlen(line), err);
}

/*
 * A mount takes its map from a user namespace, and a namespace needs a process to be born in. That
 * one does nothing but wait for its end, so it may be forked beside threads.
 */
static int open_namespace(uid_t uid, gid_t gid, struct err *err)
{
    char path[64];
    int fd = -1, pidfd = -1;
    pid_t pid = sys_fork(CLONE_NEWUSER, &pidfd);

    if (pid == 0)
        for (;;)
            pause();
    if (pid < 0)
        return err_errno(err, "make a user namespace");
    close(pidfd);
    if (write_map(pid, "uid_map", uid, err) == 0 && write_map(pid, "gid_map", gid, err) == 0) {
        snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            err_errno(err, "open %s", path);
    }
    kill(pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
    return fd;
}

int idmap_to_root(int fd, uid_t uid, gid_t gid, struct err *err)
{
    AUTO_FD int namespace_fd = open_namespace(uid, gid, err), mount_fd = -1;
    struct mount_attr attr = {.attr_set = MOUNT_ATTR_IDMAP};

    if (namespace_fd < 0)
        return -1;
    mount_fd = open_tree(fd, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
    if (mount_fd < 0)
        return err_errno(err, "clone a mount");
    attr.userns_fd = (uint64_t)namespace_fd;
    if (mount_setattr(mount_fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
        return err_errno(err, "map the owner of a mount");
    return steal_fd(&mount_fd);
}
