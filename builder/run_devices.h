/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_RUN_DEVICES_H
#define BUILDER_RUN_DEVICES_H

/*
 * The host's devices for RUN --security=insecure, each under its own name. What the step may do
 * with them is what the session may: with an ordinary user's session, what that user may.
 */
#include <stddef.h>

#include "base/err.h"

struct plan;

struct run_devices {
    int *fds;
    size_t count;
};

/* Adds them to the plan, which borrows the descriptors. */
int run_devices_add(struct run_devices *devices, struct plan *plan, struct err *err);
void run_devices_release(struct run_devices *devices);

#endif
