/* SPDX-License-Identifier: Apache-2.0 */
#include "base/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/scope.h"

#define OUTPUT_DEFAULT (1 << 20)

struct child {
    pid_t pid;
    int in, out, errors; /* our ends */
    size_t written;
};

#define CHILD_CLOSED ((struct child){.pid = -1, .in = -1, .out = -1, .errors = -1})

static void child_close(struct child *c)
{
    scope_close(&c->in);
    scope_close(&c->out);
    scope_close(&c->errors);
    if (c->pid > 0) {
        kill(c->pid, SIGKILL);
        waitpid(c->pid, NULL, 0);
        c->pid = -1;
    }
}

static int spawn(struct child *c, const struct proc *proc, const int theirs[3], struct err *err)
{
    extern char **environ;
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    sigset_t none, all;
    int rc;

    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_init(&attr);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setsigdefault(&attr, &all);
    posix_spawn_file_actions_init(&actions);
    for (int i = 0; i < 3; i++)
        posix_spawn_file_actions_adddup2(&actions, theirs[i], i);
    if (proc->has_held_fd)
        posix_spawn_file_actions_adddup2(&actions, proc->held_fd, 3);
    rc = posix_spawnp(&c->pid, proc->argv->ptr[0], &actions, &attr, proc->argv->ptr,
                      proc->env ? strv_argv(proc->env) : environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attr);
    if (rc) {
        c->pid = -1;
        errno = rc;
        return err_errno(err, "run %s", proc->argv->ptr[0]);
    }
    return 0;
}

static int start(struct child *c, const struct proc *proc, struct err *err)
{
    int in[2], out[2], errors[2];

    /* A socket for input, so that a helper that does not read it costs no SIGPIPE (MSG_NOSIGNAL).
     */
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, in) < 0)
        return err_errno(err, "make a socket pair");
    c->in = in[0];
    AUTO_FD int in_theirs = in[1];
    if (pipe2(out, O_CLOEXEC) < 0)
        return err_errno(err, "make a pipe");
    c->out = out[0];
    AUTO_FD int out_theirs = out[1];
    if (pipe2(errors, O_CLOEXEC) < 0)
        return err_errno(err, "make a pipe");
    c->errors = errors[0];
    AUTO_FD int errors_theirs = errors[1];
    return spawn(c, proc, (int[]){in_theirs, out_theirs, errors_theirs}, err);
}

static void feed(struct child *c, struct str input)
{
    ssize_t n =
        send(c->in, input.ptr + c->written, input.size - c->written, MSG_NOSIGNAL | MSG_DONTWAIT);

    if (n >= 0)
        c->written += (size_t)n;
    if ((n < 0 && errno != EAGAIN && errno != EINTR) || c->written == input.size)
        scope_close(&c->in);
}

/* One read; the descriptor is closed at end-of-file. */
static int drain(int *fd, struct buf *to, size_t max, const char *name, struct err *err)
{
    char *room = buf_reserve(to, 16384);
    ssize_t n = read(*fd, room, 16384);

    if (n < 0)
        return errno == EINTR ? 0 : err_errno(err, "read from %s", name);
    if (n == 0)
        scope_close(fd);
    buf_commit(to, (size_t)n);
    if (to->size > max)
        return err_set(err, ERR_COMMAND, 0, "%s wrote more than %zu bytes", name, max);
    return 0;
}

static int converse(struct child *c, const struct proc *proc, struct buf *out, struct buf *errors,
                    struct err *err)
{
    size_t max = proc->output_max ? proc->output_max : OUTPUT_DEFAULT;
    uint64_t begun = clock_mono_ms();
    const char *name = proc->argv->ptr[0];

    if (!proc->input.size)
        scope_close(&c->in);
    while (c->out >= 0 || c->errors >= 0) {
        struct pollfd fds[3] = {{c->in, POLLOUT, 0}, {c->out, POLLIN, 0}, {c->errors, POLLIN, 0}};
        uint64_t spent = clock_mono_ms() - begun;
        int wait_ms = -1;

        if (proc->timeout_ms) {
            if (spent >= proc->timeout_ms)
                return err_set(err, ERR_COMMAND, ETIMEDOUT, "%s did not finish within %llu ms",
                               name, (unsigned long long)proc->timeout_ms);
            wait_ms = (int)(proc->timeout_ms - spent);
        }
        if (poll(fds, 3, wait_ms) < 0 && errno != EINTR)
            return err_errno(err, "wait for %s", name);
        if (fds[0].revents)
            feed(c, proc->input);
        if (fds[1].revents && drain(&c->out, out, max, name, err) < 0)
            return -1;
        if (fds[2].revents && drain(&c->errors, errors, max, name, err) < 0)
            return -1;
    }
    return 0;
}

int proc_run(const struct proc *proc, struct buf *out, struct buf *errors, int *status,
             struct err *err)
{
    SCOPED(child_close) struct child c = CHILD_CLOSED;
    int raw;

    if (start(&c, proc, err) < 0 || converse(&c, proc, out, errors, err) < 0)
        return -1;
    while (waitpid(c.pid, &raw, 0) < 0)
        if (errno != EINTR)
            return err_errno(err, "wait for %s", proc->argv->ptr[0]);
    c.pid = -1;
    *status = WIFSIGNALED(raw) ? 128 + WTERMSIG(raw) : WEXITSTATUS(raw);
    return 0;
}

int proc_keep(const struct proc *proc, struct proc_kept *kept, struct err *err)
{
    struct child c = CHILD_CLOSED;
    int in[2], out[2], rc;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, in) < 0)
        return err_errno(err, "make a socket pair");
    AUTO_FD int in_ours = in[0], in_theirs = in[1];
    if (pipe2(out, O_CLOEXEC) < 0)
        return err_errno(err, "make a pipe");
    AUTO_FD int out_ours = out[0], out_theirs = out[1];
    rc = spawn(&c, proc, (int[]){in_theirs, out_theirs, STDERR_FILENO}, err);
    if (rc == 0)
        *kept = (struct proc_kept){c.pid, steal_fd(&in_ours), steal_fd(&out_ours)};
    return rc;
}

void proc_kept_end(struct proc_kept *kept)
{
    struct child c = {kept->pid, kept->in_fd, kept->out_fd, -1, 0};

    child_close(&c);
    *kept = (struct proc_kept)PROC_KEPT_CLOSED;
}
