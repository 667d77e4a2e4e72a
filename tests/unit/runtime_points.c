/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/rootfs.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/scope.h"
#include "tests/tap.h"

static char dir[] = "/tmp/slipway-points-XXXXXX";
static int dir_fd = -1;

static void setup(void)
{
    OK(mkdtemp(dir) != NULL);
    dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    OK(dir_fd >= 0);
}

static bool is(const char *path, mode_t type)
{
    struct stat st;

    return fstatat(dir_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 && (st.st_mode & S_IFMT) == type;
}

static void make(void)
{
    static const struct {
        const char *target;
        bool is_dir;
        const char *path; /* where it must be */
        const char *err;
    } rows[] = {
        {"/a/b/c", true, "a/b/c", NULL},
        {"/a/b/f", false, "a/b/f", NULL},
        {"/a/b/c", false, NULL, "mount point /a/b/c is a directory, the mount is a file"},
        {"/a/b/f", true, NULL, "mount point /a/b/f is a file, the mount is a directory"},
        {"/abs/x", true, "etc/deep/x", NULL},           /* abs -> /etc/deep */
        {"/dangling", false, "run/resolve/stub", NULL}, /* dangling -> run/resolve/stub */
        {"/up/y", true, "etc/y", NULL},                 /* up -> ../../../etc */
        {"/loop/z", true, NULL,
         "mount point /loop/z: open loop/z: Too many levels of symbolic links"},
        {"/a/b/f/g", true, NULL, "mount point /a/b/f/g: open a/b/f/g: Not a directory"},
        {"//q//./r/", true, "q/r", NULL},
    };
    struct err err = {0};

    OK(fs_mkdirs(dir_fd, "etc/deep", 0755, &err) == 0);
    OK(symlinkat("/etc/deep", dir_fd, "abs") == 0);
    OK(symlinkat("run/resolve/stub", dir_fd, "dangling") == 0);
    OK(symlinkat("../../../etc", dir_fd, "up") == 0);
    OK(symlinkat("loop", dir_fd, "loop") == 0);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct err failure = {0};
        int rc = rootfs_make_point(dir_fd, rows[i].target, rows[i].is_dir, NULL, &failure);

        OKF(rc == (rows[i].err ? -1 : 0), "%s: %s", rows[i].target, failure.text);
        if (rows[i].err)
            EQ_STR(failure.text, rows[i].err);
        else
            OKF(is(rows[i].path, rows[i].is_dir ? S_IFDIR : S_IFREG), "%s", rows[i].path);
    }
    OK(faccessat(AT_FDCWD, "/run/resolve/stub", F_OK, 0) < 0);
}

static void unmake(void)
{
    SCOPED(plan_release) struct plan plan = PLAN_INIT;
    struct rootfs_made made = {0};
    struct timespec old[2] = {{.tv_sec = 1000}, {.tv_sec = 1000, .tv_nsec = 5}};
    struct stat st;
    struct err err = {0};

    OK(mkdirat(dir_fd, "box", 0755) == 0 && mkdirat(dir_fd, "box/etc", 0755) == 0 &&
       mkdirat(dir_fd, "box/var", 0755) == 0);
    OK(utimensat(dir_fd, "box/etc", old, 0) == 0 && utimensat(dir_fd, "box/var", old, 0) == 0);
    OK(utimensat(dir_fd, "box", old, 0) == 0);
    AUTO_FD int box = openat(dir_fd, "box", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    plan.hosts = xstrdup("x");
    plan_add_tmpfs(&plan, "/var/kept/deep", 0, 0);
    plan_add_tmpfs(&plan, "/var/gone/deep", 0, 0);
    plan_add_tmpfs(&plan, "/dev/shm2", 0, 0);
    OKF(rootfs_prepare(box, &plan, &made, &err) == 0, "%s", err.text);
    OK(is("box/proc", S_IFDIR) && is("box/etc/hosts", S_IFREG) && is("box/var/gone/deep", S_IFDIR));
    OK(!is("box/dev/shm2", S_IFDIR)); /* appears inside, on /dev */
    OK(mkdirat(dir_fd, "box/var/kept/mine", 0755) == 0);
    rootfs_unmake(&made);
    OK(!is("box/proc", S_IFDIR) && !is("box/etc/hosts", S_IFREG) && !is("box/var/gone", S_IFDIR));
    OK(is("box/var/kept/mine", S_IFDIR));
    OK(fstatat(dir_fd, "box/etc", &st, 0) == 0);
    OK(st.st_mtim.tv_sec == 1000 && st.st_mtim.tv_nsec == 5);
    OK(fstatat(dir_fd, "box", &st, 0) == 0 && st.st_mtim.tv_sec == 1000);
    EQ_INT(made.count, 0);
}

static void stubs(void)
{
    SCOPED(plan_release) struct plan plan = PLAN_INIT;
    struct err err = {0};
    struct stat a, b;

    OK(mkdirat(dir_fd, "cache", 0755) == 0);
    AUTO_FD int cache = openat(dir_fd, "cache", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    plan.hosts = xstrdup("x");
    plan_add_file(&plan, "/run/secrets/a", STR("s"), 0400);
    plan_add_tmpfs(&plan, "/../../tmp", 0, 0);
    AUTO_FD int one = rootfs_stubs(cache, &plan, &err);
    AUTO_FD int two = rootfs_stubs(cache, &plan, &err);
    if (!OKF(one >= 0 && two >= 0, "%s", err.text))
        return;
    OK(fstat(one, &a) == 0 && fstat(two, &b) == 0 && a.st_ino == b.st_ino);
    OK(faccessat(one, "proc", F_OK, 0) == 0 && faccessat(one, "tmp", F_OK, 0) == 0);
    OK(fstatat(one, "run/secrets/a", &a, 0) == 0 && S_ISREG(a.st_mode) && a.st_size == 0);
    OK(faccessat(one, "etc/resolv.conf", F_OK, 0) < 0);
    plan.resolv_conf = xstrdup("y");
    AUTO_FD int three = rootfs_stubs(cache, &plan, &err);
    OK(three >= 0 && fstat(three, &a) == 0 && a.st_ino != b.st_ino);
    OK(faccessat(three, "etc/resolv.conf", F_OK, 0) == 0);
    SCOPED(strv_release) struct strv names = {0};
    OK(fs_list(cache, &names, &err) == 0);
    EQ_INT(names.count, 2); /* nothing half made is left */
}

static void cleanup(void)
{
    struct err err = {0};

    close(dir_fd);
    OK(fs_remove_tree(AT_FDCWD, dir, &err) == 0);
}

TAP_MAIN({"set-up", setup}, {"made inside the root", make}, {"taken away again", unmake},
         {"stub lower", stubs}, {"clean-up", cleanup})
