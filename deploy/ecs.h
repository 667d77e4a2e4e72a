/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DEPLOY_ECS_H
#define DEPLOY_ECS_H

/* The ECS calls that a deployment makes. Each is one aws_call with its reply taken apart. */
#include <stdbool.h>

#include "base/err.h"
#include "base/json.h"
#include "base/strv.h"

struct aws;
struct aws_fault;

struct ecs_target {
    const char *cluster; /* name or ARN; NULL: "default" */
    const char *service; /* name or ARN */
};

/* *arn: "arn:…:task-definition/web:7", for free(). */
int ecs_register(struct aws *aws, json_t *taskdef, char **arn, struct err *err);
/* *service: the service's object whatever its status, a new reference. A missing service is an
 * error (code 404). */
int ecs_service(struct aws *aws, const struct ecs_target *target, json_t **service,
                struct err *err);
/* Puts the service on the task definition. *service: its state right after, a new reference. */
int ecs_update(struct aws *aws, const struct ecs_target *target, const char *taskdef_arn,
               json_t **service, struct err *err);
/* Before anything is registered: the service is ACTIVE, and no other controller (CODE_DEPLOY,
 * EXTERNAL) moves it. */
int ecs_can_update(const json_t *service, struct err *err);
bool ecs_on_fargate(const json_t *service); /* by launch type or capacity provider */
/* The service deployment whose target revision runs taskdef_arn. 1: *arn filled, for free(); 0: not
 * listed yet; -2: this endpoint has no such call (older API, doubles, no permission): follow
 * deployments[] instead. */
int ecs_service_deployment(struct aws *aws, const struct ecs_target *target,
                           const char *taskdef_arn, char **arn, struct err *err);
int ecs_describe_service_deployment(struct aws *aws, const char *arn, json_t **deployment,
                                    struct err *err);
/* Stopped tasks that ran taskdef_arn, newest first, at most max: a JSON array of task objects. */
int ecs_stopped_tasks(struct aws *aws, const struct ecs_target *target, const char *taskdef_arn,
                      size_t max, json_t **tasks, struct err *err);

#endif
