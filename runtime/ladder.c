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
#include "runtime/in_place.h"
#include "runtime/notify.h"
#include "runtime/remedy.h"
#include "runtime/spawner.h"
#include "runtime/syscalls.h"
#include "runtime/userns.h"

static const struct {
    const char *name;
    enum session_rung rung;
} rungs[] = {
    {"root", SESSION_ROOT},     {"userns", SESSION_USERNS}, {"none", SESSION_NONE},
    {"single", SESSION_SINGLE}, {"chroot", SESSION_CHROOT}, {"in-place", SESSION_IN_PLACE},
};

int ladder_parse(const char *want, enum session_rung *rung, struct err *err)
{
    if (!want || strcmp(want, "auto") == 0)
        return 1;
    for (size_t i = 0; i < ARRAY_SIZE(rungs); i++) {
        if (strcmp(want, rungs[i].name) != 0)
            continue;
        *rung = rungs[i].rung;
        return 0;
    }
    return err_set(
        err, ERR_USAGE, 0,
        "unknown isolation \"%s\"; want auto, root, userns, single, chroot, none or in-place",
        want);
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
    if (userns_check_ids(2, err) < 0)
        return -1;
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

    if ((e.identity ? userns_check_ids(2, err)
                    : userns_find_sub(geteuid(), getegid(), &e.sub, err)) < 0)
        return -1;
    return enter(&e, session, err);
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

/* Only when it is asked for. */
static int enter_in_place(struct session *session, struct err *err)
{
    struct entry e = {.rung = SESSION_IN_PLACE, .plain = true};

    if (in_place_check(err) < 0 || enter(&e, session, err) < 0)
        return -1;
    log_warn("isolation in-place: the image is unpacked over this container's root, and its "
             "commands may do whatever slipway may; throw the container away afterwards");
    return 0;
}

static int enter_single(struct session *session, struct err *err)
{
    struct entry e = {.rung = SESSION_SINGLE, .new_user = true};

    if (notify_probe(err) < 0)
        return -1;
    return enter(&e, session, err);
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
    case SESSION_IN_PLACE:
        return enter_in_place(session, err);
    case SESSION_NONE:
        err_set(&session->why, ERR_SYSTEM, 0, "isolation \"none\" was asked for");
        break;
    }
    session->rung = SESSION_NONE;
    return 0;
}

/* The rungs above the one that is used, why not these, and what would help. */
struct refusals {
    struct refusal {
        enum session_rung rung;
        struct err err;
        struct buf remedy;
        bool told;
    } items[LADDER_RUNGS];
    size_t count;
};

static void refusals_release(struct refusals *r)
{
    for (size_t i = 0; i < r->count; i++)
        buf_release(&r->items[i].remedy);
    r->count = 0;
}

static void refuse(struct refusals *r, enum session_rung rung, uid_t uid, const struct err *err)
{
    struct refusal *one = &r->items[r->count++];

    log_debug("isolation %s: %s", session_rung_name(rung), err->text);
    *one = (struct refusal){.rung = rung, .err = *err};
    /* Nobody wonders why an ordinary user is not root. */
    one->told = uid != 0 && (rung == SESSION_ROOT || rung == SESSION_CHROOT);
    if (!one->told)
        remedy_for(session_rung_name(rung), uid, err, &one->remedy);
}

/* "root, userns: REASON; single: REASON; REMEDY": what has the same reason stands together. */
static void tell(struct refusals *r, struct buf *out)
{
    const struct buf *remedy = NULL;

    for (size_t i = 0; i < r->count; i++) {
        struct refusal *one = &r->items[i];

        /* What keeps us from one id keeps us from all, so the last word counts. */
        if (one->remedy.size)
            remedy = &one->remedy;
        if (one->told)
            continue;
        buf_addf(out, "%s%s", out->size ? "; " : "", session_rung_name(one->rung));
        for (size_t j = i + 1; j < r->count; j++) {
            if (r->items[j].told || strcmp(r->items[j].err.text, one->err.text) != 0)
                continue;
            buf_addf(out, ", %s", session_rung_name(r->items[j].rung));
            r->items[j].told = true;
        }
        buf_addf(out, ": %s", one->err.text);
    }
    if (remedy)
        buf_addf(out, "; " STR_FMT, STR_ARG(buf_str(remedy)));
}

static void report(struct refusals *r, struct session *session)
{
    SCOPED(buf_release) struct buf reasons = {0};

    tell(r, &reasons);
    if (!reasons.size)
        return;
    if (session->rung == SESSION_SINGLE)
        log_info("isolation single: owners are recorded, for only one id can be had here (%s)",
                 buf_cstr(&reasons));
    else if (session->rung == SESSION_CHROOT)
        log_info("isolation chroot: commands run in a plain directory, for namespaces cannot be "
                 "had here (%s)",
                 buf_cstr(&reasons));
    else if (session->rung == SESSION_NONE)
        err_set(&session->why, ERR_SYSTEM, r->items[r->count - 1].err.code, "%s",
                buf_cstr(&reasons));
}

const enum session_rung ladder_rungs[LADDER_RUNGS] = {SESSION_ROOT, SESSION_USERNS, SESSION_SINGLE,
                                                      SESSION_CHROOT};

void ladder_choose(struct session *session)
{
    SCOPED(refusals_release) struct refusals refusals = {.count = 0};

    for (size_t i = 0; i < LADDER_RUNGS; i++) {
        struct err err = {0};

        if (ladder_enter(ladder_rungs[i], session, &err) == 0) {
            report(&refusals, session);
            return;
        }
        refuse(&refusals, ladder_rungs[i], session->uid_host, &err);
    }
    session->rung = SESSION_NONE;
    report(&refusals, session);
}
