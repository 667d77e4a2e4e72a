/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RUNTIME_LADDER_H
#define RUNTIME_LADDER_H

/*
 * Which isolation this host allows, found by doing it. Entering a rung is the probe: nothing is
 * inferred from sysctls, which are read only to word the remedy after a failure.
 */
#include "base/err.h"
#include "base/str.h"
#include "runtime/session.h"

/* NULL and "auto" give 1 (choose), a name that is carried out 0, any other -1 (ERR_USAGE, naming
 * it). */
int ladder_parse(const char *want, enum session_rung *rung, struct err *err);
/* Best first; `none` is below them all. */
#define LADDER_RUNGS 4
extern const enum session_rung ladder_rungs[LADDER_RUNGS];
/* Moves this process to the rung and forks the spawner. After a failure the process is where it
 * was; the error is the kernel's (runtime/remedy.h knows what helps). */
int ladder_enter(enum session_rung rung, struct session *session, struct err *err);
/* The best rung there is; SESSION_NONE with session->why when there is none. Says so when it is not
 * the one that whoever started us could expect, and why not. */
void ladder_choose(struct session *session);

#endif
