/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/tree_copy.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/scope.h"
#include "tests/tap.h"

static int look(void *ctx, const char *path, struct stat *st, struct err *err)
{
    int *calls = ctx;

    ++*calls;
    if (strcmp(path, "bad") == 0)
        return err_set(err, ERR_INPUT, 0, "bad");
    if (S_ISREG(st->st_mode))
        st->st_mode |= 0111;
    return strcmp(path, "dir/out") == 0;
}

static void put(int dir, const char *name, const char *text)
{
    int fd = openat(dir, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0640);

    OK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
}

static void copies(void)
{
    char root[] = "/tmp/slipway-copy-XXXXXX", link[16] = {0};
    const struct timespec times[2] = {{.tv_sec = 1, .tv_nsec = 2}, {.tv_sec = 3, .tv_nsec = 4}};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct err err = {0};
    struct stat a, b;
    int calls = 0;
    const struct tree_copy options = {.look = look, .ctx = &calls};

    OK(mkdtemp(root) != NULL);
    AUTO_FD int top = fs_open_dir(AT_FDCWD, root, &err);
    OK(mkdirat(top, "from", 0755) == 0 && mkdirat(top, "to", 0700) == 0);
    AUTO_FD int from = fs_open_dir(top, "from", &err), to = fs_open_dir(top, "to", &err);
    OK(mkdirat(from, "dir", 0751) == 0 && mkdirat(from, "dir/out", 0755) == 0);
    put(from, "dir/f", "content");
    put(from, "dir/out/x", "hidden");
    OK(linkat(from, "dir/f", from, "hard", 0) == 0 && symlinkat("dir/f", from, "soft") == 0);
    OK(mkfifoat(from, "pipe", 0604) == 0);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s/from/sock", root);
    AUTO_FD int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    OK(bind(sock, (struct sockaddr *)&address, sizeof(address)) == 0);
    AUTO_FD int file = openat(from, "dir/f", O_RDONLY | O_CLOEXEC);
    bool attributes = fsetxattr(file, "user.test", "v", 1, 0) == 0;
    OK(utimensat(from, "dir/f", times, 0) == 0 && utimensat(from, "dir", times, 0) == 0);

    OKF(tree_copy(from, to, &options, &err) == 0, "%s", err.text);
    OK(fstatat(to, "dir/f", &a, 0) == 0 && fstatat(to, "hard", &b, 0) == 0);
    OK(a.st_ino == b.st_ino && a.st_nlink == 2 && a.st_size == 7);
    EQ_INT(a.st_mode & 07777, 0751);
    OK(a.st_mtim.tv_sec == 3 && a.st_mtim.tv_nsec == 4);
    OK(fstatat(to, "dir", &a, 0) == 0 && a.st_mtim.tv_sec == 3);
    EQ_INT(a.st_mode & 07777, 0751);
    OK(readlinkat(to, "soft", link, sizeof(link)) == 5);
    EQ_STR(link, "dir/f");
    OK(fstatat(to, "pipe", &a, 0) == 0 && S_ISFIFO(a.st_mode) && (a.st_mode & 0777) == 0604);
    OK(faccessat(to, "dir/out", F_OK, 0) < 0 && faccessat(to, "sock", F_OK, 0) < 0);
    OK(fstatat(to, ".", &a, 0) == 0 && (a.st_mode & 07777) == 0755);
    AUTO_FD int copy = openat(to, "dir/f", O_RDONLY | O_CLOEXEC);
    char value[4] = {0};
    if (attributes)
        OK(fgetxattr(copy, "user.test", value, 4) == 1 && value[0] == 'v');
    EQ_INT(calls, 7); /* ".", dir, dir/f, dir/out, hard, pipe, soft */

    put(from, "bad", "");
    OK(mkdirat(top, "again", 0700) == 0);
    AUTO_FD int again = fs_open_dir(top, "again", &err);
    OK(tree_copy(from, again, &options, &err) < 0);
    EQ_STR(err.text, "copy bad: bad");
    fs_remove_tree(AT_FDCWD, root, &err);
}

TAP_MAIN({"copies", copies})
