/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DEPLOY_WAIT_H
#define DEPLOY_WAIT_H

/*
 * Follows one deployment, ours, to its end. "The service is stable" is not asked: after a rollback
 * it is stable too. Where ECS has service deployments, that object is polled; else the service's
 * deployments[], by id. Events of the service newer than the update are told once each, oldest
 * first.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/strv.h"
#include "deploy/ecs.h"

enum wait_outcome {
    WAIT_PENDING, /* only from the judges below: go on */
    WAIT_DONE,
    WAIT_FAILED,      /* failed and left as it is, stopped, or overtaken by another deployment */
    WAIT_ROLLED_BACK, /* the service runs what it ran before */
    WAIT_TIMED_OUT,   /* our patience ended; the deployment may still go on */
};

struct wait_options {
    uint64_t timeout_ms;
    uint64_t poll_ms;     /* first pause between polls; 0: 2000. It grows to poll_max_ms */
    uint64_t poll_max_ms; /* 0: 15000 */
    void (*on_event)(void *arg, const char *line); /* NULL: silent */
    void *arg;
};

struct wait_result {
    enum wait_outcome outcome;
    char *deployment;   /* id or ARN of what was followed; may be NULL */
    char *reason;       /* why it did not end well; may be NULL */
    struct strv report; /* lines: stopped tasks with their reasons, for a failure */
};

void wait_result_release(struct wait_result *r);
/* after: the service as ecs_update() gave it back. 0 for every outcome; -1 when ECS could not be
 * asked any more. */
int wait_deployment(struct aws *aws, const struct ecs_target *target, const char *taskdef_arn,
                    const json_t *after, const struct wait_options *options,
                    struct wait_result *result, struct err *err);

/* The judges (deploy/judge.c), pure. reason: appended to when the outcome is neither pending nor
 * done. */
/* A service of DescribeServices; id: our deployment's ("ecs-svc/…"), NULL when not known yet. */
enum wait_outcome wait_judge_service(const json_t *service, const char *id, const char *taskdef_arn,
                                     struct buf *reason);
enum wait_outcome wait_judge_deployment(const json_t *service_deployment, struct buf *reason);
/* The id of the deployment of ours in a service, or NULL; borrowed from service. */
const char *wait_our_id(const json_t *service, const char *taskdef_arn);
bool wait_is_active(const json_t *service);
/* The deployment of that id in a service, or NULL; borrowed. */
const json_t *wait_find(const json_t *service, const char *id);
/* Lines for one stopped task: why it stopped, each container's exit status decoded. */
void wait_report_task(const json_t *task, struct strv *lines);

#endif
