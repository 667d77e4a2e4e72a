/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/probes.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/scope.h"
#include "runtime/attempt.h"
#include "runtime/emulate.h"
#include "runtime/overlay.h"
#include "runtime/run.h"
#include "runtime/subtree.h"
#include "runtime/syscalls.h"
#include "runtime/userns.h"

#define IDS_USUAL 65536 /* images own files by ids up to here: nobody is 65534 */

static int probe_ids(struct session *session, int store_fd, struct err *err)
{
    (void)session;
    (void)store_fd;
    return userns_check_ids(IDS_USUAL, err);
}

/* A sandbox's /proc is mounted from inside its own user namespace. */
static int own_user(struct err *err)
{
    if (unshare(CLONE_NEWUSER) < 0)
        return err_errno(err, "make a user namespace");
    return 0;
}

static int mount_proc(void *unused, struct err *err)
{
    AUTO_FD int fs_fd = fsopen("proc", FSOPEN_CLOEXEC);

    (void)unused;
    if (fs_fd < 0 || fsconfig(fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
        return err_errno(err, "mount a new /proc");
    AUTO_FD int mount_fd = fsmount(fs_fd, FSMOUNT_CLOEXEC, 0);
    if (mount_fd < 0)
        return err_errno(err, "mount a new /proc");
    return 0;
}

static int new_proc(void *unused, struct err *err)
{
    if (unshare(CLONE_NEWPID | CLONE_NEWNS) < 0)
        return err_errno(err, "make a pid namespace");
    return attempt_in_child(mount_proc, unused, err);
}

static int new_proc_of_user(void *unused, struct err *err)
{
    if (own_user(err) < 0)
        return -1;
    return new_proc(unused, err);
}

static int probe_proc(struct session *session, int store_fd, struct err *err)
{
    (void)store_fd;
    /* A grandchild: the child is still needed in the namespaces it has. */
    return attempt_in_child(
        session->rung == SESSION_ROOT && !session->shares_user ? new_proc_of_user : new_proc, NULL,
        err);
}

static int new_network(void *unused, struct err *err)
{
    struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP};

    (void)unused;
    if (unshare(CLONE_NEWNET) < 0)
        return err_errno(err, "make a network namespace");
    AUTO_FD int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &lo) < 0)
        return err_errno(err, "bring up lo");
    return 0;
}

static int probe_network(struct session *session, int store_fd, struct err *err)
{
    (void)session;
    (void)store_fd;
    return attempt_in_child(new_network, NULL, err);
}

/* Directories of the probe's own in the store, where the real ones will be. */
struct place {
    int store_fd, dir_fd, upper_fd, work_fd;
    char name[32];
};

static void place_release(struct place *p)
{
    struct err ignored = {0};

    scope_close(&p->upper_fd);
    scope_close(&p->work_fd);
    scope_close(&p->dir_fd);
    if (p->name[0])
        fs_remove_tree(p->store_fd, p->name, &ignored);
    scope_close(&p->store_fd);
}

/* Something to run that needs nothing beside it: a few instructions that exit 0. */
static int put_program(int dir_fd, struct err *err)
{
    unsigned char bytes[EMULATE_PROGRAM_MAX];
    size_t size = emulate_program(emulate_native(), bytes);
    AUTO_FD int fd = openat(dir_fd, "lower/true", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);

    if (fd < 0)
        return err_errno(err, "make a program in the store");
    return fs_write(fd, bytes, size, err);
}

static int place_make(struct place *p, struct err *err)
{
    snprintf(p->name, sizeof(p->name), "doctor-%d", getpid());
    if (mkdirat(p->store_fd, p->name, 0755) < 0)
        return err_errno(err, "make a directory in the store");
    p->dir_fd = fs_open_dir(p->store_fd, p->name, err);
    if (p->dir_fd < 0)
        return -1;
    if (mkdirat(p->dir_fd, "upper", 0755) < 0 || mkdirat(p->dir_fd, "work", 0755) < 0 ||
        mkdirat(p->dir_fd, "lower", 0755) < 0 || mkdirat(p->dir_fd, "lower/seen", 0755) < 0 ||
        mkdirat(p->dir_fd, "lowest", 0755) < 0)
        return err_errno(err, "make directories in the store");
    if (put_program(p->dir_fd, err) < 0)
        return -1;
    p->upper_fd = fs_open_dir(p->dir_fd, "upper", err);
    p->work_fd = p->upper_fd < 0 ? -1 : fs_open_dir(p->dir_fd, "work", err);
    return p->work_fd < 0 ? -1 : 0;
}

/* The store's own descriptor belongs to the mounts outside of the session. */
static int reopen(int store_fd, struct err *err)
{
    char link[FS_FD_PATH_MAX], path[4096];
    ssize_t n = readlink(fs_fd_path(store_fd, link), path, sizeof(path) - 1);

    if (n < 0)
        return err_errno(err, "find the store");
    path[n] = 0;
    return fs_open_dir(AT_FDCWD, path, err);
}

/* Removing a directory of a lower layer and making it again is what fails where user xattrs do not
 * work. */
static int remake_directory(struct session *session, int root_fd, int aside_fd, struct err *err)
{
    (void)session;
    (void)aside_fd;
    if (unlinkat(root_fd, "seen", AT_REMOVEDIR) < 0 || mkdirat(root_fd, "seen", 0755) < 0)
        return err_errno(err, "overlay: remove and make a directory (does the store's file system "
                              "keep user xattrs?)");
    return 0;
}

/* The store, as this session's mounts have it, with an overlay of two layers. */
static int with_root(struct session *session, int store_fd,
                     int (*then)(struct session *, int, int, struct err *), struct err *err)
{
    SCOPED(place_release)
    struct place p = {.store_fd = -1, .dir_fd = -1, .upper_fd = -1, .work_fd = -1};

    p.store_fd = reopen(store_fd, err);
    if (p.store_fd < 0 || place_make(&p, err) < 0)
        return -1;
    AUTO_FD int lower = fs_open_dir(p.dir_fd, "lower", err);
    AUTO_FD int lowest = fs_open_dir(p.dir_fd, "lowest", err);
    int lowers[] = {lower, lowest};
    bool is_dir;
    struct overlay o = {
        .lower_fds = lowers, .lower_count = 2, .upper_fd = p.upper_fd, .work_fd = p.work_fd};

    if (lower < 0 || lowest < 0)
        return -1;
    if (session_is_plain(session) && then != remake_directory)
        return then(session, lower, p.work_fd, err);
    AUTO_FD int root = overlay_mount(session, &o, err);
    if (root >= 0)
        return then(session, root, -1, err);
    if (then == remake_directory || session->rung == SESSION_SINGLE)
        return -1;
    /* Stages are plain directories then (builder/root.h). */
    root = subtree_mount(lower, "", false, &is_dir, err);
    return root < 0 ? -1 : then(session, root, -1, err);
}

static int probe_overlay(struct session *session, int store_fd, struct err *err)
{
    return with_root(session, store_fd, remake_directory, err);
}

static int run_true(struct session *session, int root_fd, int aside_fd, struct err *err)
{
    struct plan plan = PLAN_INIT;
    struct run run = RUN_CLOSED;
    struct err why = {0};
    int status = 0, rc;

    plan.root_fd = root_fd;
    plan.aside_fd = aside_fd;
    plan.plain = session_is_plain(session);
    strv_add(&plan.argv, "/true");
    rc = run_start(session, &plan, &run, &why);
    if (rc == 0)
        rc = run_wait(&run, 10000, &status, &why);
    run_release(&run);
    plan_release(&plan);
    if (rc < 0)
        *err = why;
    if (rc > 0)
        return err_set(err, ERR_SYSTEM, ETIMEDOUT, "the command did not end in 10 s");
    if (rc == 0 && status != 0)
        return err_set(err, ERR_COMMAND, status, "the command ended with status %d", status);
    return rc;
}

static int probe_sandbox(struct session *session, int store_fd, struct err *err)
{
    return with_root(session, store_fd, run_true, err);
}

const struct probe_session probes_session[] = {
    {"ids", "65536 ids, as images use them", probe_ids},
    {"overlay", "overlay mounts on the store's file system", probe_overlay},
    {"proc", "a new /proc for each step", probe_proc},
    {"network", "a network namespace, for --network=none and private networks", probe_network},
    {"sandbox", "a command in a sandbox, from mount to exit status", probe_sandbox},
};
const size_t probes_session_count = ARRAY_SIZE(probes_session);
