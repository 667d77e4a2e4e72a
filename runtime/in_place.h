/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RUNTIME_IN_PLACE_H
#define RUNTIME_IN_PLACE_H

/*
 * Isolation in-place: the root of the container in which slipway runs becomes the stage's. Images
 * are unpacked over it, commands run in it as anything else does.
 */
#include "base/err.h"
#include "base/str.h"
#include "base/strv.h"

/* Refuses where this is not evidently root in a container that somebody will throw away: one that
 * docker, podman or a kubelet marked as such, and in which nothing else runs. */
int in_place_check(struct err *err);

/*
 * What is mounted on the root, as paths relative to it: /proc/self/mountinfo (proc(5)), field 5,
 * with \ooo for odd bytes. Pure. ERR_INPUT when it is something else.
 */
int in_place_parse_mounts(struct str text, struct strv *paths, struct err *err);
int in_place_mounts(struct strv *paths, struct err *err);

#endif
