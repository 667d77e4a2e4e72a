/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RUNTIME_SUBTREE_H
#define RUNTIME_SUBTREE_H

/*
 * A part of a file system as a mount of its own, detached: to be handed to a sandbox (struct
 * plan_mount, detached). It lives as long as its descriptor, or the sandbox that took it.
 */
#include <stdbool.h>

#include "base/err.h"

/*
 * What is at path (links followed inside root_fd, "." is the root itself, "" what
 * root_fd names, a file too): a directory with all
 * that is mounted below it, or one file. root_fd: a directory, or a detached mount
 * (overlay_mount()). Devices in it do not act as devices. *is_dir: what it is.
 */
int subtree_mount(int root_fd, const char *path, bool read_only, bool *is_dir, struct err *err);

#endif
