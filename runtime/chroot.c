/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/chroot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/scope.h"

static int try_all(const char *place, struct err *err)
{
    if (chdir(place) < 0)
        return err_errno(err, "enter %s", place);
    if (mknod("null", S_IFCHR | 0666, makedev(1, 3)) < 0)
        return err_errno(err, "make a device node");
    if (mknod("file", S_IFREG | 0600, 0) < 0 || chown("file", 1, 1) < 0)
        return err_errno(err, "give a file to another owner");
    if (chroot(".") < 0)
        return err_errno(err, "change the root");
    if (setgid(1) < 0 || setuid(1) < 0)
        return err_errno(err, "become another user");
    return 0;
}

/* The child tells by a message as large as a struct err. */
static int in_child(const char *place, struct err *err)
{
    int ends[2];
    pid_t pid;

    if (pipe2(ends, O_CLOEXEC) < 0)
        return err_errno(err, "make a pipe");
    AUTO_FD int read_fd = ends[0], write_fd = ends[1];
    pid = fork();
    if (pid < 0)
        return err_errno(err, "fork");
    if (pid == 0) {
        struct err told = {0};

        try_all(place, &told);
        fs_write(write_fd, &told, sizeof(told), &(struct err){0});
        _exit(0);
    }
    scope_close(&write_fd);
    struct err told = {0};
    ssize_t n = read(read_fd, &told, sizeof(told));
    waitpid(pid, NULL, 0);
    if (n != sizeof(told))
        return err_set(err, ERR_SYSTEM, EPIPE, "the attempt ended without a word");
    if (told.kind == ERR_NONE)
        return 0;
    *err = told;
    return -1;
}

int chroot_probe(struct err *err)
{
    const char *tmp = getenv("TMPDIR");
    char place[4096];
    int rc;

    if (geteuid() != 0)
        return err_set(err, ERR_SYSTEM, EPERM, "isolation chroot needs to be started by root");
    snprintf(place, sizeof(place), "%s/slipway-probe-XXXXXX", tmp && tmp[0] == '/' ? tmp : "/tmp");
    if (!mkdtemp(place))
        return err_errno(err, "make a directory in %s", tmp ? tmp : "/tmp");
    rc = in_child(place, err);
    fs_remove_tree(AT_FDCWD, place, &(struct err){0});
    return rc;
}
