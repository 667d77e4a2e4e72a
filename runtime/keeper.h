/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RUNTIME_KEEPER_H
#define RUNTIME_KEEPER_H

/*
 * A sandbox without namespaces, seen from outside of its root: what init.h is to the others. The
 * keeper puts the plan's mounts into the root (places.h), starts the command, passes signals to it,
 * kills all that descends from it when it ends (brood.h), takes the mounts out again and ends with
 * the command's status. It outlives slipway for that: when its socket reaches end-of-file, the
 * command is killed and everything, secrets first of all, taken out all the same.
 */
#include "base/err.h"
#include "runtime/plan.h"
#include "runtime/seccomp.h"

/* In a fresh process with every signal blocked. Returns only when the set-up failed, with err. */
void keeper_main(struct plan *plan, const struct seccomp_program *filter, int socket_fd,
                 struct err *err);

#endif
