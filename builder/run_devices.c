/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/run_devices.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

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

static void keep(struct run_devices *d, int *fd)
{
    VEC_GROW(d->fds, d->count, d->capacity);
    d->fds[d->count++] = steal_fd(fd);
}

/* Read-only: the device still takes writes, but its node is the host's, and so would be the owner
 * and the mode that a command gives it. */
static void add_node_bind(struct run_devices *d, struct plan *plan, int *fd, const char *target)
{
    struct plan_mount *m = plan_add_bind(plan, *fd, target, true);

    m->no_suid = m->no_exec = true;
    keep(d, fd);
}

static void add(struct run_devices *d, struct plan *plan, int dir, const char *name)
{
    AUTO_FREE char *target = xasprintf("/dev/%s", name);
    struct stat st;
    AUTO_FD int fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0 || fstat(fd, &st) < 0 || !is_wanted(name, &st))
        return;
    if (d->count >= DEVICES_MAX) {
        log_debug("%s is left out: a sandbox takes %d devices", target, DEVICES_MAX);
        return;
    }
    add_node_bind(d, plan, &fd, target);
}

int run_devices_add_all(struct run_devices *devices, struct plan *plan, struct err *err)
{
    SCOPED(strv_release) struct strv names = {0};
    AUTO_FD int dir = open("/dev", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (dir < 0)
        return err_errno(err, "open /dev");
    if (fs_list(dir, &names, err) < 0)
        return err_wrap(err, "/dev");
    add(devices, plan, dir, "net/tun");
    for (size_t i = 0; i < names.count; i++)
        add(devices, plan, dir, names.ptr[i]);
    return 0;
}

/* --- of RUN --device --- */

static bool is_as_described(const struct cdi_node *n, const struct stat *st)
{
    bool block = n->type == 'b', pipe = n->type == 'p';

    if (n->type && (block  ? !S_ISBLK(st->st_mode)
                    : pipe ? !S_ISFIFO(st->st_mode)
                           : !S_ISCHR(st->st_mode)))
        return false;
    return !n->has_number || (major(st->st_rdev) == n->major && minor(st->st_rdev) == n->minor);
}

static int add_node(struct run_devices *d, const struct cdi_node *n, struct plan *plan,
                    struct err *err)
{
    AUTO_FD int fd = open(n->host_path, O_PATH | O_CLOEXEC);
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0)
        return err_errno(err, "RUN --device: device node %s", n->host_path);
    if (!S_ISCHR(st.st_mode) && !S_ISBLK(st.st_mode) && !S_ISFIFO(st.st_mode))
        return err_set(err, ERR_INPUT, 0, "RUN --device: %s is no device node", n->host_path);
    if (!is_as_described(n, &st))
        return err_set(err, ERR_INPUT, 0,
                       "RUN --device: %s is %s %u:%u here, and not what the specification says; "
                       "make the specification anew",
                       n->host_path,
                       S_ISBLK(st.st_mode)    ? "block device"
                       : S_ISFIFO(st.st_mode) ? "pipe"
                                              : "character device",
                       major(st.st_rdev), minor(st.st_rdev));
    if (n->is_changed)
        log_warn("RUN --device: %s keeps the owner, the mode and the permissions that %s has here",
                 n->path, n->host_path);
    add_node_bind(d, plan, &fd, n->path);
    return 0;
}

static int add_bind(struct run_devices *d, const struct cdi_bind *b, struct plan *plan,
                    struct err *err)
{
    struct plan_mount *m;
    AUTO_FD int fd = open(b->host_path, O_PATH | O_CLOEXEC);

    if (fd < 0)
        return err_errno(err, "RUN --device: mount of %s", b->host_path);
    m = plan_add_bind(plan, fd, b->container_path, b->read_only);
    m->no_suid = b->no_suid;
    m->no_exec = b->no_exec;
    keep(d, &fd);
    return 0;
}

int run_devices_check_plain(const struct cdi_edits *edits, struct err *err)
{
    if (!edits->nodes_count && !edits->binds_count)
        return 0;
    return err_set(err, ERR_INPUT, ENOSYS,
                   "RUN --device: %s needs a mount, and isolation chroot and in-place have none",
                   edits->nodes_count ? edits->nodes[0].path : edits->binds[0].container_path);
}

int run_devices_add_edits(struct run_devices *devices, const struct cdi_edits *edits,
                          struct plan *plan, struct err *err)
{
    for (size_t i = 0; i < edits->nodes_count; i++)
        if (add_node(devices, &edits->nodes[i], plan, err) < 0)
            return -1;
    for (size_t i = 0; i < edits->binds_count; i++)
        if (add_bind(devices, &edits->binds[i], plan, err) < 0)
            return -1;
    for (size_t i = 0; i < edits->env.count; i++) {
        struct str name, value;

        str_cut(str_of(edits->env.ptr[i]), '=', &name, &value);
        AUTO_FREE char *own = xasprintf(STR_FMT, STR_ARG(name));
        env_set(&plan->env, own, value.ptr);
    }
    return 0;
}

void run_devices_add_groups(const struct cdi_edits *edits, struct plan *plan)
{
    if (!edits->gids_count)
        return;
    plan->groups =
        xrealloc(plan->groups, (plan->groups_count + edits->gids_count) * sizeof(*plan->groups));
    memcpy(plan->groups + plan->groups_count, edits->gids,
           edits->gids_count * sizeof(*edits->gids));
    plan->groups_count += edits->gids_count;
}

void run_devices_release(struct run_devices *devices)
{
    for (size_t i = 0; i < devices->count; i++)
        scope_close(&devices->fds[i]);
    free(devices->fds);
    *devices = (struct run_devices){0};
}
