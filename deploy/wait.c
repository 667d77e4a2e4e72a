/* SPDX-License-Identifier: Apache-2.0 */
#include "deploy/wait.h"

#include <stdlib.h>
#include <string.h>

#include "aws/call.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/scope.h"

#define POLL_MS 2000
#define POLL_MAX_MS 15000
#define GRACE_MS 60000 /* for the service deployment to be listed, and for a rollback to begin */
#define PATIENCE_MS 120000 /* so long polls may fail for want of an answer */
#define REPORTED 3         /* stopped tasks in a failure's report */

void wait_result_release(struct wait_result *r)
{
    free(steal_ptr(&r->deployment));
    free(steal_ptr(&r->reason));
    strv_release(&r->report);
    r->outcome = WAIT_PENDING;
}

enum follow { FOLLOW_UNKNOWN, FOLLOW_OBJECT, FOLLOW_LIST };

struct watch {
    struct aws *aws;
    const struct ecs_target *target;
    const char *taskdef_arn;
    const struct wait_options *options;
    enum follow follow;
    char *id;         /* ours in deployments[] */
    char *object;     /* ARN of our service deployment */
    struct strv seen; /* ids of events told */
    char *last;       /* the state line told last */
    uint64_t begun_ms, failed_ms, deadline_ms;
};

static void tell(const struct watch *w, const char *line)
{
    if (w->options->on_event)
        w->options->on_event(w->options->arg, line);
}

static void tell_state(struct watch *w, char *line)
{
    if (w->last && !strcmp(w->last, line)) {
        free(line);
        return;
    }
    tell(w, line);
    free(w->last);
    w->last = line;
}

/* Events come newest first. `silent`: those of before the update are only remembered. */
static void tell_events(struct watch *w, const json_t *service, bool silent)
{
    const json_t *events = json_object_get(service, "events");

    for (size_t i = json_array_size(events); i-- > 0;) {
        const json_t *event = json_array_get(events, i);
        const char *id = json_str(event, "id"), *message = json_str(event, "message");
        SCOPED(buf_release) struct buf line = {0};

        if (!id || strv_has(&w->seen, id))
            continue;
        strv_add(&w->seen, id);
        if (silent || !message)
            continue;
        buf_add_escaped(&line, str_of(message));
        tell(w, buf_cstr(&line));
    }
}

static void tell_counts(struct watch *w, const json_t *service)
{
    size_t i;
    json_t *d;

    json_array_foreach(json_object_get(service, "deployments"), i, d)
    {
        const char *id = json_str(d, "id"), *state = json_str(d, "rolloutState");
        json_int_t failed = json_integer_value(json_object_get(d, "failedTasks"));

        if (!id || !w->id || strcmp(id, w->id) != 0)
            continue;
        tell_state(w, xasprintf("%s: %lld of %lld tasks running, %lld pending, %lld failed%s%s", id,
                                json_integer_value(json_object_get(d, "runningCount")),
                                json_integer_value(json_object_get(d, "desiredCount")),
                                json_integer_value(json_object_get(d, "pendingCount")), failed,
                                state ? ", " : "", state ? state : ""));
    }
}

/* Finds out which way to follow. While it is not known nothing is judged, but not for ever. */
static int find_object(struct watch *w, struct err *err)
{
    struct err why = {0};
    int rc;

    if (w->follow != FOLLOW_UNKNOWN)
        return 0;
    rc = ecs_service_deployment(w->aws, w->target, w->taskdef_arn, &w->object, &why);
    if (rc == -1) {
        *err = why;
        return -1;
    }
    if (rc == 1)
        w->follow = FOLLOW_OBJECT;
    else if (rc == -2 || clock_mono_ms() - w->begun_ms > GRACE_MS)
        w->follow = FOLLOW_LIST;
    return 0;
}

/* A breaker that is set to roll back has time to begin; then "failed" stands. */
static enum wait_outcome settle(struct watch *w, const json_t *service, enum wait_outcome outcome,
                                struct buf *reason)
{
    const json_t *ours = wait_find(service, w->id);
    const char *state = json_str(ours, "rolloutState"), *why = json_str(ours, "rolloutStateReason");

    if (outcome != WAIT_PENDING || !state || strcmp(state, "FAILED") != 0)
        return outcome;
    if (!w->failed_ms)
        w->failed_ms = clock_mono_ms();
    if (strcmp(json_str(ours, "status") ? json_str(ours, "status") : "", "PRIMARY") != 0 ||
        clock_mono_ms() - w->failed_ms < GRACE_MS)
        return WAIT_PENDING;
    buf_adds(reason, why ? why : "the deployment failed");
    return WAIT_FAILED;
}

static int poll_once(struct watch *w, enum wait_outcome *outcome, struct buf *reason,
                     struct err *err)
{
    json_auto_t *service = NULL;
    json_auto_t *object = NULL;

    if (find_object(w, err) < 0)
        return -1;
    if (w->follow == FOLLOW_OBJECT &&
        ecs_describe_service_deployment(w->aws, w->object, &object, err) < 0)
        return -1;
    if (ecs_service(w->aws, w->target, &service, err) < 0)
        return -1;
    if (!w->id)
        w->id = xstrdup(wait_our_id(service, w->taskdef_arn));
    tell_events(w, service, false);
    tell_counts(w, service);
    if (object) {
        const char *stage = json_str(object, "lifecycleStage"),
                   *status = json_str(object, "status");

        tell_state(w, xasprintf("service deployment %s%s%s", status ? status : "",
                                stage ? ", " : "", stage ? stage : ""));
        *outcome = wait_judge_deployment(object, reason);
        /* Nobody ends the deployment of a service that is being deleted. */
        if (*outcome == WAIT_PENDING && !wait_is_active(service))
            *outcome = wait_judge_service(service, w->id, w->taskdef_arn, reason);
    } else if (w->follow == FOLLOW_LIST) {
        *outcome =
            settle(w, service, wait_judge_service(service, w->id, w->taskdef_arn, reason), reason);
    }
    return 0;
}

static bool worth_waiting(const struct err *err)
{
    return err->kind == ERR_NETWORK ||
           (err->kind == ERR_REMOTE && (err->code >= 500 || err->code == 429));
}

/* Polls until there is an outcome. The pause grows by half, up to its limit. */
static int follow(struct watch *w, enum wait_outcome *outcome, struct buf *reason, struct err *err)
{
    uint64_t pause = w->options->poll_ms ? w->options->poll_ms : POLL_MS;
    uint64_t most = w->options->poll_max_ms ? w->options->poll_max_ms : POLL_MAX_MS;
    uint64_t silent_ms = 0; /* since when */

    for (;;) {
        struct err why = {0};
        uint64_t now;
        int rc = poll_once(w, outcome, reason, &why);

        now = clock_mono_ms();
        if (rc == 0) {
            silent_ms = 0;
        } else if (worth_waiting(&why) && (!silent_ms || now - silent_ms < PATIENCE_MS)) {
            silent_ms = silent_ms ? silent_ms : now;
            log_warn("%s; asking again", why.text);
        } else {
            *err = why;
            return err_wrap(err, "the deployment was started, but cannot be followed");
        }
        if (*outcome != WAIT_PENDING)
            return 0;
        if (now >= w->deadline_ms) {
            *outcome = WAIT_TIMED_OUT;
            return 0;
        }
        clock_sleep_ms(pause < w->deadline_ms - now ? pause : w->deadline_ms - now);
        pause = pause + pause / 2 < most ? pause + pause / 2 : most;
    }
}

static void report_tasks(const struct watch *w, struct strv *lines)
{
    json_auto_t *tasks = NULL;
    struct err err = {0};
    json_t *task;
    size_t i;

    if (ecs_stopped_tasks(w->aws, w->target, w->taskdef_arn, REPORTED, &tasks, &err) < 0) {
        strv_addf(lines, "stopped tasks could not be listed: %s", err.text);
        return;
    }
    json_array_foreach(tasks, i, task) wait_report_task(task, lines);
}

int wait_deployment(struct aws *aws, const struct ecs_target *target, const char *taskdef_arn,
                    const json_t *after, const struct wait_options *options,
                    struct wait_result *result, struct err *err)
{
    SCOPED(buf_release) struct buf reason = {0};
    enum wait_outcome outcome = WAIT_PENDING;
    struct watch w = {.aws = aws, .target = target, .taskdef_arn = taskdef_arn, .options = options};
    int rc;

    w.begun_ms = clock_mono_ms();
    w.deadline_ms = w.begun_ms + options->timeout_ms;
    w.id = xstrdup(wait_our_id(after, taskdef_arn));
    tell_events(&w, after, true);
    rc = follow(&w, &outcome, &reason, err);
    if (rc == 0) {
        if (outcome == WAIT_TIMED_OUT && !w.id && !w.object)
            buf_addf(&reason, "no deployment of %s has appeared", taskdef_arn);
        else if (outcome == WAIT_TIMED_OUT)
            buf_addf(&reason, "%s", w.last ? w.last : "no state was seen");
        result->outcome = outcome;
        result->deployment = w.object ? steal_ptr(&w.object) : steal_ptr(&w.id);
        result->reason = reason.size ? buf_steal(&reason) : NULL;
        if (outcome != WAIT_DONE)
            report_tasks(&w, &result->report);
    }
    free(w.id);
    free(w.object);
    free(w.last);
    strv_release(&w.seen);
    return rc;
}
