/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/attend.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/scope.h"
#include "runtime/forward.h"

static const int passed_on[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2};

int attend_begin(struct attend *a, struct err *err)
{
    sigset_t mask;

    sigemptyset(&mask);
    for (size_t i = 0; i < ARRAY_SIZE(passed_on); i++)
        sigaddset(&mask, passed_on[i]);
    sigaddset(&mask, SIGWINCH);
    if (sigprocmask(SIG_BLOCK, &mask, &a->before) < 0)
        return err_errno(err, "block signals");
    a->begun = true;
    a->signal_fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
    return a->signal_fd < 0 ? err_errno(err, "watch signals") : 0;
}

void attend_keep_resizes(void)
{
    sigset_t mask;

    sigemptyset(&mask);
    sigaddset(&mask, SIGWINCH);
    sigprocmask(SIG_BLOCK, &mask, NULL);
}

void attend_end(struct attend *a)
{
    if (a->begun)
        sigprocmask(SIG_SETMASK, &a->before, NULL);
    a->begun = false;
    scope_close(&a->signal_fd);
}

bool attend_terminal_size(unsigned short *rows, unsigned short *columns)
{
    struct winsize size;

    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 && ioctl(STDIN_FILENO, TIOCGWINSZ, &size) < 0)
        return false;
    *rows = size.ws_row;
    *columns = size.ws_col;
    return true;
}

/* ---- terminal ---- */

struct relay {
    int master_fd; /* -1: no terminal, or it has ended */
    bool keyboard; /* standard input still has something to give */
    bool begun, raw;
    struct termios saved;
};

static void relay_restore(struct relay *r)
{
    if (r->raw)
        tcsetattr(STDIN_FILENO, TCSADRAIN, &r->saved);
    r->raw = false;
}

static void relay_begin(struct relay *r, int master_fd, bool interactive)
{
    struct termios raw;

    r->begun = true;
    r->master_fd = master_fd;
    r->keyboard = interactive && master_fd >= 0;
    if (!r->keyboard || tcgetattr(STDIN_FILENO, &r->saved) < 0)
        return;
    raw = r->saved;
    cfmakeraw(&raw);
    r->raw = tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) == 0;
}

/* Moves what is there; false at the end of from. A reader that has gone away ends it too. */
static bool relay_move(int from, int to)
{
    struct err ignored = {0};
    char bytes[8192];
    ssize_t n = read(from, bytes, sizeof(bytes));

    if (n < 0)
        return errno == EINTR || errno == EAGAIN;
    return n > 0 && fs_write(to, bytes, (size_t)n, &ignored) == 0;
}

/* The last output of a command may still lie in the terminal when it has ended. */
static void relay_drain(struct relay *r, int to)
{
    struct pollfd p = {.fd = r->master_fd, .events = POLLIN};

    while (r->master_fd >= 0 && poll(&p, 1, 0) > 0 && p.revents & POLLIN)
        if (!relay_move(r->master_fd, to))
            break;
}

/* ---- signals ---- */

struct scene {
    struct attend *attend;
    struct run *run;
    struct forward *forward;
    struct relay relay;
    int interrupts;
};

static void take_signals(struct scene *s)
{
    struct signalfd_siginfo info;

    while (read(s->attend->signal_fd, &info, sizeof(info)) == sizeof(info)) {
        int number = (int)info.ssi_signo;
        struct winsize size;

        if (number == SIGWINCH) {
            if (s->run->tty_fd >= 0 && ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0)
                ioctl(s->run->tty_fd, TIOCSWINSZ, &size);
            continue;
        }
        if ((number == SIGINT || number == SIGTERM) && ++s->interrupts > 1) {
            log_info("interrupted again: killing the container");
            number = SIGKILL;
        }
        run_signal(s->run, number);
    }
}

static void serve(struct scene *s, const struct pollfd p[static 6])
{
    if (p[5].revents)
        s->attend->also(s->attend->also_arg);
    if (p[1].revents)
        take_signals(s);
    if (p[3].revents && !relay_move(s->relay.master_fd, s->attend->terminal_fd))
        s->relay.master_fd = -1;
    if (p[4].revents && !relay_move(STDIN_FILENO, s->relay.master_fd)) {
        const char end_of_file = 4; /* what Ctrl-D types */

        s->relay.keyboard = false;
        if (s->relay.master_fd >= 0 && write(s->relay.master_fd, &end_of_file, 1) != 1)
            log_debug("terminal: end-of-file was not taken");
    }
}

int attend_run(struct attend *a, struct run *run, struct forward *forward, bool interactive,
               int *status, struct err *err)
{
    struct scene s = {.attend = a, .run = run, .forward = forward};
    bool more = false;
    int rc = 1;

    s.relay.master_fd = -1;
    while (rc == 1) {
        if (run->tty_fd >= 0 && !s.relay.begun)
            relay_begin(&s.relay, run->tty_fd, interactive);
        struct pollfd p[] = {
            {.fd = run->socket_fd, .events = POLLIN},
            {.fd = a->signal_fd, .events = POLLIN},
            {.fd = forward ? forward_fd(forward) : -1, .events = POLLIN},
            {.fd = s.relay.master_fd, .events = POLLIN},
            {.fd = s.relay.keyboard && s.relay.master_fd >= 0 ? STDIN_FILENO : -1,
             .events = POLLIN},
            {.fd = a->also ? a->also_fd : -1, .events = POLLIN},
        };

        if (poll(p, ARRAY_SIZE(p), more ? 0 : -1) < 0 && errno != EINTR) {
            rc = err_errno(err, "attend the container");
            break;
        }
        serve(&s, p);
        if (forward && (more || p[2].revents))
            more = forward_serve(forward);
        if (p[0].revents)
            rc = run_check(run, status, err);
    }
    if (run->tty_fd >= 0 && !s.relay.begun)
        relay_begin(&s.relay, run->tty_fd, false);
    relay_drain(&s.relay, a->terminal_fd);
    relay_restore(&s.relay);
    return rc;
}
