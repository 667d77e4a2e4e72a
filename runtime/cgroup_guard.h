/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RUNTIME_CGROUP_GUARD_H
#define RUNTIME_CGROUP_GUARD_H

/*
 * A small process that outlives us by a moment, however we end (Ctrl-C and SIGKILL too), to remove
 * the cgroups that we made: the kernel ends their processes with us, but leaves the directories. It
 * knows of our end by a pipe, which nobody else holds. It is forked, so no other thread may run
 * yet.
 */
#include <sys/types.h>

#include "base/err.h"
#include "runtime/cgroup.h"

struct cgroup_guard {
    pid_t pid;
    int pipe_fd;
};

#define CGROUP_GUARD_CLOSED                                                                        \
    {                                                                                              \
        .pipe_fd = -1                                                                              \
    }

/* For all cgroups that are ever made beside these. */
int cgroup_guard_open(struct cgroup_guard *guard, const struct cgroup *cgroup, struct err *err);
/* Waits until it has done its work. */
void cgroup_guard_close(struct cgroup_guard *guard);

#endif
