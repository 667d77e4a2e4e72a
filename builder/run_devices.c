/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/run_devices.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/scope.h"
#include "base/strv.h"
#include "runtime/plan.h"

#define DEVICES_MAX 150 /* a plan takes PLAN_FDS_MAX descriptors in all */

/* Those that every sandbox has (runtime/rootfs.c), and terminals, which are somebody's. */
static bool is_wanted(const char *name, const struct stat *st)
{
    static const char *const own[] = {"null",    "zero", "full", "random",
                                      "urandom", "tty",  "ptmx", "console"};

    for (size_t i = 0; i < ARRAY_SIZE(own); i++)
        if (strcmp(name, own[i]) == 0)
            return false;
    if (strncmp(name, "tty", 3) == 0 || strncmp(name, "vcs", 3) == 0)
        return false;
    return S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode);
}

static void add(struct run_devices *d, struct plan *plan, int dir, const char *name)
{
    AUTO_FREE char *target = xasprintf("/dev/%s", name);
    struct stat st;
    AUTO_FD int fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0 || fstat(fd, &st) < 0 || !is_wanted(name, &st))
        return;
    if (d->count == DEVICES_MAX) {
        log_debug("%s is left out: a sandbox takes %d devices", target, DEVICES_MAX);
        return;
    }
    plan_add_bind(plan, fd, target, false);
    d->fds[d->count++] = steal_fd(&fd);
}

int run_devices_add(struct run_devices *devices, struct plan *plan, struct err *err)
{
    SCOPED(strv_release) struct strv names = {0};
    AUTO_FD int dir = open("/dev", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (dir < 0)
        return err_errno(err, "open /dev");
    if (fs_list(dir, &names, err) < 0)
        return err_wrap(err, "/dev");
    devices->fds = xcalloc(DEVICES_MAX, sizeof(*devices->fds));
    add(devices, plan, dir, "net/tun");
    for (size_t i = 0; i < names.count; i++)
        add(devices, plan, dir, names.ptr[i]);
    return 0;
}

void run_devices_release(struct run_devices *devices)
{
    for (size_t i = 0; i < devices->count; i++)
        scope_close(&devices->fds[i]);
    free(devices->fds);
    *devices = (struct run_devices){0};
}
