/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_EARLY_PUSH_H
#define BUILDER_EARLY_PUSH_H

/*
 * Layers of images that a build pushes go to their registries while later steps run: each as soon
 * as its step is done; a build with secrets sends nothing before all it made was searched for them,
 * and so does not begin here at all. Only blobs go here; configs,
 * manifests and tags are builder/outputs', which pushes through the same uploads and so sends
 * nothing twice. What goes wrong here is a debug line, and tried again there.
 *
 *   - Nothing moves before the first step that must be carried out: a build that is remembered
 *     whole has nothing to gain, and when its tag is up to date it asks its registry one question.
 *   - Layers that an output wants in another codec or at its own level (compression, base layers
 *     with force-compression) wait for the end: they are compressed then.
 */
#include <stddef.h>

#include "base/err.h"

struct build;
struct early_push;
struct making;
struct outputs;
struct outputs_target;
struct reference;
struct uploads;

/* What pushes there will be; asks nobody yet. o and targets are read, and what they point to is
 * borrowed. */
struct early_push *early_push_open(const struct outputs *o, const struct outputs_target *targets,
                                   size_t count, struct err *err);
/* Calls off what is under way; NULL is fine. Before the store's hook for missing blobs goes. */
void early_push_close(struct early_push *e);
/* The stage may have grown: layers that will be of an image go. From the thread that has the stage.
 */
void early_push_layers(const struct build *build, struct making *making);
/* A step is about to be carried out: from now on layers go. From any thread. */
void early_push_start(struct early_push *e);
/* Those to the repository of ref, which is the name of an output that pushes; borrowed. */
struct uploads *early_push_uploads(const struct early_push *e, const struct reference *ref);

#endif
