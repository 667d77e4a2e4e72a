/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_PROC_H
#define BASE_PROC_H

/* Runs a helper program (credential helper, newuidmap, …), never a shell. Uses posix_spawn, so any
 * thread may call it. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/strv.h"

struct proc {
    const struct strv *argv; /* argv[0] is looked up in PATH */
    const struct strv *env;  /* NULL: ours */
    struct str input;        /* its standard input */
    size_t output_max;       /* bytes of each output stream kept; more is an error; 0 means 1 MiB */
    uint64_t timeout_ms;     /* 0: none. At the deadline it is killed */
    int held_fd;             /* when has_held_fd: stays open in the program as 3, so that a lock on
                                it lasts as long as the program, even when we are killed */
    bool has_held_fd;
};

/* Collects both outputs. 0 when the program ran to its end (*status: exit status, 128 + n for
 * signal n), -1 when it could not be started (ERR_SYSTEM, ENOENT when not in PATH), wrote too much
 * or ran out of time. */
int proc_run(const struct proc *proc, struct buf *out, struct buf *errors, int *status,
             struct err *err);

/* A helper that stays, and ends when its standard input does: when we end, too, however that is. */
struct proc_kept {
    pid_t pid;
    int in_fd;  /* its standard input */
    int out_fd; /* its standard output; its standard error is ours */
};
#define PROC_KEPT_CLOSED                                                                           \
    {                                                                                              \
        .pid = -1, .in_fd = -1, .out_fd = -1                                                       \
    }
int proc_keep(const struct proc *proc, struct proc_kept *kept, struct err *err);
/* Closes its input and ends it. */
void proc_kept_end(struct proc_kept *kept);

#endif
