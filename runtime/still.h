/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RUNTIME_STILL_H
#define RUNTIME_STILL_H

/*
 * Plain directories in place of the file systems that a kernel shows of itself, for sandboxes
 * without mounts. Each makes parent_fd/name, which must not exist.
 *
 *   dev    null, zero, full, random, urandom, tty; the links fd, stdin, stdout, stderr; shm, pts
 *   proc   copies of what tells about the machine (cpuinfo, meminfo, stat, a few of sys/): programs
 *          count processors by them. Nothing about processes: no self, no fd.
 *   sys    the numbers of the processors
 */
#include "base/err.h"

typedef int still_fn(int parent_fd, const char *name, struct err *err);

int still_dev(int parent_fd, const char *name, struct err *err);
int still_proc(int parent_fd, const char *name, struct err *err);
int still_sys(int parent_fd, const char *name, struct err *err);

#endif
