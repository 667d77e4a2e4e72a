/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sandbox from inside. Theory of operation:
 *
 * The spawner has cloned this process into new mount, pid, ipc and uts (network) namespaces of the
 * session's user namespace; it is PID 1 there, holds every capability over that user namespace and
 * nothing outside of it, and has every signal blocked.
 *   1. tie       dies with the spawner; cannot be read or traced by what will run here (it is a
 * copy of slipway).
 *   2. build     host name, loopback, root file system. From pivot_root on, no path leads outside.
 *   3. fork      the step: its cgroups, a session of its own, its descriptors, its terminal. It
 * gives up, in this order: the bounding set; by loading the filter (which still needs
 * CAP_SYS_ADMIN, as no_new_privs stays off) every dangerous call; its groups, gid and uid; the
 * remaining capabilities. Then exec.
 *   4. PID 1     keeps only CAP_KILL, reaps what is orphaned, passes signals to the step, ends with
 * its status. Its socket reaching end-of-file means that slipway has gone: it ends, and the kernel
 * kills all others. Any failure before exec is told once, on the socket.
 */
#include "runtime/init.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/scope.h"
#include "runtime/brood.h"
#include "runtime/cage.h"
#include "runtime/caps.h"
#include "runtime/net.h"
#include "runtime/notify.h"
#include "runtime/program.h"
#include "runtime/rootfs.h"
#include "runtime/spawner.h"

#define CAP_KILL_MASK (UINT64_C(1) << 5)
#define CAP_CHROOT_MASK (UINT64_C(1) << 18)
#define STATUS_SETUP 125 /* Docker's for "the container could not be made" */

struct step {
    struct plan *plan;
    const struct seccomp_program *filter;
    int socket_fd;
    char *program; /* the file to execute, inside the root */
};

/* ---- step 3: the process that becomes the command ---- */

static int set_descriptors(struct step *s, struct err *err)
{
    int wanted[3] = {s->plan->stdin_fd, s->plan->stdout_fd, s->plan->stderr_fd};
    AUTO_FD int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (null_fd < 0)
        return err_errno(err, "open /dev/null");
    /* Ours are all above 2 (the spawner holds /dev/null on 0 to 2), so none is overwritten before
     * its turn. */
    for (int i = 0; i < 3; i++)
        if (dup2(wanted[i] >= 0 ? wanted[i] : null_fd, i) < 0)
            return err_errno(err, "set descriptor %d", i);
    return 0;
}

static int set_terminal(struct step *s, struct err *err)
{
    struct winsize size = {.ws_row = s->plan->tty_rows, .ws_col = s->plan->tty_columns};
    struct spawner_message message = {.kind = SPAWNER_TTY};
    AUTO_FD int master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
    int unlock = 0, slave;

    if (master < 0 || ioctl(master, TIOCSPTLCK, &unlock) < 0)
        return err_errno(err, "open a terminal");
    slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY);
    if (slave < 0)
        return err_errno(err, "open a terminal");
    if (size.ws_row)
        ioctl(slave, TIOCSWINSZ, &size);
    if ((fchown(slave, s->plan->uid, 5) < 0 && !s->plan->record) || ioctl(slave, TIOCSCTTY, 0) < 0)
        return err_errno(err, "take the terminal");
    for (int i = 0; i < 3; i++)
        if (dup2(slave, i) < 0)
            return err_errno(err, "set descriptor %d", i);
    if (slave > 2)
        close(slave);
    if (spawner_send(s->socket_fd, &message, master) < 0)
        return err_errno(err, "hand over the terminal");
    return 0;
}

/* First of all: what follows is the command's, and counts. "0" is who writes it. */
static int enter_cgroups(struct step *s, struct err *err)
{
    for (size_t i = 0; i < s->plan->cgroups_count; i++)
        if (write(s->plan->cgroup_fds[i], "0", 1) != 1)
            return err_errno(err, "enter the step's cgroup");
    return 0;
}

static int own_session(struct step *s, struct err *err)
{
    if (setsid() < 0)
        return err_errno(err, "begin a session");
    return s->plan->tty ? set_terminal(s, err) : set_descriptors(s, err);
}

/* Of a plain plan: the others were moved there by rootfs_enter(). */
static int enter_root(struct step *s, struct err *err)
{
    if (!s->plan->plain || s->plan->in_place)
        return 0;
    if (fchdir(s->plan->root_fd) < 0 || chroot(".") < 0)
        return err_errno(err, "change the root");
    return cage_no_new_privs(err) < 0 || cage_files(s->plan->root_fd, err) < 0 ? -1 : 0;
}

static int make_dirs(const char *path)
{
    char piece[4096];
    size_t size = strlen(path);

    if (size >= sizeof(piece)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    for (size_t i = 1; i <= size; i++) {
        if (path[i] != '/' && path[i] != 0)
            continue;
        memcpy(piece, path, i);
        piece[i] = 0;
        if (mkdir(piece, 0755) < 0 && errno != EEXIST)
            return -1;
    }
    return 0;
}

static int enter_directory(struct step *s, struct err *err)
{
    const char *cwd = s->plan->cwd ? s->plan->cwd : "/";

    if (chdir(cwd) == 0)
        return 0;
    if (errno != ENOENT || make_dirs(cwd) < 0 || chdir(cwd) < 0)
        return err_errno(err, "enter working directory %s", cwd);
    return 0;
}

static int set_limits(struct step *s, struct err *err)
{
    return limits_set(&s->plan->limits, err);
}

/*
 * Where the root is a chroot, who may chroot gets out of it: Landlock then still keeps files from
 * being read and written, but not their modes, owners and times from being changed.
 */
static uint64_t kept_caps(const struct plan *p)
{
    return p->plain && !p->unconfined ? p->caps & ~CAP_CHROOT_MASK : p->caps;
}

static int drop_bounding(struct step *s, struct err *err)
{
    return caps_drop_bounding(kept_caps(s->plan), err);
}

static int listen_for_recorder(struct step *s, struct err *err)
{
    SCOPED(seccomp_program_release) struct seccomp_program other = {0};
    bool open = s->plan->unconfined || s->plan->no_filter;
    bool usual = !open && s->plan->caps == PLAN_CAPS_DEFAULT;
    AUTO_FD int fd = -1;

    if (!usual && seccomp_program_compile_recording(s->plan->caps, open, &other, err) < 0)
        return -1;
    fd = seccomp_listen(usual ? s->filter : &other, err);
    return fd < 0 ? -1 : notify_send(s->plan->recorder_fd, fd, s->plan, err);
}

static int load_filter(struct step *s, struct err *err)
{
    struct seccomp_program other = {0};

    if (s->plan->no_new_privs && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return err_errno(err, "set no_new_privs");
    if (s->plan->plain && s->plan->network == PLAN_NETWORK_NONE && cage_network(err) < 0)
        return -1;
    if (s->plan->record)
        return listen_for_recorder(s, err);
    if (s->plan->unconfined || s->plan->no_filter)
        return 0;
    if (s->plan->caps == PLAN_CAPS_DEFAULT)
        return seccomp_program_load(s->filter, err);
    if (seccomp_program_compile(s->plan->caps, &other, err) < 0)
        return -1;
    return seccomp_program_load(&other, err);
}

static int become_user(struct step *s, struct err *err)
{
    const struct plan *p = s->plan;

    if (p->record) /* the recorder knows */
        return 0;
    if (setgroups(p->groups_count, p->groups) < 0)
        return err_errno(err, "set %zu supplementary groups", p->groups_count);
    if (setresgid(p->gid, p->gid, p->gid) < 0)
        return err_errno(err, "become group %u", p->gid);
    if (setresuid(p->uid, p->uid, p->uid) < 0)
        return err_errno(err, "become user %u", p->uid);
    return 0;
}

static int drop_caps(struct step *s, struct err *err)
{
    uint64_t now = 0;

    if (caps_effective(&now, err) < 0)
        return -1;
    return caps_set(s->plan->uid == 0 || s->plan->record ? kept_caps(s->plan) & now : 0, err);
}

static int find_program(struct step *s, struct err *err)
{
    return program_find(s->plan->argv.ptr[0], env_get(&s->plan->env, "PATH"), &s->program, err);
}

static int execute(struct step *s, struct err *err)
{
    sigset_t none;

    for (int n = 1; n < NSIG; n++)
        signal(n, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execve(s->program, strv_argv(&s->plan->argv), strv_argv(&s->plan->env));
    return program_explain(s->program, errno, s->plan->arch, err);
}

static const struct {
    const char *name;
    int (*run)(struct step *, struct err *);
} steps[] = {
    {"cgroups", enter_cgroups},     {"session", own_session}, {"root", enter_root},
    {"directory", enter_directory}, {"limits", set_limits},   {"bounding set", drop_bounding},
    {"filter", load_filter},        {"user", become_user},    {"capabilities", drop_caps},
    {"find program", find_program}, {"execute", execute},
};

static void __attribute__((noreturn)) step_main(struct step *s)
{
    struct spawner_message failed = {.kind = SPAWNER_FAILED};

    umask(s->plan->umask);
    for (size_t i = 0; i < ARRAY_SIZE(steps); i++)
        if (steps[i].run(s, &failed.failure) < 0)
            break;
    spawner_send(s->socket_fd, &failed, -1);
    _exit(failed.failure.kind == ERR_COMMAND ? failed.failure.code : STATUS_SETUP);
}

void init_step(struct plan *plan, const struct seccomp_program *filter, int socket_fd)
{
    struct step step = {.plan = plan, .filter = filter, .socket_fd = socket_fd};

    step_main(&step);
}

/* ---- step 4: PID 1 ---- */

struct duty {
    pid_t step;
    int signal_fd, socket_fd, network_fd;
};

/* One byte, '4' or '6', asks for a socket of that family in our network (runtime/forward.c). */
static void give_socket(struct duty *d)
{
    struct spawner_message message = {.kind = SPAWNER_SOCKET};
    char family;
    ssize_t n = recv(d->network_fd, &family, 1, MSG_DONTWAIT);

    if (n == 0)
        scope_close(&d->network_fd);
    if (n <= 0)
        return;
    AUTO_FD int fd =
        socket(family == '6' ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    message.status = fd < 0 ? errno : 0;
    spawner_send(d->network_fd, &message, fd);
}

static void serve(struct duty *d)
{
    for (;;) {
        struct pollfd p[] = {{.fd = d->signal_fd, .events = POLLIN},
                             {.fd = d->socket_fd, .events = POLLRDHUP},
                             {.fd = d->network_fd, .events = POLLIN}};
        struct signalfd_siginfo info;
        int ended;

        if (poll(p, 3, -1) < 0)
            continue;
        if (p[1].revents)
            _exit(128 + SIGKILL);
        if (p[2].revents)
            give_socket(d);
        while (read(d->signal_fd, &info, sizeof(info)) == sizeof(info))
            if (info.ssi_signo != SIGCHLD)
                kill(d->step, (int)info.ssi_signo);
        ended = brood_reap(d->step);
        if (ended >= 0)
            _exit(ended);
    }
}

/* The step has its own copies of everything; ours would keep its pipes open. */
static void close_others(struct duty *d)
{
    int *kept[] = {&d->signal_fd, &d->socket_fd, &d->network_fd};
    int next = 3;

    /* Out of the way of their new places first, then into a row from 3 on. */
    for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
        if (*kept[i] >= 0)
            *kept[i] = fcntl(*kept[i], F_DUPFD_CLOEXEC, 3 + (int)ARRAY_SIZE(kept));
    for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
        if (*kept[i] >= 0)
            *kept[i] = dup3(*kept[i], next++, O_CLOEXEC);
    close_range((unsigned)next, ~0u, 0);
}

/* The session may have work to do on our network before the command sees it. */
static int hold(int socket_fd, struct err *err)
{
    struct spawner_message message = {.kind = SPAWNER_NETNS};
    AUTO_FD int fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    char byte;

    if (fd < 0 || spawner_send(socket_fd, &message, fd) < 0)
        return err_errno(err, "hand over the network namespace");
    if (read(socket_fd, &byte, 1) != 1)
        _exit(STATUS_SETUP);
    return 0;
}

static int build(struct plan *plan, struct err *err)
{
    const char *name = plan->hostname ? plan->hostname : "localhost";

    if (sethostname(name, strlen(name)) < 0)
        return err_errno(err, "set the host name");
    if (plan->network != PLAN_NETWORK_HOST && net_raise_loopback(err) < 0)
        return -1;
    return rootfs_enter(plan, err);
}

void init_main(struct plan *plan, const struct seccomp_program *filter, int socket_fd,
               struct err *err)
{
    struct step step = {.plan = plan, .filter = filter, .socket_fd = socket_fd};
    struct pollfd alive = {.fd = socket_fd, .events = POLLRDHUP};
    sigset_t all;
    struct duty duty = {.socket_fd = socket_fd, .network_fd = plan->network_fd};

    umask(022);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0) {
        err_errno(err, "tie the sandbox to its parent");
        return;
    }
    prctl(PR_SET_NAME, "init", 0, 0, 0);
    if (build(plan, err) < 0 || (plan->hold && hold(socket_fd, err) < 0))
        return;
    sigfillset(&all);
    duty.signal_fd = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
    if (duty.signal_fd < 0 || poll(&alive, 1, 0) != 0) {
        err_errno(err, "begin as PID 1");
        return;
    }
    duty.step = fork();
    if (duty.step < 0) {
        err_errno(err, "fork the command");
        return;
    }
    if (duty.step == 0)
        step_main(&step);
    close_others(&duty);
    caps_drop_bounding(0, &(struct err){0});
    caps_set(CAP_KILL_MASK, &(struct err){0});
    serve(&duty);
}
