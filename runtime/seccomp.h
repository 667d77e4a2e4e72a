/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RUNTIME_SECCOMP_H
#define RUNTIME_SECCOMP_H

/*
 * The system call filter of a sandbox, Docker's default profile in behaviour: what is not allowed
 * gives EPERM, clone3 gives ENOSYS (its flags cannot be seen; libc then uses clone), namespaces
 * cannot be made. libseccomp (this room is its door) only tells the numbers; the program is ours: a
 * binary search over ranges for each architecture, made in well under a millisecond, so nothing is
 * cached anywhere. Calls of the x32 form get ENOSYS, as on a kernel without it. Architectures that
 * the machine cannot run are killed.
 */
#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct seccomp_program {
    struct sock_filter *code;
    size_t count, capacity;
};

/* caps: the bounding set; some calls are allowed to those who hold the capability. */
int seccomp_program_compile(uint64_t caps, struct seccomp_program *program, struct err *err);
/* The same, and the calls that the recorder wants (runtime/notify.h) go to it. unconfined: all
 * others are allowed. seccomp_listen() loads it and gives the listener. */
int seccomp_program_compile_recording(uint64_t caps, bool unconfined,
                                      struct seccomp_program *program, struct err *err);
int seccomp_listen(const struct seccomp_program *program, struct err *err);
/* Number of a call by name for an architecture (AUDIT_ARCH_*), negative: it has none. */
int seccomp_number(uint32_t arch, const char *name);
/* The architectures that this machine runs: the native one and its 32-bit companion. */
bool seccomp_arches(uint32_t arches[static 2]);
void seccomp_program_release(struct seccomp_program *program);
/* Onto this thread. Needs CAP_SYS_ADMIN in its user namespace, or no_new_privs. */
int seccomp_program_load(const struct seccomp_program *program, struct err *err);

#endif
