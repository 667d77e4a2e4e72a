/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/ladder.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/scope.h"
#include "runtime/chroot.h"
#include "runtime/notify.h"
#include "runtime/spawner.h"
#include "runtime/syscalls.h"
#include "runtime/userns.h"

static const struct {
    const char *name;
    enum session_rung rung;
    bool carried_out;
} rungs[] = {
    {"root", SESSION_ROOT, true},     {"userns", SESSION_USERNS, true},
    {"none", SESSION_NONE, true},     {"single", SESSION_SINGLE, true},
    {"chroot", SESSION_CHROOT, true}, {"in-place", SESSION_NONE, false},
};

int ladder_parse(const char *want, enum session_rung *rung, struct err *err)
{
    if (!want || strcmp(want, "auto") == 0)
        return 1;
    for (size_t i = 0; i < ARRAY_SIZE(rungs); i++) {
        if (strcmp(want, rungs[i].name) != 0)
            continue;
        if (!rungs[i].carried_out)
            return err_set(err, ERR_USAGE, 0,
                           "isolation \"%s\" is not carried out by this version; it has auto, "
                           "root, userns, single, chroot, none",
                           want);
        *rung = rungs[i].rung;
        return 0;
    }
    return err_set(err, ERR_USAGE, 0,
                   "unknown isolation \"%s\"; want auto, root, userns, single, chroot or none",
                   want);
}

static bool sysctl_is(const char *path, const char *value)
{
    SCOPED(buf_release) struct buf text = {0};
    struct err ignored = {0};

    return fs_read_file(AT_FDCWD, path, &text, 64, &ignored) == 0 &&
           str_is(str_trim(buf_str(&text)), value);
}

/* The failure stays as the kernel told it; what is added is the likely reason and what helps. */
static void add_remedy(struct err *err)
{
    if (err->code == ENOSPC)
        err_add(err, "; the kernel's count of user namespaces is used up or 0: as root, sysctl -w "
                     "user.max_user_namespaces=15000");
    else if (sysctl_is("/proc/sys/kernel/unprivileged_userns_clone", "0"))
        err_add(err, "; as root: sysctl -w kernel.unprivileged_userns_clone=1");
    else if (sysctl_is("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1"))
        err_add(err, "; as root: sysctl -w kernel.apparmor_restrict_unprivileged_userns=0, or an "
                     "AppArmor profile for slipway");
    else if (err->code == EPERM)
        err_add(
            err,
            "; in a container: its seccomp profile forbids it (run it with seccomp unconfined)");
}

struct entry {
    enum session_rung rung;
    bool new_user;
    bool identity; /* the map; else subordinate ids */
    bool plain;    /* neither namespaces nor mounts */
    struct userns_sub sub;
};

struct spawned {
    pid_t pid;
    int control_fd, ready_fd;
};

static void spawned_kill(struct spawned *s)
{
    scope_close(&s->control_fd);
    scope_close(&s->ready_fd);
    if (s->pid > 0) {
        kill(s->pid, SIGKILL);
        waitpid(s->pid, NULL, 0);
    }
    s->pid = 0;
}

static int fork_spawner(struct spawned *s, bool new_user, bool plain, struct err *err)
{
    int control[2], ready[2];
    pid_t parent = getpid();

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control) < 0)
        return err_errno(err, "make a socket pair");
    s->control_fd = control[0];
    AUTO_FD int control_theirs = control[1];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ready) < 0)
        return err_errno(err, "make a socket pair");
    s->ready_fd = ready[0];
    AUTO_FD int ready_theirs = ready[1];
    s->pid = fork();
    if (s->pid < 0)
        return err_errno(err, "fork the spawner");
    if (s->pid == 0) {
        close(s->control_fd);
        close(s->ready_fd);
        spawner_main(control_theirs, ready_theirs, parent, new_user, plain);
    }
    return 0;
}

static int await(struct spawned *s, struct err *err)
{
    struct err told = {0};
    ssize_t n;

    do {
        n = read(s->ready_fd, &told, sizeof(told));
    } while (n < 0 && errno == EINTR);
    if (n != sizeof(told))
        return err_set(err, ERR_SYSTEM, EPIPE, "the spawner has ended without a word");
    if (told.kind != ERR_NONE) {
        *err = told;
        return -1;
    }
    return 0;
}

static int raise_spawner(struct spawned *s, const struct entry *e, struct err *err)
{
    if (fork_spawner(s, e->new_user, e->plain, err) < 0)
        return -1;
    if (await(s, err) < 0)
        return -1;
    if (e->new_user && (e->rung == SESSION_SINGLE ? userns_write_single(s->pid, err)
                        : e->identity             ? userns_write_identity(s->pid, err)
                                                  : userns_write_sub(s->pid, &e->sub, err)) < 0)
        return err_wrap(err, "map ids");
    if (send(s->ready_fd, "", 1, MSG_NOSIGNAL) != 1)
        return err_errno(err, "tell the spawner to go on");
    return await(s, err);
}

/* The spawner's user namespace has proven itself: now it becomes ours too. */
static int join(struct spawned *s, struct err *err)
{
    AUTO_FD int pidfd = pidfd_open(s->pid, 0);

    if (pidfd < 0 || setns(pidfd, CLONE_NEWUSER) < 0)
        return err_errno(err, "enter the user namespace");
    if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
        return err_errno(err, "become root of the user namespace");
    if (unshare(CLONE_NEWNS) < 0)
        return err_errno(err, "make a mount namespace");
    return 0;
}

static int private_mounts(struct err *err)
{
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return err_errno(err, "make the mounts private");
    return 0;
}

static int enter(struct entry *e, struct session *session, struct err *err)
{
    SCOPED(spawned_kill) struct spawned s = {.control_fd = -1, .ready_fd = -1};

    if (raise_spawner(&s, e, err) < 0)
        return -1;
    if ((e->rung == SESSION_USERNS || e->rung == SESSION_SINGLE) && join(&s, err) < 0)
        return -1;
    if (!e->plain && private_mounts(err) < 0)
        return -1;
    session->rung = e->rung;
    session->control_fd = steal_fd(&s.control_fd);
    session->spawner_pid = s.pid;
    session->shares_user = !e->new_user;
    s.pid = 0;
    return 0;
}

static int enter_root(struct session *session, struct err *err)
{
    struct entry e = {.rung = SESSION_ROOT, .new_user = true, .identity = true};
    struct err failure = {0};

    if (geteuid() != 0)
        return err_set(err, ERR_SYSTEM, EPERM, "isolation root needs to be started by root");
    if (unshare(CLONE_NEWNS) < 0)
        return err_errno(err, "make a mount namespace");
    if (enter(&e, session, &failure) == 0)
        return 0;
    log_debug("no user namespace for sandboxes: %s", failure.text);
    e.new_user = false;
    if (enter(&e, session, err) < 0)
        return -1;
    log_warn("sandboxes have no user namespace of their own: %s", failure.text);
    return 0;
}

static int enter_userns(struct session *session, struct err *err)
{
    struct entry e = {.rung = SESSION_USERNS, .new_user = true, .identity = geteuid() == 0};

    if (!e.identity && userns_find_sub(geteuid(), getegid(), &e.sub, err) < 0)
        return -1;
    if (enter(&e, session, err) == 0)
        return 0;
    if (err->kind == ERR_SYSTEM)
        add_remedy(err);
    return -1;
}

static int enter_chroot(struct session *session, struct err *err)
{
    struct entry e = {.rung = SESSION_CHROOT, .plain = true};

    if (chroot_probe(err) < 0)
        return -1;
    /* Commands have our user id and our pid namespace: they shall not look into us. */
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return err_errno(err, "guard this process");
    return enter(&e, session, err);
}

static int enter_single(struct session *session, struct err *err)
{
    struct entry e = {.rung = SESSION_SINGLE, .new_user = true};

    if (notify_probe(err) < 0)
        return -1;
    if (enter(&e, session, err) == 0)
        return 0;
    if (err->kind == ERR_SYSTEM)
        add_remedy(err);
    return -1;
}

int ladder_enter(enum session_rung rung, struct session *session, struct err *err)
{
    switch (rung) {
    case SESSION_ROOT:
        return enter_root(session, err);
    case SESSION_USERNS:
        return enter_userns(session, err);
    case SESSION_SINGLE:
        return enter_single(session, err);
    case SESSION_CHROOT:
        return enter_chroot(session, err);
    case SESSION_NONE:
        err_set(&session->why, ERR_SYSTEM, 0, "isolation \"none\" was asked for");
        break;
    }
    session->rung = SESSION_NONE;
    return 0;
}

void ladder_choose(struct session *session)
{
    struct err failure = {0}, single = {0}, chroot = {0};

    if (geteuid() == 0 && enter_root(session, &failure) == 0)
        return;
    if (failure.kind != ERR_NONE)
        log_debug("isolation root: %s", failure.text);
    if (enter_userns(session, &session->why) == 0) {
        session->why = (struct err){0};
        return;
    }
    log_debug("isolation userns: %s", session->why.text);
    if (enter_single(session, &single) == 0) {
        log_info("isolation single: owners are recorded, for only one id can be had here (userns: "
                 "%s)",
                 session->why.text);
        session->why = (struct err){0};
        return;
    }
    log_debug("isolation single: %s", single.text);
    if (enter_chroot(session, &chroot) == 0) {
        log_info(
            "isolation chroot: commands run in a plain directory, for namespaces cannot be had "
            "here (%s)",
            session->why.text);
        session->why = (struct err){0};
        return;
    }
    log_debug("isolation chroot: %s", chroot.text);
    session->rung = SESSION_NONE;
}
