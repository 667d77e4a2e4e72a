/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RUNTIME_CGROUP_H
#define RUNTIME_CGROUP_H

/*
 * A cgroup for one sandbox, made below the one that slipway itself is in (or --cgroup-parent), in
 * each hierarchy that has a controller for what is asked: version 1, version 2, or some of both
 * (cgroups(7); kernel, admin-guide/cgroup-v2). The command enters it before it gives anything up
 * (plan.cgroup_fds), so nothing that it starts is outside. It is called slipway-PID-N: what a
 * killed slipway left is empty, and goes by its guard (runtime/cgroup_guard.h), or, when that was
 * killed too, when the next slipway makes its first.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "runtime/plan.h"
#include "runtime/resources.h"

struct cgroup_guard;

struct cgroup {
    struct cgroup_dir {
        char *base, *name; /* base/name */
        bool unified;
        int procs_fd;
    } dirs[PLAN_CGROUPS_MAX];
    size_t count;
};

/*
 * Pure. From the bytes of /proc/self/mountinfo and /proc/self/cgroup: the directory of the cgroup
 * we are in, for this controller; parent (or NULL) instead of where we are. controller NULL:
 * version
 * 2. false: there is none.
 */
bool cgroup_find(struct str mountinfo, struct str self, const char *controller, const char *parent,
                 struct buf *dir);

/*
 * Decides once, before the first sandbox, whether cgroups can be had for this: makes one and
 * removes it. Where they cannot, r->by_rlimits, with one warning that says what is held less well;
 * or ERR_SYSTEM when a limit cannot be held at all. Where they can, a guard is set, which is to be
 * closed after the last of them; no other thread may run yet.
 */
int cgroup_settle(struct resources *r, struct cgroup_guard *guard, struct err *err);
/* Removes the empty ones of this process; 0: of all processes that are gone. */
void cgroup_sweep(const char *base, pid_t of);

/* Nothing to do (count 0) when r asks for nothing or is by_rlimits. */
int cgroup_make(const struct resources *r, struct cgroup *cgroup, struct err *err);
/* Its descriptors, borrowed, or the limits in their stead, into the plan. */
int cgroup_put(const struct resources *r, const struct cgroup *cgroup, struct plan *plan,
               struct err *err);
/* How often the kernel killed for want of memory; 0 when that is not known. */
uint64_t cgroup_oom_kills(const struct cgroup *cgroup);
uint64_t cgroup_memory_peak(const struct cgroup *cgroup); /* bytes; 0: not known */
/* Removes it; its processes must be gone. */
void cgroup_release(struct cgroup *cgroup);

#endif
