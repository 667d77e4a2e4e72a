/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RUNTIME_RUN_H
#define RUNTIME_RUN_H

/*
 * One sandbox, from outside. Any number at once, each handled by one thread at a time.
 *
 *     struct run run = RUN_CLOSED;
 *     run_start(&session, &plan, &run, err)    the process is on its way; close your copies of its
 * output descriptors
 *     ... read its output to end-of-file ...
 *     run_wait(&run, 0, &status, err)          exit status, 128 + n for signal n
 *     run_release(&run)                        kills what still runs
 *
 * Missing mount points are made in the root before and removed again after (the stub lower of
 * rootfs.h leaves few). When the first process ends, every other process of the sandbox is killed.
 * When this process ends, however it ends, the kernel and the spawner end the sandbox.
 * session_cancel() ends all sandboxes at once.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "runtime/plan.h"
#include "runtime/rootfs.h"
#include "runtime/session.h"

struct run {
    int socket_fd; /* to the sandbox's init and the spawner; its closing ends the sandbox */
    int pidfd;     /* of the sandbox's init */
    int netns_fd;  /* its network namespace, when the plan holds */
    int tty_fd;    /* master side, when the plan has a terminal; comes with run_start() */
    int root_fd;   /* ours: the root stays readable after the end (/proc/… mounts not) */
    pid_t pid;     /* as this process sees it */
    bool plain;    /* kept by a keeper, which is not to be killed */
    bool ended;
    int status;
    struct err failure; /* set-up or exec failed: why */
    struct rootfs_made made;
    /* what the kernel counted for the whole sandbox, after run_wait(): processor time, the memory
     * of its largest process, bytes read from and written to storage */
    uint64_t cpu_us, rss_max, read_size, written_size;
};

#define RUN_CLOSED                                                                                 \
    {                                                                                              \
        .socket_fd = -1, .pidfd = -1, .netns_fd = -1, .tty_fd = -1, .root_fd = -1                  \
    }

int run_start(struct session *session, const struct plan *plan, struct run *run, struct err *err);
void run_go(struct run *run); /* after a start with plan.hold */
/*
 * 0 and *status when the command ran to its end. -1 when it never began: ERR_COMMAND with code 127
 * (not found) or 126 (cannot be executed: the text says why), else ERR_SYSTEM for a failed set-up,
 * with ECANCELED after session_cancel() whether it had begun or not. 1 when timeout_ms (0: none)
 * passed.
 */
int run_wait(struct run *run, uint64_t timeout_ms, int *status, struct err *err);
/* The same without waiting: for who polls socket_fd (POLLIN). 1: it still runs. */
int run_check(struct run *run, int *status, struct err *err);
/* To the first process of the sandbox; SIGKILL ends all of it. Nothing happens after its end. */
void run_signal(struct run *run, int number);
void run_release(struct run *run);

#endif
