/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/rootfs.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/scope.h"
#include "runtime/record.h"
#include "runtime/syscalls.h"

/* The places that the spawner's root keeps for us (spawner.c, prune_mounts()). */
#define PLACE_ROOT "/root"
#define PLACE_SCRATCH "/scratch"

#define SCRATCH_SIZE                                                                               \
    "67108864"            /* all of /dev and the generated files; Docker's figure for /dev         \
                           */
#define SHM_SIZE 67108864 /* Docker's --shm-size */

/* Docker's lists (moby, oci/defaults.go): what tells about the host or changes it. A missing one is
 * passed over. */
static const char *const masked[] = {
    "proc/acpi",       "proc/asound",        "proc/interrupts",  "proc/kcore",
    "proc/keys",       "proc/latency_stats", "proc/sched_debug", "proc/scsi",
    "proc/timer_list", "proc/timer_stats",   "sys/firmware",     "sys/devices/virtual/powercap",
};
static const char *const read_only[] = {"proc/bus", "proc/fs", "proc/irq", "proc/sys",
                                        "proc/sysrq-trigger"};

#define NODE_ATTRS (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC)
static const char *const devices[] = {"null", "zero", "full", "random", "urandom", "tty"};
static const struct {
    const char *name, *target;
} dev_links[] = {
    {"fd", "/proc/self/fd"},       {"stdin", "/proc/self/fd/0"}, {"stdout", "/proc/self/fd/1"},
    {"stderr", "/proc/self/fd/2"}, {"core", "/proc/kcore"},      {"ptmx", "pts/ptmx"},
};

struct rootfs {
    const struct plan *plan;
    int root_fd;    /* the root's own mount */
    int scratch_fd; /* tmpfs: dev/, the generated files, empty/ for masking */
    int scratch_files;
};

static int attach(int mount_fd, int root_fd, const char *target, struct err *err)
{
    AUTO_FD int at = fs_open_beneath(root_fd, target, O_PATH | O_CLOEXEC, 0, FS_IN_ROOT, err);

    if (at < 0)
        return err_wrap(err, "mount point");
    if (move_mount(mount_fd, "", at, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
        return err_errno(err, "mount on %s", target);
    return 0;
}

struct option {
    const char *key, *value;
};

/* A new file system, detached. Options end with a NULL key. */
static int new_mount(const char *type, const struct option *options, unsigned attrs,
                     struct err *err)
{
    AUTO_FD int fs_fd = fsopen(type, FSOPEN_CLOEXEC);
    int mount_fd;

    if (fs_fd < 0)
        return err_errno(err, "open file system %s", type);
    for (; options && options->key; options++)
        if (fsconfig(fs_fd, FSCONFIG_SET_STRING, options->key, options->value, 0) < 0)
            return err_errno(err, "%s option %s=%s", type, options->key, options->value);
    if (fsconfig(fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
        return err_errno(err, "make file system %s", type);
    mount_fd = fsmount(fs_fd, FSMOUNT_CLOEXEC, attrs);
    return mount_fd < 0 ? err_errno(err, "mount %s", type) : mount_fd;
}

static int mount_new(const char *type, const struct option *options, unsigned attrs, int root_fd,
                     const char *target, struct err *err)
{
    AUTO_FD int fd = new_mount(type, options, attrs, err);

    return fd < 0 ? -1 : attach(fd, root_fd, target, err);
}

/* A copy of what is mounted at from_fd/from, with attributes, on root_fd/target. */
static int bind(int from_fd, const char *from, unsigned flags, uint64_t attrs, int root_fd,
                const char *target, struct err *err)
{
    struct mount_attr attr = {.attr_set = attrs};
    AUTO_FD int fd = open_tree(from_fd, from, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | flags);

    if (fd < 0)
        return err_errno(err, "clone mount of %s", from);
    if (attrs &&
        mount_setattr(fd, "", AT_EMPTY_PATH | (flags & AT_RECURSIVE), &attr, sizeof(attr)) < 0)
        return err_errno(err, "restrict mount on %s", target);
    return attach(fd, root_fd, target, err);
}

static int make_scratch(struct rootfs *r, struct err *err)
{
    static const struct option options[] = {{"mode", "0755"}, {"size", SCRATCH_SIZE}, {NULL, NULL}};

    r->scratch_fd = new_mount("tmpfs", options, MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID, err);
    if (r->scratch_fd < 0)
        return -1;
    if (move_mount(r->scratch_fd, "", AT_FDCWD, PLACE_SCRATCH, MOVE_MOUNT_F_EMPTY_PATH) < 0)
        return err_errno(err, "mount the scratch file system");
    if (mkdirat(r->scratch_fd, "dev", 0755) < 0 || mkdirat(r->scratch_fd, "empty", 0755) < 0)
        return err_errno(err, "fill the scratch file system");
    return 0;
}

/* Where an image has a link for /proc, /dev or /sys, our own paths below them would lead wherever
 * it says. */
static int refuse_links(struct rootfs *r, struct err *err)
{
    static const char *const names[] = {"proc", "dev", "sys"};

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        struct stat st;

        if (fstatat(r->root_fd, names[i], &st, AT_SYMLINK_NOFOLLOW) < 0)
            return err_errno(err, "mount point /%s", names[i]);
        if (!S_ISDIR(st.st_mode))
            return err_set(err, ERR_INPUT, ENOTDIR, "/%s of the image is not a directory",
                           names[i]);
    }
    return 0;
}

static int attach_root(struct rootfs *r, struct err *err)
{
    r->root_fd = r->plan->root_fd;
    if (move_mount(r->root_fd, "", AT_FDCWD, PLACE_ROOT, MOVE_MOUNT_F_EMPTY_PATH) < 0)
        return err_errno(err, "attach the root");
    return refuse_links(r, err);
}

static int mount_dev(struct rootfs *r, struct err *err)
{
    /* With one id there is no group 5 to give the terminals to. */
    const struct option pts[] = {{"ptmxmode", "0666"},
                                 {"mode", "0620"},
                                 {r->plan->record ? NULL : "gid", "5"},
                                 {NULL, NULL}};
    char size[24];
    const struct option shm[] = {{"mode", "1777"}, {"size", size}, {NULL, NULL}};
    static const char *const dirs[] = {"pts", "shm", "mqueue"};
    const unsigned quiet = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
    AUTO_FD int dev_fd = openat(r->scratch_fd, "dev", O_PATH | O_DIRECTORY | O_CLOEXEC);

    snprintf(size, sizeof(size), "%" PRIu64,
             r->plan->shm_size ? r->plan->shm_size : (uint64_t)SHM_SIZE);
    for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
        if (mkdirat(dev_fd, dirs[i], 0755) < 0)
            return err_errno(err, "make /dev/%s", dirs[i]);
    for (size_t i = 0; i < ARRAY_SIZE(dev_links); i++)
        if (symlinkat(dev_links[i].target, dev_fd, dev_links[i].name) < 0)
            return err_errno(err, "make /dev/%s", dev_links[i].name);
    for (size_t i = 0; i < ARRAY_SIZE(devices); i++) {
        char host[32];
        AUTO_FD int fd = openat(dev_fd, devices[i], O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);

        snprintf(host, sizeof(host), "/dev/%s", devices[i]);
        /* Read-only: the device still takes writes, but its node is the host's, and chmod there
         * would be too. */
        if (fd < 0 || bind(AT_FDCWD, host, 0, NODE_ATTRS, dev_fd, devices[i], err) < 0)
            return fd < 0 ? err_errno(err, "make %s", host) : -1;
    }
    /* Everything above is in place before it is bound: the copy is recursive. */
    if (bind(r->scratch_fd, "dev", AT_RECURSIVE, 0, r->root_fd, "dev", err) < 0)
        return -1;
    if (mount_new("devpts", pts, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, r->root_fd, "dev/pts",
                  err) < 0)
        return -1;
    if (mount_new("tmpfs", shm, quiet, r->root_fd, "dev/shm", err) < 0)
        return -1;
    return mount_new("mqueue", NULL, quiet, r->root_fd, "dev/mqueue", err);
}

static int mount_proc(struct rootfs *r, struct err *err)
{
    const unsigned attrs = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
    struct err failure = {0};

    if (mount_new("proc", NULL, attrs, r->root_fd, "proc", &failure) == 0)
        return 0;
    if (failure.code != EPERM) {
        *err = failure;
        return -1;
    }
    /* An outer container has covered parts of its /proc, so the kernel gives us no clean one. Its
     * own serves: /proc/self is right there, only process numbers are the outer ones. */
    return bind(AT_FDCWD, "/proc", AT_RECURSIVE, attrs, r->root_fd, "proc", err);
}

static int mount_sys(struct rootfs *r, struct err *err)
{
    const unsigned attrs =
        MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_RDONLY;
    struct err failure = {0};

    /* A fresh sysfs belongs to a network namespace and is given only to who owns that. */
    if (r->plan->network != PLAN_NETWORK_HOST &&
        mount_new("sysfs", NULL, attrs, r->root_fd, "sys", &failure) == 0)
        return 0;
    return bind(AT_FDCWD, "/sys", AT_RECURSIVE, attrs, r->root_fd, "sys", err);
}

/* A port below 1024 is nothing special in a network of one's own, nor is a ping (Docker's
 * settings). */
static void open_network(struct rootfs *r)
{
    static const struct option settings[] = {
        {"proc/sys/net/ipv4/ip_unprivileged_port_start", "0"},
        {"proc/sys/net/ipv4/ping_group_range", "0 2147483647"}};

    for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
        struct err ignored = {0};
        AUTO_FD int fd = openat(r->root_fd, settings[i].key, O_WRONLY | O_CLOEXEC);

        if (fd >= 0)
            fs_write(fd, settings[i].value, strlen(settings[i].value), &ignored);
    }
}

static int mask_paths(struct rootfs *r, struct err *err)
{
    const unsigned attrs =
        MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;

    for (size_t i = 0; i < ARRAY_SIZE(read_only); i++)
        if (faccessat(r->root_fd, read_only[i], F_OK, 0) == 0 &&
            bind(r->root_fd, read_only[i], AT_RECURSIVE, attrs, r->root_fd, read_only[i], err) < 0)
            return -1;
    for (size_t i = 0; i < ARRAY_SIZE(masked); i++) {
        struct stat st;
        int rc;

        if (fstatat(r->root_fd, masked[i], &st, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        if (S_ISDIR(st.st_mode))
            rc = bind(r->scratch_fd, "empty", 0, attrs, r->root_fd, masked[i], err);
        else
            rc = bind(AT_FDCWD, "/dev/null", 0, NODE_ATTRS, r->root_fd, masked[i], err);
        if (rc < 0)
            return -1;
    }
    return 0;
}

/* Bytes as a file of the scratch file system, bound where they shall be seen. */
static int mount_file(struct rootfs *r, const char *target, struct str content,
                      const struct plan_mount *m, struct err *err)
{
    mode_t mode = m && m->mode ? m->mode : 0644;
    char name[32];

    snprintf(name, sizeof(name), "file-%d", r->scratch_files++);
    AUTO_FD int fd = openat(r->scratch_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_errno(err, "make %s", target);
    if (fs_write(fd, content.ptr, content.size, err) < 0)
        return err_wrap(err, "make %s", target);
    if ((m && (m->uid || m->gid) && record_chown_fd(fd, m->uid, m->gid) < 0) ||
        fchmod(fd, mode) < 0)
        return err_errno(err, "set owner and mode of %s", target);
    return bind(r->scratch_fd, name, 0, m && m->read_only ? MOUNT_ATTR_RDONLY : 0, r->root_fd,
                target, err);
}

static int mount_etc(struct rootfs *r, struct err *err)
{
    const struct plan *p = r->plan;

    if (p->hosts && mount_file(r, "etc/hosts", str_of(p->hosts), NULL, err) < 0)
        return -1;
    if (p->resolv_conf && mount_file(r, "etc/resolv.conf", str_of(p->resolv_conf), NULL, err) < 0)
        return -1;
    if (p->hostname_file && mount_file(r, "etc/hostname", str_of(p->hostname_file), NULL, err) < 0)
        return -1;
    return 0;
}

static int mount_tmpfs(struct rootfs *r, const struct plan_mount *m, struct err *err)
{
    char mode[8], uid[16], gid[16], size[24];
    struct option options[] = {
        {"mode", mode}, {"uid", uid}, {"gid", gid}, {NULL, NULL}, {NULL, NULL}};

    snprintf(mode, sizeof(mode), "%04o", (m->mode ? m->mode : 0755) & 07777);
    /* Where only one id can be had, it is the owner. */
    snprintf(uid, sizeof(uid), "%" PRIu32, r->plan->record ? 0 : m->uid);
    snprintf(gid, sizeof(gid), "%" PRIu32, r->plan->record ? 0 : m->gid);
    if (m->size) {
        snprintf(size, sizeof(size), "%" PRIu64, m->size);
        options[3] = (struct option){"size", size};
    }
    return mount_new("tmpfs", options,
                     MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | (m->read_only ? MOUNT_ATTR_RDONLY : 0),
                     r->root_fd, m->target, err);
}

static int mount_all(struct rootfs *r, struct err *err)
{
    for (size_t i = 0; i < r->plan->mounts_count; i++) {
        const struct plan_mount *m = &r->plan->mounts[i];
        int rc = -1;

        /* In the root itself it exists (rootfs_prepare()); on /dev or an earlier mount it may not
         * yet. */
        if (rootfs_make_point(r->root_fd, m->target, m->is_dir, NULL, err) < 0)
            return -1;
        switch (m->kind) {
        case PLAN_MOUNT_BIND:
            rc = attach(m->source_fd, r->root_fd, m->target, err);
            break;
        case PLAN_MOUNT_TMPFS:
            rc = mount_tmpfs(r, m, err);
            break;
        case PLAN_MOUNT_FILE:
            rc = mount_file(r, m->target, buf_str(&m->content), m, err);
            break;
        case PLAN_MOUNT_MOVE:
            rc = err_set(err, ERR_SYSTEM, EINVAL, "mount on %s: only a plain root has such",
                         m->target);
            break;
        }
        if (rc < 0)
            return -1;
    }
    return 0;
}

static int become_root(struct rootfs *r, struct err *err)
{
    struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY};

    if (r->plan->read_only && mount_setattr(r->root_fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
        return err_errno(err, "make the root read-only");
    if (fchdir(r->root_fd) < 0 || sys_pivot_root(".", ".") < 0)
        return err_errno(err, "change the root");
    if (umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
        return err_errno(err, "leave the old root");
    return 0;
}

int rootfs_enter(struct plan *plan, struct err *err)
{
    static int (*const steps[])(struct rootfs *, struct err *) = {attach_root, make_scratch,
                                                                  mount_dev, mount_proc, mount_sys};
    struct rootfs r = {.plan = plan, .root_fd = -1, .scratch_fd = -1};
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < ARRAY_SIZE(steps); i++)
        rc = steps[i](&r, err);
    if (rc == 0 && plan->network != PLAN_NETWORK_HOST)
        open_network(&r);
    if (rc == 0 && !plan->unconfined)
        rc = mask_paths(&r, err);
    if (rc == 0)
        rc = mount_etc(&r, err);
    if (rc == 0)
        rc = mount_all(&r, err);
    if (rc == 0)
        rc = become_root(&r, err);
    scope_close(&r.scratch_fd);
    return rc;
}
