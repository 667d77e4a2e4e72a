/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RUNTIME_SESSION_H
#define RUNTIME_SESSION_H

/*
 * The place in which a command does its work on images: entered once, early in main, while the
 * process has one thread.
 *
 *   root    private mount namespace; the process stays the host's root. Sandboxes share one user
 * namespace with the identity map, so their root is not the host's. userns  the process itself
 * moves to a user and mount namespace with the user's subordinate ids and is uid 0 there; sandboxes
 * share that user namespace. HOME, XDG_* and all other variables stay as they were. single  the
 * same with one id, which is 0 there; owners, device nodes and ids of processes are recorded
 * (runtime/notify.h). none    no sandbox: everything but RUN works; run_start() says why. chroot
 * for root where neither namespaces nor mounts can be had: a sandbox's root is a plain directory
 * (plan.plain), overlay_mount() fails.
 *
 * Descriptors opened before session_enter() belong to the mounts outside: they can be read and
 * written, but be no layer of an overlay and no source of a bind. So: layout_default_root(),
 * session_enter(), layout_open(). After session_enter() geteuid() is 0 in an ordinary user's
 * session too: what depends on who the user is (default paths) is decided before, or from uid_host.
 * The spawner (runtime/spawner.h) is forked here and ends with the session. All functions that take
 * a session may be called from any thread afterwards.
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"
#include "runtime/emulators.h"

enum session_rung {
    SESSION_NONE,
    SESSION_ROOT,
    SESSION_USERNS,
    SESSION_SINGLE,
    SESSION_CHROOT,
    SESSION_IN_PLACE
};

struct session {
    enum session_rung rung;
    int control_fd;    /* to the spawner; -1 in rung none */
    pid_t spawner_pid; /* 0 in rung none */
    uid_t uid_host;    /* who started the command, as the host sees it */
    gid_t gid_host;
    bool shares_user; /* root without a user namespace for sandboxes: the kernel gives none */
    atomic_int
        overlay_style; /* runtime/overlay.c: the best way to name lower directories found so far */
    atomic_bool cancelled;    /* by session_cancel() */
    atomic_int store_overlay; /* builder/root.c: 0 not tried, 1 an overlay can be written to in the
                                 store, 2 it cannot */
    struct err why;           /* rung none: why RUN cannot be carried out */
    struct emulators emulators;
};

#define SESSION_CLOSED                                                                             \
    {                                                                                              \
        .control_fd = -1, .emulators.lock = PTHREAD_MUTEX_INITIALIZER                              \
    }

/*
 * want: NULL or "auto" (the best rung this host allows, `none` when there is no other), else the
 * rung by name, which fails with the reason and the remedy when the host does not allow it.
 * "in-place" is refused by name (ERR_USAGE). session starts as
 * SESSION_CLOSED and must stay where it is.
 */
int session_enter(const char *want, struct session *session, struct err *err);
/* Ends the spawner and with it every sandbox. The namespaces stay: the process cannot go back. */
void session_release(struct session *session);
/*
 * Kills every sandbox of the session within moments; run_wait() then fails with ERR_SYSTEM and
 * ECANCELED, and so does every later run_start(). For any thread, and for a signal handler. There
 * is no way back.
 */
void session_cancel(struct session *session);
bool session_cancelled(const struct session *session);
/* A sandbox has neither mounts nor namespaces. */
static inline bool session_is_plain(const struct session *session)
{
    return session->rung == SESSION_CHROOT || session->rung == SESSION_IN_PLACE;
}
const char *session_rung_name(enum session_rung rung);

#endif
