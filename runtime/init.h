/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RUNTIME_INIT_H
#define RUNTIME_INIT_H

/* The sandbox from inside; see the theory of operation at the head of init.c. */
#include "base/err.h"
#include "runtime/plan.h"
#include "runtime/seccomp.h"

/*
 * Runs in the sandbox's first process, which is PID 1 there, with every signal blocked. filter is
 * for the default capabilities. Returns only when the set-up failed, with err.
 */
void init_main(struct plan *plan, const struct seccomp_program *filter, int socket_fd,
               struct err *err);
/* The process that becomes the command; of a plain plan it is chrooted first. A failure is told on
 * the socket. */
void init_step(struct plan *plan, const struct seccomp_program *filter, int socket_fd)
    __attribute__((noreturn));

#endif
