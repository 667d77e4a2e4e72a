/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RUNTIME_DOCTOR_H
#define RUNTIME_DOCTOR_H

/*
 * What this host allows, found by doing each thing in throw-away children, with the functions that
 * builds use. For a process without threads that has not entered a session.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "runtime/session.h"

#define DOCTOR_FINDINGS_MAX 32
#define DOCTOR_REMEDY_MAX 600

struct doctor_finding {
    const char *name; /* "userns" */
    const char *what; /* "a user namespace with a range of ids" */
    bool for_root;    /* an ordinary user cannot expect it */
    bool held;
    struct err why; /* not held: the kernel's words; held: its text may say by what, or is empty */
    char remedy[DOCTOR_REMEDY_MAX]; /* not held: what helps here; "" when nothing is known */
};

struct doctor_report {
    struct doctor_finding findings[DOCTOR_FINDINGS_MAX];
    size_t count, rungs;    /* the first of them are the isolations better than the one used */
    enum session_rung rung; /* the one that builds will use */
    uid_t uid;              /* who asks */
    bool run;               /* a command has run in a sandbox of it */
    uint64_t took_us;       /* all but the programs of other architectures */
};

/* store_fd: a directory of the store in which a probe may make and remove files. */
int doctor_examine(int store_fd, struct doctor_report *report, struct err *err);

#endif
