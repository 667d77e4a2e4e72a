/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RUNTIME_SPAWNER_H
#define RUNTIME_SPAWNER_H

/*
 * The small process that alone clones sandboxes. It is forked before the first thread exists and
 * while memory is small, so a clone is cheap and safe; it lives in the sandboxes' user namespace
 * and in a mount namespace of its own that holds nothing but /proc, /sys and /dev; it forgets the
 * environment and arguments it inherited, because a sandbox could otherwise read them.
 *
 * Talk is by messages on SOCK_SEQPACKET sockets:
 *   control socket   session → spawner: struct spawner_request with [the run's socket, a memfd with
 * the printed plan, the plan's descriptors]. No answer there. Each request is one message with its
 * descriptors, so any number of threads may send at once.
 *   run socket       spawner, sandbox → session: struct spawner_message, with a descriptor where
 * one is named below. Each sandbox has its own. The session's end of the control socket closing
 * ends the spawner; its end of a run socket closing ends that sandbox.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

struct spawner_request {
    uint64_t clone_flags; /* beyond those that every sandbox has: CLONE_NEWNET */
    uint64_t plan_size;
    bool record; /* with a recorder (runtime/notify.h) */
    bool cancel; /* without descriptors: every sandbox is killed, and none will be started again */
    /* With [a socket for the answer, one emulator for each bit of `emulators`]: do programs for
     * `arch` (emulate_archs) run? */
    bool ask_emulator;
    unsigned char arch;
    unsigned emulators;
};

enum spawner_kind {
    SPAWNER_STARTED, /* from the spawner, with the pidfd of the sandbox's init */
    SPAWNER_NETNS,  /* from the sandbox, with its network namespace: it waits for one byte before it
                       goes on */
    SPAWNER_TTY,    /* from the sandbox, with the master side of its terminal */
    SPAWNER_FAILED, /* from the sandbox or the spawner: why the command never began */
    SPAWNER_ENDED,  /* from the spawner: the last message */
    SPAWNER_SOCKET, /* on the plan's network_fd, from init: a socket of the sandbox's network, or
                       status = errno */
    SPAWNER_EMULATOR, /* status: enum binfmt_verdict; failure: why not, or why not otherwise */
};

struct spawner_message {
    enum spawner_kind kind;
    int status; /* ENDED, SOCKET, EMULATOR */
    pid_t pid;  /* STARTED, in the spawner's pid namespace */
    uint64_t cpu_us, rss_max, read_size, written_size;
    struct err failure; /* FAILED, EMULATOR */
};

/* A request and what it names. */
int spawner_ask(int control_fd, const struct spawner_request *request, const int *fds, size_t count,
                struct err *err);
int spawner_send(int socket_fd, const struct spawner_message *message, int fd);
/* 1 and the message; 0 at end-of-file; -1. *fd: -1 when none came. */
int spawner_receive(int socket_fd, struct spawner_message *message, int *fd, struct err *err);

/*
 * In a child of the session: new user (when new_user) and mount namespace; says so on ready_fd (a
 * byte), waits there for the maps (a byte), goes on and answers with a struct err (kind ERR_NONE:
 * ready). Then serves until control_fd closes. plain: no namespaces of its own, and its sandboxes
 * have keepers (runtime/keeper.h).
 */
void spawner_main(int control_fd, int ready_fd, pid_t parent, bool new_user, bool plain)
    __attribute__((noreturn));

#endif
