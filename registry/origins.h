/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_ORIGINS_H
#define REGISTRY_ORIGINS_H

/*
 * Which repositories are known to hold a blob: what it was pulled from, pushed to, found in. A
 * hint, for mounting it from one repository of a registry into another instead of sending it: being
 * wrong costs one request. In the store: cache/origins/<blob hex>, lines "<host>/<repository>\n",
 * oldest first.
 */
#include <stddef.h>

#include "base/strv.h"

struct layout;

#define ORIGINS_SIZE_MAX 8192 /* ours: some hundred repositories; a full file takes no more */

/* Neither fails: a hint lost is no error (a debug line says so). */
void origins_add(const struct layout *l, const char *digest, const char *host,
                 const char *repository);
/* Repositories at host other than `except` that hold the blob, latest first. */
void origins_find(const struct layout *l, const char *digest, const char *host, const char *except,
                  struct strv *repositories);

#endif
