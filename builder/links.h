/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_LINKS_H
#define BUILDER_LINKS_H

/*
 * Owners of links and pipes of the layers below a sandbox whose owners are recorded: these carry no
 * record themselves (runtime/record.h), but the layers' indexes know.
 */
#include "base/err.h"
#include "builder/stack.h"

/* A memory file of struct record_item, by the inodes of the layers' trees, which must be there;
 * tree_fd: of this one tree that holds all layers (builder/worktree.h), else -1. */
int links_open(struct stack *stack, struct layout *layout, int tree_fd, struct err *err);

#endif
