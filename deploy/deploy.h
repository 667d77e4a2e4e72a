/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DEPLOY_DEPLOY_H
#define DEPLOY_DEPLOY_H

/*
 * The whole of a rolling deployment: read the task definition, ask ECS for the service and the
 * registries for the images, refuse what cannot work before anything is changed, register, update,
 * follow.
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/json.h"
#include "base/strv.h"
#include "deploy/ecs.h"
#include "deploy/image.h"
#include "deploy/wait.h"

struct aws;
struct remote;

struct deploy_request {
    struct aws *aws;
    struct remote *remote;
    struct ecs_target target;
    const char *taskdef_file;
    const struct strv *images;    /* "NAME=REFERENCE", or "REFERENCE" for the only container */
    const char *imagedefinitions; /* file to write; NULL: none */
    const char *image_detail;     /* file to write, of the first image; NULL: none */
    bool dry_run;                 /* ask, but change and write nothing */
    bool no_wait;
    void (*on_started)(void); /* once the service is being updated, before the wait; may be NULL */
    struct wait_options wait; /* on_event also tells the steps */
};

struct deploy_item {
    char *name; /* container or placeholder; NULL: the only container */
    struct deploy_image image;
};

struct deploy_result {
    json_t *taskdef;   /* as registered */
    char *taskdef_arn; /* NULL after a dry run */
    struct deploy_item *items;
    size_t count;
    struct wait_result wait; /* outcome WAIT_DONE when not waited for: see `waited` */
    bool waited;
};

void deploy_result_release(struct deploy_result *r);
/* 0 also when the deployment ended badly: see wait.outcome. The result is filled as far as it went,
 * on -1 too. */
int deploy_run(const struct deploy_request *request, struct deploy_result *result, struct err *err);
/* {"cluster", "service", "taskDefinition", "deployment", "outcome", "reason", "report", "images":
 * […]}; new. */
json_t *deploy_result_json(const struct deploy_request *request,
                           const struct deploy_result *result);

#endif
