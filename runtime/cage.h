/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RUNTIME_CAGE_H
#define RUNTIME_CAGE_H

/*
 * What holds a command where there are no namespaces, once it is chrooted: Landlock, where the
 * kernel has it, and a filter for its network. Both stay on whatever it starts.
 *
 *   Landlock   files: its root alone, also for who breaks out of the chroot; no signal, no ptrace
 *              and no abstract socket to a process outside (signals and sockets: kernel 6.12)
 *   network    `none`: no socket but AF_UNIX; the others fail with EAFNOSUPPORT
 *
 * Without CAP_SYS_ADMIN both need no_new_privs, which is then set: set-user-id programs gain
 * nothing.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/* Sets no_new_privs where it is needed; *set says whether. */
int cage_no_new_privs(struct err *err);
/* root_fd: the directory that is "/" by now. 1: confined; 0: the kernel has no (good enough)
 * Landlock. */
int cage_files(int root_fd, struct err *err);
int cage_network(struct err *err);

#endif
