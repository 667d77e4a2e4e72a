/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/output_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/path.h"
#include "base/scope.h"

static int open_directly(struct output_file *file, int fd, struct err *err)
{
    file->fd = fd;
    return fd < 0 ? err_errno(err, "open %s", file->dest) : 0;
}

static int open_nameless(struct output_file *file, const char *dest)
{
    AUTO_FREE char *dir = str_dup(path_dir(str_of(dest)));

    file->fd = open(dir, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666);
    if (file->fd < 0)
        return -1;
    file->temporary = xasprintf("%s.slipway-%ld", dest, (long)getpid());
    file->nameless = true;
    return 0;
}

int output_file_open(struct output_file *file, const char *dest, struct err *err)
{
    struct stat st;

    file->dest = xstrdup(dest);
    if (strcmp(dest, "-") == 0) {
        if (isatty(STDOUT_FILENO))
            return err_set(err, ERR_USAGE, 0, "an archive is not written to a terminal");
        return open_directly(file, fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3), err);
    }
    if (stat(dest, &st) == 0 && S_ISDIR(st.st_mode))
        return err_set(err, ERR_INPUT, EISDIR, "%s is a directory, not a file to write", dest);
    if (stat(dest, &st) == 0 && !S_ISREG(st.st_mode))
        return open_directly(file, open(dest, O_WRONLY | O_CLOEXEC), err);
    if (open_nameless(file, dest) == 0)
        return 0;
    file->temporary = xasprintf("%s.slipway-%ld", dest, (long)getpid());
    file->fd = open(file->temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (file->fd < 0) {
        err_errno(err, "make %s", dest);
        free(file->temporary);
        file->temporary = NULL;
        return -1;
    }
    return 0;
}

int output_file_commit(struct output_file *file, struct err *err)
{
    char link[FS_FD_PATH_MAX];

    if (file->nameless && linkat(AT_FDCWD, fs_fd_path(file->fd, link), AT_FDCWD, file->temporary,
                                 AT_SYMLINK_FOLLOW) < 0)
        return err_errno(err, "write %s", file->dest);
    file->nameless = false;
    if (file->temporary && rename(file->temporary, file->dest) < 0)
        return err_errno(err, "write %s", file->dest);
    free(file->temporary);
    file->temporary = NULL;
    return 0;
}

void output_file_release(struct output_file *file)
{
    if (file->temporary && !file->nameless)
        unlink(file->temporary);
    free(file->temporary);
    free(file->dest);
    scope_close(&file->fd);
    *file = (struct output_file)OUTPUT_FILE_CLOSED;
}
