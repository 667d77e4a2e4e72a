/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/scope.h"
#include "runtime/emulate.h"
#include "runtime/emulators.h"
#include "runtime/overlay.h"
#include "runtime/run.h"
#include "runtime/seccomp.h"
#include "runtime/session.h"
#include "runtime/uplink.h"

static int enter(const char *want, struct err *err)
{
    struct session session = SESSION_CLOSED;

    if (session_enter(want, &session, err) < 0)
        return -1;
    if (session.rung == SESSION_NONE) {
        *err = session.why;
        return -1;
    }
    session_release(&session);
    return 0;
}

static int probe_root(int store_fd, struct err *err)
{
    (void)store_fd;
    return enter("root", err);
}

static int probe_userns(int store_fd, struct err *err)
{
    (void)store_fd;
    return enter("userns", err);
}

static int probe_single(int store_fd, struct err *err)
{
    (void)store_fd;
    return enter("single", err);
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

static int with_overlay(int store_fd, int (*then)(struct session *, int, struct err *),
                        struct err *err)
{
    SCOPED(session_release) struct session session = SESSION_CLOSED;
    SCOPED(place_release)
    struct place p = {.store_fd = -1, .dir_fd = -1, .upper_fd = -1, .work_fd = -1};

    if (session_enter(NULL, &session, err) < 0)
        return -1;
    p.store_fd = reopen(store_fd, err);
    if (p.store_fd < 0 || place_make(&p, err) < 0)
        return -1;
    AUTO_FD int lower = fs_open_dir(p.dir_fd, "lower", err);
    AUTO_FD int lowest = fs_open_dir(p.dir_fd, "lowest", err);
    int lowers[] = {lower, lowest};
    struct overlay o = {
        .lower_fds = lowers, .lower_count = 2, .upper_fd = p.upper_fd, .work_fd = p.work_fd};

    if (lower < 0 || lowest < 0)
        return -1;
    AUTO_FD int root = overlay_mount(&session, &o, err);
    if (root < 0)
        return -1;
    return then(&session, root, err);
}

/* Removing a directory of a lower layer and making it again is what fails where user xattrs do not
 * work. */
static int remake_directory(struct session *session, int root_fd, struct err *err)
{
    (void)session;
    if (unlinkat(root_fd, "seen", AT_REMOVEDIR) < 0 || mkdirat(root_fd, "seen", 0755) < 0)
        return err_errno(err, "overlay: remove and make a directory (does the store's file system "
                              "keep user xattrs?)");
    return 0;
}

static int probe_overlay(int store_fd, struct err *err)
{
    return with_overlay(store_fd, remake_directory, err);
}

static int run_true(struct session *session, int root_fd, struct err *err)
{
    struct plan plan = PLAN_INIT;
    struct run run = RUN_CLOSED;
    int status = 0, rc;

    plan.root_fd = root_fd;
    strv_add(&plan.argv, "/true");
    rc = run_start(session, &plan, &run, err);
    if (rc == 0)
        rc = run_wait(&run, 10000, &status, err);
    run_release(&run);
    plan_release(&plan);
    if (rc > 0)
        return err_set(err, ERR_SYSTEM, ETIMEDOUT, "the command did not end in 10 s");
    if (rc == 0 && status != 0)
        return err_set(err, ERR_COMMAND, status, "the command ended with status %d", status);
    return rc;
}

static int probe_sandbox(int store_fd, struct err *err)
{
    return with_overlay(store_fd, run_true, err);
}

static int probe_filter(int store_fd, struct err *err)
{
    SCOPED(seccomp_program_release) struct seccomp_program program = {0};

    (void)store_fd;
    return seccomp_program_compile(PLAN_CAPS_DEFAULT, &program, err);
}

static int probe_uplink(int store_fd, struct err *err)
{
    (void)store_fd;
    return uplink_check(err);
}

static int probe_emulator(const char *arch, struct err *err)
{
    SCOPED(session_release) struct session session = SESSION_CLOSED;
    bool emulated;

    if (session_enter(NULL, &session, err) < 0)
        return -1;
    return emulators_need(&session, arch, &emulated, err);
}

#define EMULATE(arch)                                                                              \
    static int probe_##arch(int store_fd, struct err *err)                                         \
    {                                                                                              \
        (void)store_fd;                                                                            \
        return probe_emulator(#arch, err);                                                         \
    }
EMULATE(amd64)
EMULATE(arm64)
EMULATE(arm)
EMULATE(386)
EMULATE(riscv64)
EMULATE(ppc64le)
EMULATE(s390x)

const struct doctor_probe doctor_probes[] = {
    {"root", "isolation root: namespaces and mounts of the host's root", probe_root},
    {"userns", "isolation userns: a user namespace with a range of ids", probe_userns},
    {"single", "isolation single: a user namespace with one id, owners recorded", probe_single},
    {"overlay", "overlay mounts on the store's file system", probe_overlay},
    {"filter", "system call filter for this processor", probe_filter},
    {"sandbox", "a command in a sandbox, from mount to exit status", probe_sandbox},
    {"uplink", "a way out of private networks (slipway run)", probe_uplink},
    {"amd64", "programs for linux/amd64", probe_amd64},
    {"arm64", "programs for linux/arm64", probe_arm64},
    {"arm", "programs for linux/arm", probe_arm},
    {"386", "programs for linux/386", probe_386},
    {"riscv64", "programs for linux/riscv64", probe_riscv64},
    {"ppc64le", "programs for linux/ppc64le", probe_ppc64le},
    {"s390x", "programs for linux/s390x", probe_s390x},
};
const size_t doctor_probes_count = ARRAY_SIZE(doctor_probes);

int doctor_try(const struct doctor_probe *probe, int store_fd, struct err *err)
{
    struct err told = {0};
    int pipe_fds[2], status;
    pid_t pid;
    ssize_t n;

    if (pipe2(pipe_fds, O_CLOEXEC) < 0)
        return err_errno(err, "make a pipe");
    pid = fork();
    if (pid == 0) {
        close(pipe_fds[0]);
        if (probe->run(store_fd, &told) == 0)
            told = (struct err){0};
        _exit(write(pipe_fds[1], &told, sizeof(told)) == sizeof(told) ? 0 : 1);
    }
    close(pipe_fds[1]);
    n = read(pipe_fds[0], &told, sizeof(told));
    close(pipe_fds[0]);
    if (pid < 0)
        return err_errno(err, "fork");
    waitpid(pid, &status, 0);
    if (n != sizeof(told))
        return err_set(err, ERR_SYSTEM, 0, "the probe died");
    if (told.kind == ERR_NONE)
        return 0;
    *err = told;
    return -1;
}
