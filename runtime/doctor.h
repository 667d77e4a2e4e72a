/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RUNTIME_DOCTOR_H
#define RUNTIME_DOCTOR_H

/*
 * What this host allows, found by doing each thing in a throw-away child. For a process without
 * threads that has not entered a session.
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct doctor_probe {
    const char *name;                          /* "userns" */
    const char *what;                          /* "RUN as an ordinary user, with subordinate ids" */
    int (*run)(int store_fd, struct err *err); /* in the child */
};

extern const struct doctor_probe doctor_probes[];
extern const size_t doctor_probes_count;

/* store_fd: a directory of the store in which the probe may make and remove files. 0, or -1 with
 * why not. */
int doctor_try(const struct doctor_probe *probe, int store_fd, struct err *err);

#endif
