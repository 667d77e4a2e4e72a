/* SPDX-License-Identifier: Apache-2.0 */
/* What replies of ECS mean for our deployment. */
#include <string.h>

#include "base/scope.h"
#include "deploy/wait.h"
#include "tests/tap.h"

static json_t *doc_of(const char *text)
{
    SCOPED(buf_release) struct buf json = {0};
    struct err err = {0};
    json_t *doc;

    buf_adds(&json, text);
    for (size_t i = 0; i < json.size; i++)
        json.ptr[i] = json.ptr[i] == '\'' ? '"' : json.ptr[i];
    doc = json_parse(buf_str(&json), &err);
    OKF(doc != NULL, "%s: %s", text, err.text);
    return doc;
}

#define OURS(status, state)                                                                        \
    "{'id':'1','status':'" status "','taskDefinition':'td:2','rolloutState':'" state               \
    "','rolloutStateReason':'why'}"
#define OTHER(status, state, td)                                                                   \
    "{'id':'2','status':'" status "','taskDefinition':'" td "','rolloutState':'" state             \
    "','rolloutStateReason':'else'}"
#define BREAKER                                                                                    \
    ",'deploymentConfiguration':{'deploymentCircuitBreaker':{'enable':true,'rollback':true}}"

static const struct {
    const char *service, *id;
    enum wait_outcome want;
    const char *reason;
} service_rows[] = {
    {"{'status':'ACTIVE','deployments':[" OURS("PRIMARY", "IN_PROGRESS") "]}", "1", WAIT_PENDING,
     ""},
    {"{'status':'ACTIVE','deployments':[" OURS("PRIMARY", "COMPLETED") "]}", "1", WAIT_DONE, ""},
    {"{'deployments':[" OURS("PRIMARY", "COMPLETED") "," OTHER("ACTIVE", "COMPLETED", "td:1") "]}",
     NULL, WAIT_DONE, ""},
    /* done first, another one after: ours is done */
    {"{'deployments':[" OTHER("PRIMARY", "IN_PROGRESS", "td:3") "," OURS("ACTIVE",
                                                                         "COMPLETED") "]}",
     "1", WAIT_DONE, ""},
    {"{'deployments':[" OURS("PRIMARY", "FAILED") "]}", "1", WAIT_FAILED, "why"},
    /* a rollback is about to begin, goes on, has ended, has failed */
    {"{'deployments':[" OURS("PRIMARY", "FAILED") "]" BREAKER "}", "1", WAIT_PENDING, ""},
    {"{'deployments':[" OTHER("PRIMARY", "IN_PROGRESS", "td:1") "," OURS("ACTIVE",
                                                                         "FAILED") "]" BREAKER "}",
     "1", WAIT_PENDING, ""},
    {"{'deployments':[" OTHER("PRIMARY", "COMPLETED", "td:1") "," OURS("ACTIVE",
                                                                       "FAILED") "]" BREAKER "}",
     "1", WAIT_ROLLED_BACK, "why"},
    {"{'deployments':[" OTHER("PRIMARY", "FAILED", "td:1") "," OURS("ACTIVE", "FAILED") "]" BREAKER
                                                                                        "}",
     "1", WAIT_FAILED, "why; the rollback failed too: else"},
    {"{'deployments':[{'id':'1','status':'PRIMARY','taskDefinition':'td:2','rolloutState':'FAILED',"
     "'rolloutStateReason':'no rollback "
     "candidate was found'}]" BREAKER "}",
     "1", WAIT_FAILED, "no rollback candidate was found"},
    /* ours has gone from the list; the events still tell */
    {"{'deployments':[" OTHER(
         "PRIMARY", "COMPLETED",
         "td:1") "],'events':[{'message':'x'},{'message':'(service w) (deployment 1) "
                 "deployment failed: tasks failed to start.'}]}",
     "1", WAIT_ROLLED_BACK, "(service w) (deployment 1) deployment failed: tasks failed to start."},
    {"{'deployments':[" OTHER(
         "PRIMARY", "IN_PROGRESS",
         "td:1") "],'events':[{'message':'(deployment 1) deployment failed'}]}",
     "1", WAIT_PENDING, ""},
    {"{'deployments':[" OTHER(
         "PRIMARY", "COMPLETED",
         "td:3") "],'events':[{'message':'(deployment 11) deployment failed'}]}",
     "1", WAIT_FAILED, "overtaken by another deployment, 2 of td:3"},
    {"{'deployments':[" OTHER("PRIMARY", "IN_PROGRESS", "td:3") "," OURS("ACTIVE",
                                                                         "IN_PROGRESS") "]}",
     "1", WAIT_FAILED, "overtaken by another deployment, 2 of td:3"},
    {"{'status':'DRAINING','deployments':[" OURS("PRIMARY", "IN_PROGRESS") "]}", "1", WAIT_FAILED,
     "the service is DRAINING"},
    {"{'deployments':[" OTHER("PRIMARY", "COMPLETED", "td:1") "]}", NULL, WAIT_PENDING, ""},
    {"{'deployments':[]}", "1", WAIT_PENDING, ""},
    {"{}", NULL, WAIT_PENDING, ""},
    /* without rolloutState */
    {"{'deployments':[{'id':'1','status':'PRIMARY','taskDefinition':'td:2','desiredCount':2,'"
     "runningCount':1}]}",
     "1", WAIT_PENDING, ""},
    {"{'deployments':[{'id':'1','status':'PRIMARY','taskDefinition':'td:2','desiredCount':2,'"
     "runningCount':2}]}",
     "1", WAIT_DONE, ""},
};

static void services(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(service_rows); i++) {
        json_auto_t *doc = doc_of(service_rows[i].service);
        SCOPED(buf_release) struct buf reason = {0};
        enum wait_outcome got = wait_judge_service(doc, service_rows[i].id, "td:2", &reason);

        OKF(got == service_rows[i].want && !strcmp(buf_cstr(&reason), service_rows[i].reason),
            "row %zu: %d \"%s\", want %d \"%s\"", i, got, buf_cstr(&reason), service_rows[i].want,
            service_rows[i].reason);
    }
}

static void service_deployments(void)
{
    static const struct {
        const char *doc;
        enum wait_outcome want;
        const char *reason;
    } rows[] = {
        {"{'status':'PENDING'}", WAIT_PENDING, ""},
        {"{'status':'IN_PROGRESS','lifecycleStage':'BAKE_TIME'}", WAIT_PENDING, ""},
        {"{'status':'STOP_REQUESTED'}", WAIT_PENDING, ""},
        {"{'status':'ROLLBACK_REQUESTED'}", WAIT_PENDING, ""},
        {"{'status':'ROLLBACK_IN_PROGRESS','statusReason':'x'}", WAIT_PENDING, ""},
        {"{'status':'SUCCESSFUL','statusReason':'x'}", WAIT_DONE, ""},
        {"{'status':'ROLLBACK_SUCCESSFUL','statusReason':'x'}", WAIT_ROLLED_BACK, "x"},
        {"{'status':'ROLLBACK_SUCCESSFUL','rollback':{'reason':'y\\n'}}", WAIT_ROLLED_BACK, "y\\n"},
        {"{'status':'ROLLBACK_FAILED'}", WAIT_FAILED,
         "the deployment failed, and so did the rollback"},
        {"{'status':'STOPPED'}", WAIT_FAILED, "the deployment was stopped"},
        {"{'status':'SOMETHING_NEW'}", WAIT_PENDING, ""},
        {"{}", WAIT_PENDING, ""},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        json_auto_t *doc = doc_of(rows[i].doc);
        SCOPED(buf_release) struct buf reason = {0};

        EQ_INT(wait_judge_deployment(doc, &reason), rows[i].want);
        EQ_STR(buf_cstr(&reason), rows[i].reason);
    }
}

static void our_id(void)
{
    json_auto_t *both = doc_of("{'deployments':[{'id':'3','status':'ACTIVE','taskDefinition':'td:2'"
                               "},{'id':'4','status':'PRIMARY',"
                               "'taskDefinition':'td:2'}]}");
    json_auto_t *old = doc_of("{'deployments':[{'id':'3','status':'ACTIVE','taskDefinition':'td:2'}"
                              ",{'id':'4','status':'PRIMARY',"
                              "'taskDefinition':'td:1'}]}");

    EQ_STR(wait_our_id(both, "td:2"), "4");
    EQ_STR(wait_our_id(old, "td:2"), "3");
    EQ_STR(wait_our_id(old, "td:9"), NULL);
    OK(wait_find(old, "4") && !wait_find(old, "5") && !wait_find(old, NULL));
}

static void reports(void)
{
    static const struct {
        const char *task, *want;
    } rows[] = {
        {"{'taskArn':'arn:x:task/prod/abc','stoppedReason':'Essential container in task "
         "exited','stopCode':'EssentialContainerExited',"
         "'containers':[{'name':'web','exitCode':137,'reason':'OutOfMemoryError: "
         "x'},{'name':'log','exitCode':0}]}",
         "task abc stopped: Essential container in task exited (EssentialContainerExited)|  "
         "container web: exit status 137 (killed, "
         "SIGKILL: out of memory, or did not end in time): OutOfMemoryError: x|  container log: "
         "exit status 0 (ended by itself)"},
        {"{'taskArn':'t','containers':[{'name':'w','reason':'CannotPullContainerError: \\u001b'}]}",
         "task t stopped: no reason given|  container w: never ran: CannotPullContainerError: "
         "\\x1b"},
        {"{'taskArn':'a/"
         "b','containers':[{'name':'w','exitCode':126},{'name':'w','exitCode':127},{'name':'w','"
         "exitCode':139},{'name':"
         "'w','exitCode':130},{'name':'w','exitCode':3}]}",
         "task b stopped: no reason given|  container w: exit status 126 (the command cannot be "
         "run: not executable, or made for another "
         "architecture)|  container w: exit status 127 (the command was not found in the image)|  "
         "container w: exit status 139 "
         "(segmentation fault, SIGSEGV)|  container w: exit status 130 (ended by a signal)|  "
         "container w: exit status 3 (failed)"},
        {"{}", "task  stopped: no reason given"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        json_auto_t *doc = doc_of(rows[i].task);
        SCOPED(strv_release) struct strv lines = {0};
        AUTO_FREE char *got = NULL;

        wait_report_task(doc, &lines);
        got = strv_join(&lines, "|");
        EQ_STR(got, rows[i].want);
    }
}

TAP_MAIN({"services", services}, {"service deployments", service_deployments},
         {"our deployment's id", our_id}, {"reports", reports})
