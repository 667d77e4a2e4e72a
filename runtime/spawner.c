/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/spawner.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/fs.h"
#include "base/scope.h"
#include "runtime/binfmt.h"
#include "runtime/brood.h"
#include "runtime/init.h"
#include "runtime/keeper.h"
#include "runtime/notify.h"
#include "runtime/plan.h"
#include "runtime/seccomp.h"
#include "runtime/syscalls.h"

#define REQUEST_FDS_MAX (PLAN_FDS_MAX + 2)

struct child {
    pid_t pid;
    int socket_fd;
    pid_t recorder; /* 0: it has none, or it has ended */
};

struct spawner {
    int control_fd, signal_fd;
    bool plain, own_user;
    struct binfmt binfmt;
    struct child *children;
    size_t count, capacity;
    struct seccomp_program
        filter;           /* for the default capabilities; others are compiled in the sandbox */
    struct err no_filter; /* why there is none */
    struct seccomp_program recording; /* for sandboxes with a recorder; made when one comes */
    struct notify_numbers *numbers;
    bool cancelled;
};

int spawner_ask(int control_fd, const struct spawner_request *request, const int *fds, size_t count,
                struct err *err)
{
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(REQUEST_FDS_MAX * sizeof(int))];
    } control = {{0}};
    struct spawner_request copy = *request;
    struct iovec iov = {.iov_base = &copy, .iov_len = sizeof(copy)};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = control.space,
                         .msg_controllen = CMSG_SPACE(count * sizeof(int))};
    struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(count * sizeof(int));
    memcpy(CMSG_DATA(c), fds, count * sizeof(int));
    if (sendmsg(control_fd, &msg, MSG_NOSIGNAL) != sizeof(copy))
        return err_errno(err, "ask the spawner for a sandbox");
    return 0;
}

int spawner_send(int socket_fd, const struct spawner_message *message, int fd)
{
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {{0}};
    struct spawner_message copy = *message;
    struct iovec iov = {.iov_base = &copy, .iov_len = sizeof(copy)};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

    if (fd >= 0) {
        struct cmsghdr *c;

        msg.msg_control = control.space;
        msg.msg_controllen = sizeof(control.space);
        c = CMSG_FIRSTHDR(&msg);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(c), &fd, sizeof(int));
    }
    return sendmsg(socket_fd, &msg, MSG_NOSIGNAL) == sizeof(copy) ? 0 : -1;
}

/* Descriptors out of a message's control part, into fds; more than max are closed and counted as a
 * fault. */
static bool take_fds(struct msghdr *msg, int *fds, size_t max, size_t *count)
{
    bool fits = true;

    *count = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
        size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        for (size_t i = 0; i < n; i++) {
            int fd;

            memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
            if (*count < max) {
                fds[(*count)++] = fd;
            } else {
                close(fd);
                fits = false;
            }
        }
    }
    return fits && !(msg->msg_flags & MSG_CTRUNC);
}

int spawner_receive(int socket_fd, struct spawner_message *message, int *fd, struct err *err)
{
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec iov = {.iov_base = message, .iov_len = sizeof(*message)};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = control.space,
                         .msg_controllen = sizeof(control.space)};
    size_t count = 0;
    ssize_t n;

    *fd = -1;
    do {
        n = recvmsg(socket_fd, &msg, MSG_CMSG_CLOEXEC);
    } while (n < 0 && errno == EINTR);
    if (n == 0 || (n < 0 && errno == ECONNRESET))
        return 0;
    if (n < 0)
        return err_errno(err, "hear from the sandbox");
    take_fds(&msg, fd, 1, &count);
    if (n != sizeof(*message)) {
        scope_close(fd);
        return err_set(err, ERR_SYSTEM, EPROTO, "the sandbox sent a message of %zd bytes", n);
    }
    return 1;
}

/*
 * What was on our command line and in our environment may be secret (--build-arg,
 * AWS_SECRET_ACCESS_KEY), and every sandbox's init shows it in /proc/1. The kernel says where it
 * lies (proc(5), stat: arg_start to env_end).
 */
static void forget_arguments(void)
{
    SCOPED(buf_release) struct buf text = {0};
    struct err ignored = {0};
    unsigned long long at[4];
    struct str rest;

    if (fs_read_file(AT_FDCWD, "/proc/self/stat", &text, 4096, &ignored) < 0)
        return;
    str_cut_last(buf_str(&text), ')', &(struct str){0}, &rest);
    rest = str_trim(rest);
    /* Field 3 is the first after the name; arg_start is 48. */
    for (int field = 3; field < 48; field++)
        str_cut(rest, ' ', &(struct str){0}, &rest);
    for (int i = 0; i < 4; i++) {
        struct str word;
        uint64_t value;

        str_cut(rest, ' ', &word, &rest);
        if (!str_u64(word, &value))
            return;
        at[i] = value;
    }
    if (at[0] && at[1] > at[0])
        memset((void *)(uintptr_t)at[0], 0, at[1] - at[0]);
    if (at[2] && at[3] > at[2])
        memset((void *)(uintptr_t)at[2], 0, at[3] - at[2]);
    if (at[1] - at[0] >= sizeof("slipway"))
        memcpy((void *)(uintptr_t)at[0], "slipway", sizeof("slipway"));
    clearenv();
}

static int keep(const char *from, int root_fd, const char *name, int mount_fd, struct err *err)
{
    if (mount_fd < 0)
        return err_errno(err, "clone the mounts of %s", from);
    if (mkdirat(root_fd, name, 0755) < 0 ||
        move_mount(mount_fd, "", root_fd, name, MOVE_MOUNT_F_EMPTY_PATH) < 0)
        return err_errno(err, "move %s", from);
    return 0;
}

/*
 * A root of three mounts instead of the host's table: every sandbox copies the table, and 1000
 * mounts cost 3 ms each time. The places "root" and "scratch" are for rootfs_enter().
 */
static int prune_mounts(struct err *err)
{
    const unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE;
    AUTO_FD int proc_fd = open_tree(AT_FDCWD, "/proc", flags);
    AUTO_FD int sys_fd = open_tree(AT_FDCWD, "/sys", flags);
    AUTO_FD int dev_fd = open_tree(AT_FDCWD, "/dev", flags);
    AUTO_FD int fs_fd = fsopen("tmpfs", FSOPEN_CLOEXEC);

    if (fs_fd < 0 || fsconfig(fs_fd, FSCONFIG_SET_STRING, "mode", "0755", 0) < 0 ||
        fsconfig(fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
        return err_errno(err, "mount a tmpfs");
    AUTO_FD int root_fd = fsmount(fs_fd, FSMOUNT_CLOEXEC, MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID);
    if (root_fd < 0 || move_mount(root_fd, "", AT_FDCWD, "/proc", MOVE_MOUNT_F_EMPTY_PATH) < 0)
        return err_errno(err, "mount a tmpfs");
    if (keep("/proc", root_fd, "proc", proc_fd, err) < 0 ||
        keep("/sys", root_fd, "sys", sys_fd, err) < 0 ||
        keep("/dev", root_fd, "dev", dev_fd, err) < 0)
        return -1;
    if (mkdirat(root_fd, "root", 0755) < 0 || mkdirat(root_fd, "scratch", 0755) < 0)
        return err_errno(err, "make the spawner's root");
    if (fchdir(root_fd) < 0 || sys_pivot_root(".", ".") < 0 || umount2(".", MNT_DETACH) < 0 ||
        chdir("/") < 0)
        return err_errno(err, "enter the spawner's root");
    return 0;
}

static int prepare(pid_t parent, bool plain, struct err *err)
{
    if (!plain && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return err_errno(err, "make the mounts private");
    forget_arguments();
    if (!plain && prune_mounts(err) < 0)
        return -1;
    if (plain && (brood_adopt() < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0))
        return err_errno(err, "guard the spawner");
    /* After the last change of credentials, which clears it. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || getppid() != parent)
        return err_set(err, ERR_SYSTEM, ESRCH, "the parent has ended");
    return 0;
}

/* In the sandbox's first process. All it keeps open is its socket and what the plan names. */
static void sandbox(struct spawner *s, int socket_fd, int plan_fd, uint64_t plan_size,
                    const int *fds, size_t count, int recorder_fd)
{
    struct spawner_message failed = {.kind = SPAWNER_FAILED};
    struct plan plan = PLAN_INIT;
    struct err *err = &failed.failure;
    void *text;

    for (size_t i = 0; i < s->count; i++)
        close(s->children[i].socket_fd);
    close(s->control_fd);
    close(s->signal_fd);
    scope_close(&s->binfmt.mount_fd);
    text = mmap(NULL, plan_size, PROT_READ, MAP_PRIVATE, plan_fd, 0);
    if (text == MAP_FAILED) {
        err_errno(err, "read the plan");
    } else if (plan_parse((struct str){text, plan_size}, fds, count, &plan, err) == 0) {
        plan.recorder_fd = recorder_fd;
        munmap(text, plan_size);
        close(plan_fd);
        if (s->no_filter.kind != ERR_NONE && !plan.unconfined && !plan.no_filter)
            *err = s->no_filter;
        else if (s->plain)
            keeper_main(&plan, &s->filter, socket_fd, err);
        else
            init_main(&plan, plan.record ? &s->recording : &s->filter, socket_fd, err);
    }
    spawner_send(socket_fd, &failed, -1);
    _exit(125);
}

/* Why a command was not started, or was killed: then its end follows by itself. */
static void tell_failed(int socket_fd, const struct err *failure, bool ended)
{
    struct spawner_message message = {.kind = SPAWNER_FAILED, .failure = *failure};

    spawner_send(socket_fd, &message, -1);
    if (!ended)
        return;
    message = (struct spawner_message){.kind = SPAWNER_ENDED, .status = 125};
    spawner_send(socket_fd, &message, -1);
}

static struct err cancelled(void)
{
    struct err err = {0};

    err_set(&err, ERR_SYSTEM, ECANCELED, "cancelled");
    return err;
}

static void cancel_all(struct spawner *s)
{
    struct err why = cancelled();

    s->cancelled = true;
    for (size_t i = 0; i < s->count; i++) {
        tell_failed(s->children[i].socket_fd, &why, false);
        if (s->plain) /* its keeper sees the end of it, and still has to clear away */
            shutdown(s->children[i].socket_fd, SHUT_RD);
        else
            kill(s->children[i].pid, SIGKILL);
    }
}

/* A child of ours: outside of the sandbox's pid namespace, inside its user namespace. */
static pid_t start_recorder(struct spawner *s, int *socket_fd, struct err *err)
{
    int pair[2];
    pid_t pid;

    if (!s->numbers) {
        if (seccomp_program_compile_recording(PLAN_CAPS_DEFAULT, false, &s->recording, err) < 0)
            return -1;
        s->numbers = notify_learn_numbers();
    }
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return err_errno(err, "make a socket pair");
    *socket_fd = pair[0];
    pid = fork();
    if (pid == 0) {
        close_range(3, (unsigned)pair[1] - 1, 0);
        close_range((unsigned)pair[1] + 1, ~0u, 0);
        notify_main(pair[1], s->numbers);
    }
    close(pair[1]);
    return pid < 0 ? err_errno(err, "fork the recorder") : pid;
}

static void start_child(struct spawner *s, const struct spawner_request *request, int *fds,
                        size_t count)
{
    const uint64_t flags = s->plain ? 0 : CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS;
    struct spawner_message message = {.kind = SPAWNER_STARTED};
    AUTO_FD int recorder_fd = -1;
    pid_t pid, recorder = 0;
    int pidfd = -1;

    if (request->record && (recorder = start_recorder(s, &recorder_fd, &message.failure)) < 0) {
        tell_failed(fds[0], &message.failure, true);
        return;
    }
    pid = sys_fork(flags | (request->clone_flags & CLONE_NEWNET), &pidfd);
    if (pid == 0)
        sandbox(s, fds[0], fds[1], request->plan_size, fds + 2, count - 2, recorder_fd);
    if (pid < 0) {
        err_errno(&message.failure, "clone a sandbox");
        tell_failed(fds[0], &message.failure, true);
        return;
    }
    message.pid = pid;
    spawner_send(fds[0], &message, pidfd);
    close(pidfd);
    VEC_GROW(s->children, s->count, s->capacity);
    s->children[s->count++] = (struct child){pid, fds[0], recorder};
    fds[0] = -1;
}

static void answer_emulator(struct spawner *s, const struct spawner_request *request,
                            const int *fds, size_t count)
{
    struct spawner_message message = {.kind = SPAWNER_EMULATOR};
    int emulators[EMULATE_ARCHS];
    size_t next = 1;

    if (request->arch >= EMULATE_ARCHS)
        return;
    for (size_t i = 0; i < EMULATE_ARCHS; i++)
        emulators[i] = (request->emulators & 1u << i) && next < count ? fds[next++] : -1;
    message.status = binfmt_ask(&s->binfmt, request->arch, emulators, s->own_user && !s->plain,
                                &message.failure);
    spawner_send(fds[0], &message, -1);
}

/* false: the session has gone. */
static bool serve(struct spawner *s)
{
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(REQUEST_FDS_MAX * sizeof(int))];
    } control;
    struct spawner_request request;
    struct iovec iov = {.iov_base = &request, .iov_len = sizeof(request)};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = control.space,
                         .msg_controllen = sizeof(control.space)};
    int fds[REQUEST_FDS_MAX];
    size_t count = 0;
    ssize_t n = recvmsg(s->control_fd, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    bool whole;

    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    if (n == 0)
        return false;
    whole = take_fds(&msg, fds, REQUEST_FDS_MAX, &count) && n == sizeof(request) && count >= 2;
    if (n == sizeof(request) && request.cancel) {
        cancel_all(s);
    } else if (n == sizeof(request) && request.ask_emulator && count >= 1) {
        answer_emulator(s, &request, fds, count);
    } else if (whole && s->cancelled) {
        struct err why = cancelled();

        tell_failed(fds[0], &why, true);
    } else if (whole) {
        start_child(s, &request, fds, count);
    }
    for (size_t i = 0; i < count; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    return true;
}

static void end_child(struct spawner *s, pid_t pid, int status, const struct rusage *usage)
{
    struct spawner_message message = {.kind = SPAWNER_ENDED};

    for (size_t i = 0; i < s->count; i++) {
        if (s->children[i].recorder == pid)
            s->children[i].recorder = 0;
        if (s->children[i].pid != pid)
            continue;
        if (s->children[i].recorder)
            kill(s->children[i].recorder, SIGKILL);
        message.status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
        message.cpu_us = (uint64_t)(usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) * 1000000 +
                         (uint64_t)(usage->ru_utime.tv_usec + usage->ru_stime.tv_usec);
        message.rss_max = (uint64_t)usage->ru_maxrss * 1024;
        message.read_size = (uint64_t)usage->ru_inblock * 512;
        message.written_size = (uint64_t)usage->ru_oublock * 512;
        spawner_send(s->children[i].socket_fd, &message, -1);
        close(s->children[i].socket_fd);
        s->children[i] = s->children[--s->count];
        return;
    }
}

/* Of a keeper that was killed: what it kept came to us. */
static void kill_strays(const struct spawner *s)
{
    AUTO_FREE pid_t *keepers = xcalloc(s->count + 1, sizeof(*keepers));

    for (size_t i = 0; i < s->count; i++)
        keepers[i] = s->children[i].pid;
    brood_kill_strays(keepers, s->count);
}

static void reap(struct spawner *s)
{
    struct signalfd_siginfo info;
    struct rusage usage;
    int status;
    pid_t pid;

    while (read(s->signal_fd, &info, sizeof(info)) == sizeof(info))
        ;
    while ((pid = wait4(-1, &status, WNOHANG, &usage)) > 0)
        end_child(s, pid, status, &usage);
    if (s->plain)
        kill_strays(s);
}

static void loop(struct spawner *s)
{
    sigset_t all, mask;

    /* All blocked, for the sandboxes too: none may reach an init that has not yet said what each
     * means to it. */
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    sigemptyset(&mask);
    sigaddset(&mask, SIGCHLD);
    s->signal_fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
    for (;;) {
        struct pollfd p[] = {{.fd = s->control_fd, .events = POLLIN},
                             {.fd = s->signal_fd, .events = POLLIN}};

        if (poll(p, 2, -1) < 0 && errno != EINTR)
            return;
        if (p[1].revents)
            reap(s);
        if (p[0].revents && !serve(s))
            return;
    }
}

/* The store's locks and whatever else the session had open by now are not ours to hold. */
static void close_all_but(int a, int b)
{
    unsigned low = (unsigned)(a < b ? a : b), high = (unsigned)(a < b ? b : a);

    if (low > 3)
        close_range(3, low - 1, 0);
    if (high > low + 1)
        close_range(low + 1, high - 1, 0);
    close_range(high + 1, ~0u, 0);
}

void spawner_main(int control_fd, int ready_fd, pid_t parent, bool new_user, bool plain)
{
    struct spawner s = {
        .control_fd = control_fd, .plain = plain, .own_user = new_user, .binfmt = BINFMT_CLOSED};
    struct err err = {0};
    char byte = 0;
    int null_fd;

    close_all_but(control_fd, ready_fd);
    if (!plain && unshare(CLONE_NEWNS | (new_user ? CLONE_NEWUSER : 0)) < 0) {
        err_errno(&err, new_user ? "make a user namespace" : "make a mount namespace");
        fs_write(ready_fd, &err, sizeof(err), &(struct err){0});
        _exit(1);
    }
    fs_write(ready_fd, &err, sizeof(err), &(struct err){0});
    if (read(ready_fd, &byte, 1) != 1)
        _exit(1);
    if (prepare(parent, plain, &err) == 0)
        err = (struct err){0};
    fs_write(ready_fd, &err, sizeof(err), &(struct err){0});
    if (err.kind != ERR_NONE)
        _exit(1);
    close(ready_fd);
    /* The terminal's signals are the session's business; its output streams must not stay open
     * through us. */
    setpgid(0, 0);
    null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; fd < 3; fd++)
        dup2(null_fd, fd);
    close(null_fd);
    prctl(PR_SET_NAME, "slipway-spawner", 0, 0, 0);
    seccomp_program_compile(PLAN_CAPS_DEFAULT, &s.filter, &s.no_filter);
    loop(&s);
    /* Each sandbox's init dies with us (PDEATHSIG), and its pid namespace with it. */
    _exit(0);
}
