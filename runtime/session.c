/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/session.h"

#include <errno.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/scope.h"
#include "runtime/ladder.h"
#include "runtime/remedy.h"
#include "runtime/spawner.h"

int session_enter(const char *want, struct session *session, struct err *err)
{
    enum session_rung rung = SESSION_NONE;
    int choose = ladder_parse(want, &rung, err);

    if (choose < 0)
        return -1;
    session->uid_host = getuid();
    session->gid_host = getgid();
    if (choose) {
        ladder_choose(session);
        return 0;
    }
    if (ladder_enter(rung, session, err) < 0) {
        remedy_add(want, session->uid_host, err);
        return err_wrap(err, "isolation \"%s\" is not possible here", want);
    }
    return 0;
}

void session_release(struct session *session)
{
    int saved = errno;

    scope_close(&session->control_fd);
    emulators_release(&session->emulators);
    if (session->spawner_pid > 0)
        while (waitpid(session->spawner_pid, NULL, 0) < 0 && errno == EINTR)
            ;
    session->spawner_pid = 0;
    if (session_is_plain(session))
        prctl(PR_SET_DUMPABLE, 1, 0, 0, 0); /* ladder.c: no command is left that might look */
    session->rung = SESSION_NONE;
    errno = saved;
}

/* One message, so that it is safe in a signal handler; the spawner keeps the order of requests, so
 * no sandbox slips through. */
void session_cancel(struct session *session)
{
    struct spawner_request request = {.cancel = true};
    int saved = errno;

    atomic_store(&session->cancelled, true);
    if (session->control_fd >= 0)
        (void)!send(session->control_fd, &request, sizeof(request), MSG_NOSIGNAL);
    errno = saved;
}

bool session_cancelled(const struct session *session)
{
    return atomic_load(&session->cancelled);
}

const char *session_rung_name(enum session_rung rung)
{
    switch (rung) {
    case SESSION_ROOT:
        return "root";
    case SESSION_USERNS:
        return "userns";
    case SESSION_CHROOT:
        return "chroot";
    case SESSION_IN_PLACE:
        return "in-place";
    case SESSION_SINGLE:
        return "single";
    case SESSION_NONE:
        break;
    }
    return "none";
}
