/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_RESOLVED_H
#define REGISTRY_RESOLVED_H

/*
 * What a reference named when a registry was last asked, for images of which the store holds the
 * manifest and config but not all layers: they have no name in index.json, which would promise
 * more. In the store: cache/resolved/<sha256 of the full name>, the descriptor as JSON. A hint:
 * the manifest may have been pruned since.
 */
#include "base/err.h"
#include "registry/descriptor.h"

struct layout;
struct reference;

/* 1 known, 0 not; a record that is damaged is none. */
int resolved_find(const struct layout *l, const struct reference *ref, struct descriptor *out);
int resolved_save(const struct layout *l, const struct reference *ref, const struct descriptor *d,
                  struct err *err);

#endif
