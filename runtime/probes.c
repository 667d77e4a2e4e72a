/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/probes.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/scope.h"
#include "base/str.h"
#include "runtime/cgroup.h"
#include "runtime/notify.h"
#include "runtime/seccomp.h"
#include "runtime/uplink.h"

#define KERNEL_MAJOR 5
#define KERNEL_MINOR 11 /* overlay in user namespaces */

static int probe_kernel(struct err *err)
{
    struct utsname host = {0};
    struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_BENEATH};
    struct str release, major, minor, rest;
    uint64_t a, b;

    AUTO_FD int fd = (int)syscall(SYS_openat2, AT_FDCWD, ".", &how, sizeof(how));
    if (fd < 0 && errno == ENOSYS)
        return err_errno(err, "open a file beneath a directory (openat2)");
    uname(&host);
    release = str_of(host.release);
    str_cut(release, '.', &major, &rest);
    for (minor = rest; minor.size && (minor.ptr[minor.size - 1] < '0' ||
                                      minor.ptr[minor.size - 1] > '9' || !str_u64(minor, &b));)
        minor.size--;
    if (str_u64(major, &a) && minor.size && str_u64(minor, &b) &&
        (a < KERNEL_MAJOR || (a == KERNEL_MAJOR && b < KERNEL_MINOR)))
        return err_set(err, ERR_SYSTEM, ENOSYS, "Linux %s is older than %d.%d", host.release,
                       KERNEL_MAJOR, KERNEL_MINOR);
    return 0;
}

static int probe_filter(struct err *err)
{
    SCOPED(seccomp_program_release) struct seccomp_program program = {0};

    return seccomp_program_compile(PLAN_CAPS_DEFAULT, &program, err);
}

/* Without CAP_SYS_ADMIN a domain needs no_new_privs: the child can have that. */
static int probe_landlock(struct err *err)
{
    uint64_t handled = 1; /* struct landlock_ruleset_attr of ABI 1: execute */

    AUTO_FD int fd = (int)syscall(444, &handled, sizeof(handled), 0); /* landlock_create_ruleset */
    if (fd < 0)
        return err_errno(err, "make a Landlock ruleset");
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || syscall(446, fd, 0) < 0)
        return err_errno(err, "enter a Landlock domain");
    return 0;
}

static int probe_privileges(struct err *err)
{
    if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1)
        return err_set(err, ERR_SYSTEM, EPERM, "this process is under no_new_privs");
    return 0;
}

static int probe_cgroup(struct err *err)
{
    struct resources r = {.memory = 64 << 20, .pids = 64};
    struct cgroup cgroup = {.count = 0};
    int rc = cgroup_make(&r, &cgroup, err);

    cgroup_release(&cgroup);
    return rc;
}

const struct probe probes_host[] = {
    {"kernel", "Linux 5.11 or later", probe_kernel},
    {"filter", "system call filter for this processor", probe_filter},
    {"recorder", "seccomp user notification, for isolation single", notify_probe},
    {"privileges", "set-user-id programs gain privileges (newuidmap; sudo in a step)",
     probe_privileges},
    {"landlock", "Landlock, which holds the steps of isolation chroot", probe_landlock},
    {"cgroup", "cgroups for --memory, --cpus, --pids-limit", probe_cgroup},
    {"tun", "/dev/net/tun, for private networks with a way out", uplink_check_tun},
    {"pasta", "pasta, for private networks with a way out", uplink_check_program},
};
const size_t probes_host_count = ARRAY_SIZE(probes_host);
