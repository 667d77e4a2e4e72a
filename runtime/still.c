/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/still.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/path.h"
#include "base/scope.h"

#define FILE_MAX (16 << 20) /* cpuinfo has 1.5 KiB a processor */

/* Major and minor numbers: Documentation/admin-guide/devices.txt. */
static const struct {
    const char *name;
    unsigned major, minor;
} nodes[] = {
    {"null", 1, 3},   {"zero", 1, 5},    {"full", 1, 7},
    {"random", 1, 8}, {"urandom", 1, 9}, {"tty", 5, 0},
};
static const struct {
    const char *name, *target;
} links[] = {
    {"fd", "/proc/self/fd"},
    {"stdin", "/proc/self/fd/0"},
    {"stdout", "/proc/self/fd/1"},
    {"stderr", "/proc/self/fd/2"},
};

/* By proc(5). Left out: what is of processes, and what must not be the same twice (random/uuid). */
static const char *const proc_files[] = {
    "cpuinfo",
    "filesystems",
    "loadavg",
    "meminfo",
    "stat",
    "swaps",
    "uptime",
    "version",
    "sys/crypto/fips_enabled",
    "sys/fs/file-max",
    "sys/kernel/cap_last_cap",
    "sys/kernel/hostname",
    "sys/kernel/ngroups_max",
    "sys/kernel/osrelease",
    "sys/kernel/ostype",
    "sys/kernel/pid_max",
    "sys/kernel/threads-max",
    "sys/kernel/random/boot_id",
    "sys/net/core/somaxconn",
    "sys/vm/max_map_count",
    "sys/vm/overcommit_memory",
};
static const char *const sys_files[] = {
    "devices/system/cpu/online",
    "devices/system/cpu/possible",
    "devices/system/cpu/present",
    "kernel/mm/transparent_hugepage/enabled",
};

int still_dev(int parent_fd, const char *name, struct err *err)
{
    if (mkdirat(parent_fd, name, 0755) < 0)
        return err_errno(err, "make /dev");
    AUTO_FD int fd = fs_open_dir(parent_fd, name, err);
    if (fd < 0)
        return -1;
    for (size_t i = 0; i < ARRAY_SIZE(nodes); i++)
        if (mknodat(fd, nodes[i].name, S_IFCHR | 0666, makedev(nodes[i].major, nodes[i].minor)) <
                0 ||
            fchmodat(fd, nodes[i].name, 0666, 0) < 0)
            return err_errno(err, "make /dev/%s", nodes[i].name);
    for (size_t i = 0; i < ARRAY_SIZE(links); i++)
        if (symlinkat(links[i].target, fd, links[i].name) < 0)
            return err_errno(err, "make /dev/%s", links[i].name);
    if (mkdirat(fd, "shm", 0755) < 0 || fchmodat(fd, "shm", 01777, 0) < 0 ||
        mkdirat(fd, "pts", 0755) < 0)
        return err_errno(err, "fill /dev");
    /* Where the store's file system is mounted nodev, every command would fail in its own words. */
    AUTO_FD int null_fd = openat(fd, "null", O_WRONLY | O_CLOEXEC);
    return null_fd < 0 ? err_errno(err, "open /dev/null in the store (is its file system mounted "
                                        "nodev, or is the device forbidden?)")
                       : 0;
}

static int copy_one(int from_fd, int to_fd, const char *path, struct err *err)
{
    SCOPED(buf_release) struct buf text = {0};
    AUTO_FREE char *dir = str_dup(path_dir(str_of(path)));
    struct err missing = {0};

    if (fs_read_file(from_fd, path, &text, FILE_MAX, &missing) < 0)
        return 0; /* another kernel, or an outer container that covers it */
    if (strcmp(dir, ".") != 0 && fs_mkdirs(to_fd, dir, 0555, err) < 0)
        return -1;
    AUTO_FD int fd =
        openat(to_fd, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0444);
    return fd < 0 ? err_errno(err, "make %s", path) : fs_write(fd, text.ptr, text.size, err);
}

static int copy_all(const char *from, int parent_fd, const char *name, const char *const *files,
                    size_t count, struct err *err)
{
    AUTO_FD int from_fd = open(from, O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd = -1;

    if (mkdirat(parent_fd, name, 0555) < 0)
        return err_errno(err, "make %s", from);
    fd = fs_open_dir(parent_fd, name, err);
    if (fd < 0)
        return -1;
    for (size_t i = 0; from_fd >= 0 && i < count; i++)
        if (copy_one(from_fd, fd, files[i], err) < 0)
            return err_wrap(err, "%s", from);
    return 0;
}

int still_proc(int parent_fd, const char *name, struct err *err)
{
    return copy_all("/proc", parent_fd, name, proc_files, ARRAY_SIZE(proc_files), err);
}

int still_sys(int parent_fd, const char *name, struct err *err)
{
    return copy_all("/sys", parent_fd, name, sys_files, ARRAY_SIZE(sys_files), err);
}
