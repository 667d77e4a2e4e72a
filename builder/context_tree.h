/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_CONTEXT_TREE_H
#define BUILDER_CONTEXT_TREE_H

/*
 * What a part of a context is, as one hash: a file, or a directory and all below it.
 *
 * The shape is all that stat tells (names, types, modes, sizes, links' targets), the content is the
 * shape and what is in the files, extended attributes too. Never times, owners, devices of files:
 * COPY does not keep them. A shape costs no reading, so a shape that was never seen tells without
 * reading that the content was not either.
 */
#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "builder/context.h"

enum context_depth { CONTEXT_SHAPE, CONTEXT_CONTENT };

int context_tree_hash(struct context *context, struct context_node *node, struct pool *pool,
                      enum context_depth depth, struct sha256 *h, struct err *err);
/* Appends a line for each file, in order: "<mode, octal> <digest, in hex> <path, escaped>"; the
 * digest of a symbolic link is "->" and its target, in hex. For who wants to tell two contents
 * apart. */
int context_tree_list(struct context *context, struct context_node *node, struct buf *out,
                      struct err *err);

#endif
