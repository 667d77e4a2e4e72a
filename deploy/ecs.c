/* SPDX-License-Identifier: Apache-2.0 */
#include "deploy/ecs.h"

#include <stdlib.h>
#include <string.h>

#include "aws/call.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/scope.h"

#define LISTED 20     /* service deployments looked at: ours is among the newest */
#define TASKS_MAX 100 /* DescribeTasks takes no more */

static const struct aws_service ecs = {
    .name = "ecs",
    .id = "ECS",
    .host = "ecs",
    .signing = "ecs",
    .target = "AmazonEC2ContainerServiceV20141113",
};

static const char *cluster_of(const struct ecs_target *target)
{
    return target->cluster ? target->cluster : "default";
}

static int call(struct aws *aws, const char *action, json_t *input, json_t **reply,
                struct aws_fault *fault, struct err *err)
{
    json_auto_t *owned = input;
    struct aws_request request = {
        .service = &ecs, .action = action, .input = owned, .fault = fault};

    return aws_call(aws, &request, reply, err);
}

int ecs_register(struct aws *aws, json_t *taskdef, char **arn, struct err *err)
{
    json_auto_t *reply = NULL;
    const char *got;

    if (call(aws, "RegisterTaskDefinition", json_incref(taskdef), &reply, NULL, err) < 0)
        return -1;
    got = json_str(json_object_get(reply, "taskDefinition"), "taskDefinitionArn");
    if (!got)
        return err_set(err, ERR_REMOTE, 0,
                       "ecs RegisterTaskDefinition: the reply has no taskDefinitionArn");
    *arn = xstrdup(got);
    return 0;
}

int ecs_service(struct aws *aws, const struct ecs_target *target, json_t **service, struct err *err)
{
    json_t *input =
        json_pack("{s:s, s:[s]}", "cluster", cluster_of(target), "services", target->service);
    json_auto_t *reply = NULL;
    json_t *found;

    if (call(aws, "DescribeServices", input, &reply, NULL, err) < 0)
        return -1;
    found = json_array_get(json_object_get(reply, "services"), 0);
    if (!json_is_object(found)) {
        const char *reason =
            json_str(json_array_get(json_object_get(reply, "failures"), 0), "reason");

        return err_set(err, ERR_REMOTE, 404, "there is no service \"%s\" in cluster \"%s\"%s%s%s",
                       target->service, cluster_of(target), reason ? " (" : "",
                       reason ? reason : "", reason ? ")" : "");
    }
    *service = json_incref(found);
    return 0;
}

int ecs_can_update(const json_t *service, struct err *err)
{
    const char *name = json_str(service, "serviceName"), *status = json_str(service, "status");
    const char *type = json_str(json_object_get(service, "deploymentController"), "type");

    if (status && strcmp(status, "ACTIVE") != 0)
        return err_set(err, ERR_INPUT, 0, "service \"%s\" is %s, not ACTIVE", name ? name : "",
                       status);
    if (type && strcmp(type, "ECS") != 0)
        return err_set(
            err, ERR_INPUT, 0,
            "service \"%s\" is moved by the %s deployment controller; only rolling deployments "
            "(controller ECS) are supported",
            name ? name : "", type);
    return 0;
}

bool ecs_on_fargate(const json_t *service)
{
    const char *type = json_str(service, "launchType");
    size_t i;
    json_t *item;

    json_array_foreach(json_object_get(service, "capacityProviderStrategy"), i, item)
    {
        const char *provider = json_str(item, "capacityProvider");

        if (provider && str_starts(str_of(provider), "FARGATE"))
            return true;
    }
    return type && !strcmp(type, "FARGATE");
}

int ecs_update(struct aws *aws, const struct ecs_target *target, const char *taskdef_arn,
               json_t **service, struct err *err)
{
    json_t *input = json_pack("{s:s, s:s, s:s}", "cluster", cluster_of(target), "service",
                              target->service, "taskDefinition", taskdef_arn);
    json_auto_t *reply = NULL;
    json_t *found;

    if (call(aws, "UpdateService", input, &reply, NULL, err) < 0)
        return -1;
    found = json_object_get(reply, "service");
    if (!json_is_object(found))
        return err_set(err, ERR_REMOTE, 0, "ecs UpdateService: the reply has no service");
    *service = json_incref(found);
    return 0;
}

/* Whether a refusal means that there is no such call, or none for us: then we can do without it. */
static bool no_such_call(const struct aws_fault *fault)
{
    return fault_is(fault, "UnknownOperationException") || fault_is(fault, "InvalidAction") ||
           fault_denied(fault) || fault_is(fault, "UnsupportedFeatureException") ||
           fault->status == 404 || (!fault->code[0] && fault->status >= 500);
}

static int without(const char *action, const struct aws_fault *fault, const struct err *why,
                   struct err *err)
{
    if (!no_such_call(fault)) {
        *err = *why;
        return -1;
    }
    if (fault_denied(fault))
        log_warn("%s; following the service's own list of deployments instead", why->text);
    else
        log_debug("%s is not to be had here: %s", action, why->text);
    return -2;
}

/* Which of the listed deployments has a target revision that runs taskdef_arn. */
static int match_revision(struct aws *aws, json_t *listed, const char *taskdef_arn, char **arn,
                          struct err *err)
{
    json_t *arns = json_array(), *revision, *item;
    json_auto_t *input = json_pack("{s:o}", "serviceRevisionArns", arns);
    json_auto_t *reply = NULL;
    struct aws_fault fault;
    struct err why = {0};
    size_t i, k;

    json_array_foreach(listed, i, item)
    {
        const char *target = json_str(item, "targetServiceRevisionArn");

        if (target && json_array_size(arns) < LISTED)
            json_array_append_new(arns, json_string(target));
    }
    if (!json_array_size(arns))
        return 0;
    if (call(aws, "DescribeServiceRevisions", json_incref(input), &reply, &fault, &why) < 0)
        return without("ecs DescribeServiceRevisions", &fault, &why, err);
    json_array_foreach(json_object_get(reply, "serviceRevisions"), i, revision)
    {
        const char *name = json_str(revision, "serviceRevisionArn"),
                   *runs = json_str(revision, "taskDefinition");

        if (!name || !runs || strcmp(runs, taskdef_arn) != 0)
            continue;
        json_array_foreach(listed, k, item)
        {
            const char *target = json_str(item, "targetServiceRevisionArn");

            if (target && !strcmp(target, name) && json_str(item, "serviceDeploymentArn")) {
                *arn = xstrdup(json_str(item, "serviceDeploymentArn"));
                return 1;
            }
        }
    }
    return 0;
}

int ecs_service_deployment(struct aws *aws, const struct ecs_target *target,
                           const char *taskdef_arn, char **arn, struct err *err)
{
    json_t *input = json_pack("{s:s, s:s, s:i}", "cluster", cluster_of(target), "service",
                              target->service, "maxResults", LISTED);
    json_auto_t *reply = NULL;
    struct aws_fault fault;
    struct err why = {0};

    if (call(aws, "ListServiceDeployments", input, &reply, &fault, &why) < 0)
        return without("ecs ListServiceDeployments", &fault, &why, err);
    return match_revision(aws, json_object_get(reply, "serviceDeployments"), taskdef_arn, arn, err);
}

int ecs_describe_service_deployment(struct aws *aws, const char *arn, json_t **deployment,
                                    struct err *err)
{
    json_t *input = json_pack("{s:[s]}", "serviceDeploymentArns", arn);
    json_auto_t *reply = NULL;
    json_t *found;

    if (call(aws, "DescribeServiceDeployments", input, &reply, NULL, err) < 0)
        return -1;
    found = json_array_get(json_object_get(reply, "serviceDeployments"), 0);
    if (!json_is_object(found))
        return err_set(err, ERR_REMOTE, 404, "service deployment %s is not there any more", arn);
    *deployment = json_incref(found);
    return 0;
}

static int newest_first(const void *a, const void *b)
{
    json_t *const *x = a, *const *y = b;
    double s = json_number_value(json_object_get(*x, "stoppedAt")),
           t = json_number_value(json_object_get(*y, "stoppedAt"));

    return (s < t) - (s > t);
}

/* The tasks of taskdef_arn among all, newest first. */
static json_t *pick_tasks(json_t *all, const char *taskdef_arn, size_t max)
{
    size_t count = 0, i;
    json_t **kept = xcalloc(json_array_size(all) + 1, sizeof(*kept));
    json_t *picked = json_array(), *task;

    json_array_foreach(all, i, task)
    {
        const char *runs = json_str(task, "taskDefinitionArn");

        if (runs && !strcmp(runs, taskdef_arn))
            kept[count++] = task;
    }
    qsort(kept, count, sizeof(*kept), newest_first);
    for (i = 0; i < count && i < max; i++)
        json_array_append(picked, kept[i]);
    free(kept);
    return picked;
}

int ecs_stopped_tasks(struct aws *aws, const struct ecs_target *target, const char *taskdef_arn,
                      size_t max, json_t **tasks, struct err *err)
{
    json_t *input = json_pack("{s:s, s:s, s:s, s:i}", "cluster", cluster_of(target), "serviceName",
                              target->service, "desiredStatus", "STOPPED", "maxResults", TASKS_MAX);
    json_auto_t *listed = NULL;
    json_auto_t *reply = NULL;
    json_t *arns;

    if (call(aws, "ListTasks", input, &listed, NULL, err) < 0)
        return -1;
    arns = json_object_get(listed, "taskArns");
    if (!json_array_size(arns)) {
        *tasks = json_array();
        return 0;
    }
    input = json_pack("{s:s, s:O}", "cluster", cluster_of(target), "tasks", arns);
    if (call(aws, "DescribeTasks", input, &reply, NULL, err) < 0)
        return -1;
    *tasks = pick_tasks(json_object_get(reply, "tasks"), taskdef_arn, max);
    return 0;
}
