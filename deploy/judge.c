/* SPDX-License-Identifier: Apache-2.0 */
/* The pure half of deploy/wait.h: what a reply of ECS means for our deployment. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/scope.h"
#include "deploy/wait.h"

static bool is(const char *text, const char *want)
{
    return text && !strcmp(text, want);
}

static void add_reason(struct buf *reason, const char *text, const char *fallback)
{
    buf_add_escaped(reason, str_of(text && *text ? text : fallback));
}

const json_t *wait_find(const json_t *service, const char *id)
{
    size_t i;
    json_t *d;

    json_array_foreach(json_object_get(service, "deployments"), i, d)
    {
        if (id && is(json_str(d, "id"), id))
            return d;
    }
    return NULL;
}

bool wait_is_active(const json_t *service)
{
    const char *status = json_str(service, "status");

    return !status || is(status, "ACTIVE");
}

static const json_t *primary_of(const json_t *service)
{
    size_t i;
    json_t *d;

    json_array_foreach(json_object_get(service, "deployments"), i, d)
    {
        if (is(json_str(d, "status"), "PRIMARY"))
            return d;
    }
    return NULL;
}

const char *wait_our_id(const json_t *service, const char *taskdef_arn)
{
    const json_t *primary = primary_of(service);
    size_t i;
    json_t *d;

    if (is(json_str(primary, "taskDefinition"), taskdef_arn))
        return json_str(primary, "id");
    json_array_foreach(json_object_get(service, "deployments"), i, d)
    {
        if (is(json_str(d, "taskDefinition"), taskdef_arn))
            return json_str(d, "id");
    }
    return NULL;
}

/* "(service web) (deployment ecs-svc/1) deployment failed: …": our failure is still told when the
 * deployment is gone. */
static const char *failure_event(const json_t *service, const char *id)
{
    AUTO_FREE char *mark = xasprintf("(deployment %s) deployment failed", id);
    size_t i;
    json_t *event;

    json_array_foreach(json_object_get(service, "events"), i, event)
    {
        const char *message = json_str(event, "message");

        if (message && strstr(message, mark))
            return message;
    }
    return NULL;
}

static bool rolls_back(const json_t *service)
{
    const json_t *config = json_object_get(service, "deploymentConfiguration");
    const json_t *breaker = json_object_get(config, "deploymentCircuitBreaker"),
                 *alarms = json_object_get(config, "alarms");

    return (json_is_true(json_object_get(breaker, "enable")) &&
            json_is_true(json_object_get(breaker, "rollback"))) ||
           (json_is_true(json_object_get(alarms, "enable")) &&
            json_is_true(json_object_get(alarms, "rollback")));
}

/* Ours has failed; another deployment has taken its place. */
static enum wait_outcome judge_rollback(const json_t *primary, const char *why, struct buf *reason)
{
    const char *state = json_str(primary, "rolloutState");

    if (is(state, "IN_PROGRESS"))
        return WAIT_PENDING;
    add_reason(reason, why, "the deployment failed");
    if (is(state, "FAILED")) {
        buf_adds(reason, "; the rollback failed too: ");
        add_reason(reason, json_str(primary, "rolloutStateReason"), "no reason given");
        return WAIT_FAILED;
    }
    return WAIT_ROLLED_BACK;
}

static enum wait_outcome judge_overtaken(const json_t *primary, struct buf *reason)
{
    const char *id = json_str(primary, "id"), *taskdef = json_str(primary, "taskDefinition");

    buf_adds(reason, "overtaken by another deployment, ");
    add_reason(reason, id, "without id");
    buf_adds(reason, " of ");
    add_reason(reason, taskdef, "an unknown task definition");
    return WAIT_FAILED;
}

static enum wait_outcome judge_gone(const json_t *service, const char *id, struct buf *reason)
{
    const json_t *primary = primary_of(service);
    const char *event = failure_event(service, id);

    if (!primary)
        return WAIT_PENDING;
    return event ? judge_rollback(primary, event, reason) : judge_overtaken(primary, reason);
}

static enum wait_outcome judge_failed(const json_t *service, const json_t *ours, struct buf *reason)
{
    const char *why = json_str(ours, "rolloutStateReason");
    const json_t *primary = primary_of(service);

    if (primary && primary != ours)
        return judge_rollback(primary, why, reason);
    if (rolls_back(service) && !(why && strstr(why, "no rollback candidate")))
        return WAIT_PENDING; /* the rollback is about to begin */
    add_reason(reason, why, "the deployment failed");
    return WAIT_FAILED;
}

enum wait_outcome wait_judge_service(const json_t *service, const char *id, const char *taskdef_arn,
                                     struct buf *reason)
{
    const json_t *ours, *primary = primary_of(service);
    const char *state;

    if (!wait_is_active(service)) {
        buf_adds(reason, "the service is ");
        add_reason(reason, json_str(service, "status"), "gone");
        return WAIT_FAILED;
    }
    if (!id)
        id = wait_our_id(service, taskdef_arn);
    if (!id)
        return WAIT_PENDING;
    ours = wait_find(service, id);
    if (!ours)
        return judge_gone(service, id, reason);
    state = json_str(ours, "rolloutState");
    if (is(state, "COMPLETED"))
        return WAIT_DONE;
    if (is(state, "FAILED"))
        return judge_failed(service, ours, reason);
    if (primary && primary != ours)
        return judge_overtaken(primary, reason);
    if (state)
        return WAIT_PENDING;
    /* No rolloutState at all: as the AWS tools judge a service. */
    if (json_array_size(json_object_get(service, "deployments")) == 1 &&
        json_integer_value(json_object_get(ours, "runningCount")) ==
            json_integer_value(json_object_get(ours, "desiredCount")))
        return WAIT_DONE;
    return WAIT_PENDING;
}

enum wait_outcome wait_judge_deployment(const json_t *deployment, struct buf *reason)
{
    static const struct {
        const char *status, *words;
        enum wait_outcome outcome;
    } ends[] = {
        {"SUCCESSFUL", NULL, WAIT_DONE},
        {"ROLLBACK_SUCCESSFUL", "the deployment failed", WAIT_ROLLED_BACK},
        {"ROLLBACK_FAILED", "the deployment failed, and so did the rollback", WAIT_FAILED},
        {"STOPPED", "the deployment was stopped", WAIT_FAILED},
    };
    const char *status = json_str(deployment, "status"),
               *why = json_str(deployment, "statusReason");
    const char *cause = json_str(json_object_get(deployment, "rollback"), "reason");

    for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
        if (!is(status, ends[i].status))
            continue;
        if (ends[i].outcome != WAIT_DONE)
            add_reason(reason, why ? why : cause, ends[i].words);
        return ends[i].outcome;
    }
    return WAIT_PENDING;
}

static const char *exit_words(json_int_t code)
{
    static const struct {
        json_int_t code;
        const char *words;
    } known[] = {
        {0, "ended by itself"},
        {125, "could not be started"},
        {126, "the command cannot be run: not executable, or made for another architecture"},
        {127, "the command was not found in the image"},
        {134, "aborted, SIGABRT"},
        {137, "killed, SIGKILL: out of memory, or did not end in time"},
        {139, "segmentation fault, SIGSEGV"},
        {143, "terminated, SIGTERM"},
        {255, "exec format error is one cause: an image for another architecture"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
        if (known[i].code == code)
            return known[i].words;
    }
    return code > 128 && code < 160 ? "ended by a signal" : "failed";
}

static void report_container(const json_t *container, struct strv *lines)
{
    const json_t *code = json_object_get(container, "exitCode");
    const char *name = json_str(container, "name"), *why = json_str(container, "reason");
    SCOPED(buf_release) struct buf line = {0};

    buf_adds(&line, "  container ");
    add_reason(&line, name, "without name");
    if (json_is_integer(code))
        buf_addf(&line, ": exit status %lld (%s)", json_integer_value(code),
                 exit_words(json_integer_value(code)));
    else
        buf_adds(&line, ": never ran");
    if (why) {
        buf_adds(&line, ": ");
        add_reason(&line, why, "");
    }
    strv_add(lines, buf_cstr(&line));
}

void wait_report_task(const json_t *task, struct strv *lines)
{
    const char *arn = json_str(task, "taskArn"), *code = json_str(task, "stopCode");
    SCOPED(buf_release) struct buf line = {0};
    struct str head, id = str_of(arn ? arn : "");
    json_t *container;
    size_t i;

    if (!str_cut_last(id, '/', &head, &id))
        id = str_of(arn ? arn : "");
    buf_adds(&line, "task ");
    buf_add_escaped(&line, id);
    buf_adds(&line, " stopped: ");
    add_reason(&line, json_str(task, "stoppedReason"), "no reason given");
    if (code) {
        buf_adds(&line, " (");
        add_reason(&line, code, "");
        buf_addc(&line, ')');
    }
    strv_add(lines, buf_cstr(&line));
    json_array_foreach(json_object_get(task, "containers"), i, container)
        report_container(container, lines);
}
