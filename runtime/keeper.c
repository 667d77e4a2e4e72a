/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/keeper.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/scope.h"
#include "runtime/brood.h"
#include "runtime/init.h"
#include "runtime/places.h"
#include "runtime/spawner.h"

#define STATUS_SETUP 125 /* Docker's for "the container could not be made" */

struct keeper {
    struct plan *plan;
    struct places places;
    int socket_fd, signal_fd;
    pid_t step;
};

/* The command's status; or as if it were killed, because slipway has gone or wants it so. */
static int serve(struct keeper *k)
{
    for (;;) {
        struct pollfd p[] = {{.fd = k->signal_fd, .events = POLLIN},
                             {.fd = k->socket_fd, .events = POLLRDHUP}};
        struct signalfd_siginfo info;
        int ended;

        if (poll(p, 2, -1) < 0)
            continue;
        if (p[1].revents)
            return 128 + SIGKILL;
        while (read(k->signal_fd, &info, sizeof(info)) == sizeof(info))
            if (info.ssi_signo != SIGCHLD)
                kill(k->step, (int)info.ssi_signo);
        ended = brood_reap(k->step);
        if (ended >= 0)
            return ended;
    }
}

/* The command has its own copies; ours would keep its pipes open. */
static void close_streams(struct plan *plan)
{
    scope_close(&plan->stdin_fd);
    scope_close(&plan->stdout_fd);
    scope_close(&plan->stderr_fd);
}

static int start(struct keeper *k, const struct seccomp_program *filter, struct err *err)
{
    sigset_t all;
    pid_t self = getpid();

    sigfillset(&all);
    k->signal_fd = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
    if (k->signal_fd < 0)
        return err_errno(err, "hear signals");
    if (places_put(k->plan, &k->places, err) < 0)
        return -1;
    k->step = fork();
    if (k->step < 0)
        return err_errno(err, "fork the command");
    if (k->step == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
        if (getppid() != self)
            _exit(STATUS_SETUP);
        init_step(k->plan, filter, k->socket_fd);
    }
    close_streams(k->plan);
    return 0;
}

void keeper_main(struct plan *plan, const struct seccomp_program *filter, int socket_fd,
                 struct err *err)
{
    struct keeper k = {.plan = plan, .socket_fd = socket_fd, .signal_fd = -1};
    struct spawner_message failed = {.kind = SPAWNER_FAILED};
    int status;

    umask(022);
    if (brood_adopt() < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0) {
        err_errno(err, "become the keeper of a command");
        return;
    }
    prctl(PR_SET_NAME, "slipway-keeper", 0, 0, 0);
    if (start(&k, filter, err) < 0) {
        brood_kill();
        places_take(plan, &k.places, &failed.failure); /* the first failure is the one to tell */
        return;
    }
    status = serve(&k);
    brood_kill();
    if (places_take(plan, &k.places, &failed.failure) < 0) {
        err_wrap(&failed.failure, "after the command");
        spawner_send(socket_fd, &failed, -1);
    }
    _exit(status);
}
