/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/scope.h"
#include "runtime/spawner.h"
#include "runtime/syscalls.h"

/* Bind sources as detached mounts, to be closed together. */
struct sources {
    struct plan_mount *mounts;
    size_t count;
    bool cloned;
};

static void sources_release(struct sources *s)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->cloned && s->mounts[i].kind == PLAN_MOUNT_BIND && !s->mounts[i].detached)
            scope_close(&s->mounts[i].source_fd);
    free(s->mounts);
    *s = (struct sources){0};
}

/*
 * A device file itself may be handed in by name; what merely lies in a bound directory may not act
 * as one, because the sandbox's root is powerful enough to make the node but not to be trusted with
 * the device.
 */
static int clone_source(const struct plan_mount *m, struct err *err)
{
    struct mount_attr attr = {
        .attr_set = (m->read_only ? MOUNT_ATTR_RDONLY : 0) | (m->no_suid ? MOUNT_ATTR_NOSUID : 0) |
                    (m->no_exec ? MOUNT_ATTR_NOEXEC : 0) | (m->is_dir ? MOUNT_ATTR_NODEV : 0)};
    const unsigned flags = AT_EMPTY_PATH | (m->is_dir ? AT_RECURSIVE : 0);
    AUTO_FD int fd = open_tree(m->source_fd, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | flags);

    if (fd < 0)
        return err_errno(err, "bind on %s", m->target);
    if (attr.attr_set && mount_setattr(fd, "", flags, &attr, sizeof(attr)) < 0)
        return err_errno(err, "restrict the mount on %s", m->target);
    return steal_fd(&fd);
}

static int clone_sources(const struct plan *plan, struct sources *s, struct err *err)
{
    s->mounts = malloc(plan->mounts_count * sizeof(*s->mounts) + 1);
    BUG_ON(!s->mounts);
    s->cloned = !plan->plain;
    for (size_t i = 0; i < plan->mounts_count; i++) {
        struct plan_mount m = plan->mounts[i];

        if (m.kind == PLAN_MOUNT_BIND && !m.detached && !plan->plain) {
            m.source_fd = clone_source(&m, err);
            if (m.source_fd < 0)
                return -1;
        }
        s->mounts[s->count++] = m;
    }
    return 0;
}

/* The plan, printed into a memory file, and everything it names, to the spawner. */
static int ask(struct session *session, const struct plan *plan, int socket_fd, struct err *err)
{
    struct spawner_request request = {
        .clone_flags = plan->network == PLAN_NETWORK_HOST || plan->plain ? 0 : CLONE_NEWNET,
        .record = plan->record};
    SCOPED(buf_release) struct buf text = {0};
    AUTO_FD int memory_fd = memfd_create("plan", MFD_CLOEXEC);
    int fds[PLAN_FDS_MAX + 2];

    if (memory_fd < 0)
        return err_errno(err, "make a memory file");
    plan_print(plan, &text);
    if (text.size > PLAN_TEXT_MAX)
        return err_set(err, ERR_INPUT, E2BIG,
                       "arguments and environment of the command are too long");
    if (fs_write(memory_fd, text.ptr, text.size, err) < 0)
        return -1;
    request.plan_size = text.size;
    fds[0] = socket_fd;
    fds[1] = memory_fd;
    return spawner_ask(session->control_fd, &request, fds, plan_fds(plan, fds + 2) + 2, err);
}

/* Takes one message. 1: something came; 0: the sandbox has ended without a word. */
static int hear(struct run *run, struct err *err)
{
    struct spawner_message message;
    AUTO_FD int fd = -1;
    int rc = spawner_receive(run->socket_fd, &message, &fd, err);

    if (rc <= 0)
        return rc;
    switch (message.kind) {
    case SPAWNER_STARTED:
        run->pidfd = steal_fd(&fd);
        run->pid = message.pid;
        break;
    case SPAWNER_TTY:
        run->tty_fd = steal_fd(&fd);
        break;
    case SPAWNER_NETNS:
        run->netns_fd = steal_fd(&fd);
        break;
    case SPAWNER_FAILED:
        if (run->failure.kind == ERR_NONE)
            run->failure = message.failure;
        break;
    case SPAWNER_ENDED:
        run->ended = true;
        run->status = message.status;
        run->cpu_us = message.cpu_us;
        run->rss_max = message.rss_max;
        run->read_size = message.read_size;
        run->written_size = message.written_size;
        break;
    case SPAWNER_SOCKET:
    case SPAWNER_EMULATOR:
        break;
    }
    return 1;
}

static void lost(struct run *run)
{
    run->ended = true;
    if (run->failure.kind == ERR_NONE)
        err_set(&run->failure, ERR_SYSTEM, EPIPE,
                "the sandbox and its spawner have ended without a word");
}

/* Until all descriptors that are to come are here, or the end. A terminal comes only when a held
 * command may go. */
static int await_start(struct run *run, const struct plan *plan, struct err *err)
{
    while (!run->ended &&
           (run->pidfd < 0 || (plan->hold ? run->netns_fd < 0 : plan->tty && run->tty_fd < 0))) {
        int rc = hear(run, err);

        if (rc < 0)
            return -1;
        if (rc == 0)
            lost(run);
        if (run->failure.kind != ERR_NONE && run->pidfd < 0)
            break;
    }
    if (run->pidfd < 0 && run->failure.kind != ERR_NONE) {
        *err = run->failure;
        return -1;
    }
    return 0;
}

static int start(struct session *session, const struct plan *plan, struct run *run, struct err *err)
{
    SCOPED(sources_release) struct sources sources = {0};
    struct plan sent = *plan; /* shallow: only its mounts' descriptors differ */
    int pair[2];

    if (clone_sources(plan, &sources, err) < 0)
        return -1;
    sent.mounts = sources.mounts;
    sent.record = session->rung == SESSION_SINGLE;
    if (!plan->plain && rootfs_prepare(plan->root_fd, plan, &run->made, err) < 0)
        return -1;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return err_errno(err, "make a socket pair");
    run->socket_fd = pair[0];
    AUTO_FD int theirs = pair[1];
    if (ask(session, &sent, theirs, err) < 0)
        return -1;
    scope_close(&theirs);
    return await_start(run, plan, err);
}

/* What needs a namespace or a mount of one's own. */
static int check_plain(const struct plan *plan, struct err *err)
{
    const char *name = plan->in_place ? "in-place" : "chroot";

    if (plan->network == PLAN_NETWORK_PRIVATE)
        return err_set(err, ERR_INPUT, ENOSYS,
                       "isolation %s has no private network: take --network host or none", name);
    if (plan->read_only)
        return err_set(err, ERR_INPUT, ENOSYS,
                       "isolation %s cannot make the root read-only, for it has no mounts", name);
    for (size_t i = 0; i < plan->mounts_count; i++)
        if (plan->mounts[i].kind == PLAN_MOUNT_BIND)
            return err_set(err, ERR_INPUT, ENOSYS,
                           "nothing of the host can be mounted on %s with isolation %s",
                           plan->mounts[i].target, name);
    return 0;
}

int run_start(struct session *session, const struct plan *plan, struct run *run, struct err *err)
{
    if (session->rung == SESSION_NONE) {
        *err = session->why;
        return err_wrap(err, "no command can be run here");
    }
    if (session_cancelled(session))
        return err_set(err, ERR_SYSTEM, ECANCELED, "cancelled");
    if (plan_check(plan, err) < 0 || (plan->plain && check_plain(plan, err) < 0))
        return -1;
    run->plain = plan->plain;
    run->root_fd = fcntl(plan->root_fd, F_DUPFD_CLOEXEC, 3);
    if (run->root_fd < 0)
        return err_errno(err, "keep the root");
    if (start(session, plan, run, err) < 0) {
        run_release(run);
        return -1;
    }
    return 0;
}

/* Milliseconds to the deadline for poll(2); -1 without one. */
static int left(uint64_t deadline)
{
    uint64_t now = clock_mono_ms();

    if (!deadline)
        return -1;
    return now >= deadline ? 0 : deadline - now > INT32_MAX ? INT32_MAX : (int)(deadline - now);
}

static int wait_until(struct run *run, uint64_t deadline, int *status, struct err *err)
{
    while (!run->ended) {
        struct pollfd p = {.fd = run->socket_fd, .events = POLLIN};
        int wait_ms = left(deadline), rc = poll(&p, 1, wait_ms);

        if (rc < 0 && errno != EINTR)
            return err_errno(err, "wait for the sandbox");
        if (rc == 0 && wait_ms == 0)
            return 1;
        if (rc <= 0)
            continue;
        rc = hear(run, err);
        if (rc < 0)
            return -1;
        if (rc == 0)
            lost(run);
    }
    rootfs_unmake(&run->made);
    if (run->failure.kind != ERR_NONE) {
        *err = run->failure;
        return -1;
    }
    *status = run->status;
    return 0;
}

int run_wait(struct run *run, uint64_t timeout_ms, int *status, struct err *err)
{
    return wait_until(run, timeout_ms ? clock_mono_ms() + timeout_ms : 0, status, err);
}

int run_check(struct run *run, int *status, struct err *err)
{
    return wait_until(run, 1, status, err);
}

void run_go(struct run *run)
{
    send(run->socket_fd, "", 1, MSG_NOSIGNAL);
}

void run_signal(struct run *run, int number)
{
    if (run->pidfd >= 0 && !run->ended && run->plain && number == SIGKILL)
        shutdown(run->socket_fd, SHUT_WR);
    else if (run->pidfd >= 0 && !run->ended)
        pidfd_send_signal(run->pidfd, number, NULL, 0);
}

void run_release(struct run *run)
{
    int saved = errno;

    if (run->pidfd >= 0 && !run->ended) {
        struct err ignored = {0};
        int status;

        run_signal(run, SIGKILL);
        run_wait(run, 5000, &status, &ignored);
    }
    rootfs_unmake(&run->made);
    scope_close(&run->socket_fd);
    scope_close(&run->pidfd);
    scope_close(&run->netns_fd);
    scope_close(&run->tty_fd);
    scope_close(&run->root_fd);
    *run = (struct run)RUN_CLOSED;
    errno = saved;
}
