/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_RUN_DEVICES_H
#define BUILDER_RUN_DEVICES_H

/*
 * The host's devices in a step: all of them under their own names for RUN --security=insecure, and
 * those of RUN --device. What the step may do with them is what the session may: with an ordinary
 * user's session, what that user may.
 */
#include <stddef.h>

#include "base/err.h"
#include "builder/cdi.h"

struct plan;

struct run_devices {
    int *fds;
    size_t count, capacity;
};

/* They add to the plan, which borrows the descriptors. */
int run_devices_add_all(struct run_devices *devices, struct plan *plan, struct err *err);
/* Where nothing can be mounted: ERR_INPUT for edits that need more than variables and groups. */
int run_devices_check_plain(const struct cdi_edits *edits, struct err *err);
/* Nodes, mounts and environment; ERR_INPUT: this host has not what the specification says. */
int run_devices_add_edits(struct run_devices *devices, const struct cdi_edits *edits,
                          struct plan *plan, struct err *err);
/* After the user is known. */
void run_devices_add_groups(const struct cdi_edits *edits, struct plan *plan);
void run_devices_release(struct run_devices *devices);

#endif
