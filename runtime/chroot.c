/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/chroot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/fs.h"
#include "runtime/attempt.h"

static int try_all(void *arg, struct err *err)
{
    const char *place = arg;

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
    rc = attempt_in_child(try_all, place, err);
    fs_remove_tree(AT_FDCWD, place, &(struct err){0});
    return rc;
}
