/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RUNTIME_RESOURCES_H
#define RUNTIME_RESOURCES_H

/*
 * How much of the machine a sandbox may use, in the words of Docker's options: --memory,
 * --memory-swap, --cpus, --cpu-shares, --cpu-period, --cpu-quota, --cpuset-cpus, --cpuset-mems,
 * --pids-limit, --cgroup-parent. Pure. runtime/cgroup.h carries it out.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "runtime/limits.h"

struct resources {
    uint64_t memory;     /* bytes; here and below 0: no limit */
    int64_t memory_swap; /* memory and swap together; 0: twice the memory; -1: no limit */
    uint64_t cpu_period, cpu_quota; /* microseconds; a quota without a period is one of 100 ms */
    uint64_t cpu_shares;            /* 1024 is the usual weight */
    uint64_t pids;
    char *cpuset_cpus, *cpuset_mems; /* "0-2,4"; NULL: all */
    char *parent;                    /* a cgroup's path; NULL: where slipway is */
    bool by_rlimits; /* there is no cgroup to be had: memory and pids by setrlimit(2) */
};

void resources_release(struct resources *r);
bool resources_any(const struct resources *r); /* is there anything to carry out? */
/* name: an option's, without "--". Zero, "" and -1 are no limit, but for a set of CPUs, where 0 is
 * the first. ERR_USAGE. */
int resources_set(struct resources *r, const char *name, const char *text, struct err *err);
/* What goes together: after the last resources_set(). ERR_USAGE. */
int resources_check(const struct resources *r, struct err *err);

/* One file of a cgroup, and what is to be written there. */
struct resources_setting {
    const char *controller; /* "memory", "cpu", "cpuset", "pids" */
    const char *file;
    char *value;   /* for free() */
    bool optional; /* not asked for in words: a kernel without the file is no failure */
};
#define RESOURCES_SETTINGS_MAX 10
/* In the order of writing; unified: cgroup v2. Returns how many. */
size_t resources_settings(const struct resources *r, bool unified,
                          struct resources_setting out[static RESOURCES_SETTINGS_MAX]);
void resources_settings_release(struct resources_setting *settings, size_t count);

/* Where there is no cgroup: what remains is held for each process (memory) or user (pids), unless
 * limits say something else already. What cannot be held so is ERR_SYSTEM, with the remedy. */
int resources_to_limits(const struct resources *r, struct limits *limits, struct err *err);

#endif
