/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/uplink.h"

#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/scope.h"
#include "base/str.h"

#define READY_MS 3000
#define NETNS_FD 3 /* where pasta finds the namespace */

static char *find_pasta(void)
{
    struct str rest = str_of(getenv("PATH")), dir;

    while (rest.size) {
        str_cut(rest, ':', &dir, &rest);
        AUTO_FREE char *path = xasprintf(STR_FMT "/pasta", STR_ARG(dir));
        if (dir.size && access(path, X_OK) == 0)
            return steal_ptr(&path);
    }
    return NULL;
}

int uplink_check_program(struct err *err)
{
    AUTO_FREE char *pasta = find_pasta();

    if (!pasta)
        return err_set(err, ERR_SYSTEM, ENOENT,
                       "pasta is not in PATH; it comes with the package passt");
    return 0;
}

int uplink_check_tun(struct err *err)
{
    AUTO_FD int tun = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

    if (tun < 0)
        return err_errno(err, "pasta needs /dev/net/tun");
    return 0;
}

static int check(struct err *err)
{
    if (uplink_check_program(err) < 0)
        return -1;
    return uplink_check_tun(err);
}

/*
 * The keeper: a process between us and pasta, which changes its credentials and so loses any
 * PDEATHSIG. It holds the other end of a socket to us, and ends pasta when that end closes, however
 * we end.
 */
struct keeper {
    const char *pasta;
    int socket_fd, netns_fd;
    pid_t pid; /* of pasta */
};

static void exec_pasta(const struct keeper *k)
{
    char *argv[] = {xstrdup(k->pasta), xstrdup("--foreground"), xstrdup("--quiet"),
                    xstrdup("--config-net"),
                    /* None of the host's ports inside, none of the inside's outside: publishing is
                     * ours. The gateway's address must not lead to the host's loopback. */
                    xstrdup("--no-map-gw"), xstrdup("-t"), xstrdup("none"), xstrdup("-u"),
                    xstrdup("none"), xstrdup("-T"), xstrdup("none"), xstrdup("-U"), xstrdup("none"),
                    xstrdup("--netns-only"), xstrdup("--runas"), xstrdup("0:0"), xstrdup("--netns"),
                    xasprintf("/proc/self/fd/%d", NETNS_FD), NULL};
    sigset_t none;
    int null_fd = open("/dev/null", O_RDWR);

    for (int fd = 0; fd < 3; fd++)
        dup2(null_fd, fd);
    fcntl(NETNS_FD, F_SETFD, 0);
    close_range(NETNS_FD + 1, ~0u, 0);
    signal(SIGPIPE, SIG_DFL); /* we ignore it; pasta takes that for a fault */
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execv(k->pasta, argv);
    _exit(127);
}

/* An address on something other than lo. */
static bool has_address(void)
{
    struct ifaddrs *all = NULL;
    bool found = false;

    if (getifaddrs(&all) < 0)
        return false;
    for (const struct ifaddrs *a = all; a; a = a->ifa_next)
        found |= a->ifa_addr && a->ifa_flags & IFF_UP && !(a->ifa_flags & IFF_LOOPBACK) &&
                 a->ifa_addr->sa_family == AF_INET;
    freeifaddrs(all);
    return found;
}

static bool is_gone(int socket_fd, int wait_ms)
{
    struct pollfd p = {.fd = socket_fd, .events = POLLIN};

    return poll(&p, 1, wait_ms) > 0;
}

static void keep(struct keeper *k)
{
    uint64_t deadline = clock_mono_ms() + READY_MS;
    char answer = 'n';

    k->pid = fork();
    if (k->pid == 0)
        exec_pasta(k);
    if (k->pid < 0 || setns(k->netns_fd, CLONE_NEWNET) < 0)
        answer = 'e';
    while (answer == 'n' && clock_mono_ms() < deadline && !is_gone(k->socket_fd, 5)) {
        if (waitpid(k->pid, NULL, WNOHANG) == k->pid) {
            k->pid = 0;
            break;
        }
        if (has_address())
            answer = 'y';
    }
    if (send(k->socket_fd, &answer, 1, MSG_NOSIGNAL) == 1 && answer == 'y')
        is_gone(k->socket_fd, -1);
    if (k->pid > 0) {
        kill(k->pid, SIGKILL);
        waitpid(k->pid, NULL, 0);
    }
    _exit(0);
}

int uplink_begin(struct uplink *uplink, int netns_fd, struct err *err)
{
    AUTO_FREE char *pasta = find_pasta();
    char answer = 'e';
    int pair[2];

    if (check(err) < 0)
        return -1;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return err_errno(err, "make a socket pair");
    uplink->socket_fd = pair[0];
    uplink->pid = fork(); /* other threads may run: the C library's own locks are safe over it */
    if (uplink->pid == 0) {
        /* Nothing of ours may stay open in it, our end of the socket least of all. */
        struct keeper k = {.pasta = pasta,
                           .socket_fd = fcntl(pair[1], F_DUPFD_CLOEXEC, 5),
                           .netns_fd = fcntl(netns_fd, F_DUPFD_CLOEXEC, 5)};

        k.socket_fd = dup3(k.socket_fd, NETNS_FD + 1, O_CLOEXEC);
        k.netns_fd = dup3(k.netns_fd, NETNS_FD, O_CLOEXEC);
        close_range(NETNS_FD + 2, ~0u, 0);
        keep(&k);
    }
    close(pair[1]);
    if (uplink->pid < 0)
        return err_errno(err, "fork pasta's keeper");
    while (read(uplink->socket_fd, &answer, 1) < 0 && errno == EINTR)
        ;
    if (answer == 'y')
        return 0;
    uplink_end(uplink);
    return err_set(err, ERR_COMMAND, 1, "pasta gave the network no address");
}

void uplink_end(struct uplink *uplink)
{
    scope_close(&uplink->socket_fd);
    if (uplink->pid > 0)
        while (waitpid(uplink->pid, NULL, 0) < 0 && errno == EINTR)
            ;
    uplink->pid = 0;
}
