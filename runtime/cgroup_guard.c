/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/cgroup_guard.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/scope.h"

#define PIPE_FD 3

/* Signals of the terminal are not for it, nor may a step look into it or talk it away. */
static void keep_to_itself(int pipe_fd)
{
    sigset_t all;
    int null_fd;

    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    setsid();
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    prctl(PR_SET_NAME, "slipway-cgroups", 0, 0, 0);
    if (pipe_fd != PIPE_FD)
        dup2(pipe_fd, PIPE_FD);
    close_range(PIPE_FD + 1, ~0u, 0);
    null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; fd < PIPE_FD; fd++)
        dup2(null_fd, fd);
    close(null_fd);
}

static void watch(const struct cgroup *g, pid_t of, int pipe_fd)
{
    char byte;
    ssize_t n;

    keep_to_itself(pipe_fd);
    do
        n = read(PIPE_FD, &byte, 1);
    while (n > 0 || (n < 0 && errno == EINTR));
    for (size_t i = 0; i < g->count; i++)
        cgroup_sweep(g->dirs[i].base, of);
    _exit(0);
}

int cgroup_guard_open(struct cgroup_guard *guard, const struct cgroup *cgroup, struct err *err)
{
    pid_t self = getpid();
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) < 0)
        return err_errno(err, "make a pipe");
    guard->pid = fork();
    if (guard->pid == 0)
        watch(cgroup, self, ends[0]);
    close(ends[0]);
    guard->pipe_fd = ends[1];
    if (guard->pid > 0)
        return 0;
    err_errno(err, "fork the guard of the cgroups");
    scope_close(&guard->pipe_fd);
    guard->pid = 0;
    return -1;
}

void cgroup_guard_close(struct cgroup_guard *guard)
{
    int saved = errno;

    scope_close(&guard->pipe_fd);
    if (guard->pid > 0)
        while (waitpid(guard->pid, NULL, 0) < 0 && errno == EINTR)
            ;
    guard->pid = 0;
    errno = saved;
}
