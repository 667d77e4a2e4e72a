/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DEPLOY_TASKDEF_H
#define DEPLOY_TASKDEF_H

/*
 * A task definition file made into RegisterTaskDefinition's input. Pure. Unknown members stay as
 * they are. Takes the bare document or `describe-task-definition` output ({"taskDefinition": …,
 * "tags": …}). Dropped are: members that only describe knows; nulls; members that are empty
 * strings, with the objects and lists that this empties. Kept is an empty value that means
 * something: environment[].value, proxyConfiguration.properties[].value, dockerLabels, and words of
 * a list (command, entryPoint).
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/json.h"
#include "base/str.h"
#include "registry/platform.h"

#define TASKDEF_MAX (1 << 20) /* ECS takes 64 KiB; a describe output with tags may be larger */

/* file: for messages. *doc is a new reference. */
int taskdef_parse(struct str text, const char *file, json_t **doc, struct err *err);
/*
 * Puts `image` in. name is a container's name (its image is replaced; if that was a placeholder, it
 * is filled everywhere), or the name inside a placeholder ("IMAGE1_NAME" for <IMAGE1_NAME>, filled
 * in every string of the document), or NULL (the only container, else <IMAGE1_NAME>). A name that
 * is neither is an error that lists the containers. Returns how many places changed.
 */
int taskdef_set_image(json_t *doc, const char *name, const char *image, struct err *err);
/* The containers that would run `image` after taskdef_set_image(), comma separated: for messages
 * and artifacts. */
char *taskdef_containers_of(const json_t *doc, const char *image);
/* Every placeholder filled, every container with an image: else an error that names the first that
 * is not. */
int taskdef_check(const json_t *doc, struct err *err);
/*
 * runtimePlatform, with ECS's defaults filled in (LINUX, X86_64). *is_certain: the document says
 * so, or runs on Fargate, where the defaults count; false: on EC2 the instances decide.
 */
int taskdef_platform(const json_t *doc, struct platform *platform, bool *is_certain,
                     struct err *err);
/*
 * 0 when an image of platform `have` runs where the task definition puts it (`want`, of
 * taskdef_platform). Else ERR_INPUT: what the image is, what the task definition wants, and both
 * remedies (rebuild with --platform …, or runtimePlatform).
 */
int taskdef_fits(const struct platform *want, const struct platform *have, const char *image,
                 struct err *err);

#endif
