/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RUNTIME_BROOD_H
#define RUNTIME_BROOD_H

/*
 * The end of a command where there is no pid namespace: its keeper is the subreaper (prctl(2)) of
 * everything that descends from it, so whatever loses its parent becomes the keeper's child.
 */
#include <stddef.h>
#include <sys/types.h>

/* Makes this process the one to which orphans come. */
int brood_adopt(void);
/*
 * Kills and reaps every child of this process, and those that come to it by that, until there is
 * none. Children are read from /proc; where the kernel has no list there, every pid is tried.
 */
void brood_kill(void);
/* Reaps whoever has ended. `of`'s status as a shell has it (128 and the signal) when it is among
 * them, else -1. */
int brood_reap(pid_t of);
/* Kills those that are none of `spared`, which are children too, and reaps nothing. */
void brood_kill_strays(const pid_t *spared, size_t count);

#endif
