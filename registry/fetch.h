/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_FETCH_H
#define REGISTRY_FETCH_H

/*
 * One blob from a registry into the store: streamed into a nameless file and hashed on the way,
 * linked only when length and digest are the descriptor's. A cut body goes on where it stopped
 * (base/http). What fails leaves nothing.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct remote;
struct remote_places;
struct layout;
struct descriptor;

/*
 * Asks the place `first` first (it gave the manifest), then the others in order; foreign layers
 * last at their `urls`. A blob the store has, or one embedded in its descriptor, costs no request.
 * *received: bytes over the wire.
 */
int fetch_blob(struct remote *remote, const struct layout *layout,
               const struct remote_places *places, size_t first, const struct descriptor *blob,
               uint64_t *received, struct err *err);

#endif
