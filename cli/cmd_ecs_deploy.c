/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "aws/call.h"
#include "base/alloc.h"
#include "base/json.h"
#include "base/log.h"
#include "base/scope.h"
#include "cli/commands.h"
#include "cli/opts.h"
#include "cli/registry_opts.h"
#include "deploy/deploy.h"
#include "registry/remote.h"

#define TIMEOUT_MS (30 * 60 * 1000)
#define EXIT_ROLLED_BACK 3
#define EXIT_TIMED_OUT 4

struct deploy_opts {
    const char *cluster, *service, *taskdef, *timeout, *poll, *imagedefinitions, *image_detail,
        *region;
    struct strv images;
    bool no_wait, dry_run, json;
    struct registry_opts registry;
};

#define AT(field) offsetof(struct deploy_opts, field)
static const struct opt deploy_opts[] = {
    {.type = OPT_STR,
     .name = "cluster",
     .value = "NAME",
     .help = "cluster of the service (default: default)",
     .offset = AT(cluster)},
    {.type = OPT_STR,
     .name = "service",
     .value = "NAME",
     .help = "service to update",
     .offset = AT(service)},
    {.type = OPT_STR,
     .name = "task-definition",
     .value = "FILE",
     .help = "task definition, JSON",
     .offset = AT(taskdef)},
    {.type = OPT_LIST,
     .name = "image",
     .value = "[NAME=]IMAGE",
     .help = "image for the container or the placeholder <NAME>",
     .offset = AT(images)},
    {.type = OPT_STR,
     .name = "timeout",
     .value = "TIME",
     .help = "wait at most so long (default 30m)",
     .offset = AT(timeout)},
    {.type = OPT_STR,
     .name = "poll",
     .value = "TIME",
     .help = "first pause between two looks (default 2s)",
     .offset = AT(poll)},
    {.type = OPT_FLAG,
     .name = "no-wait",
     .help = "do not follow the deployment",
     .offset = AT(no_wait)},
    {.type = OPT_STR,
     .name = "imagedefinitions",
     .value = "FILE",
     .help = "write CodePipeline's imagedefinitions.json",
     .offset = AT(imagedefinitions)},
    {.type = OPT_STR,
     .name = "image-detail",
     .value = "FILE",
     .help = "write CodePipeline's imageDetail.json",
     .offset = AT(image_detail)},
    {.type = OPT_FLAG,
     .name = "dry-run",
     .help = "check everything, change nothing, print the task definition",
     .offset = AT(dry_run)},
    {.type = OPT_FLAG, .name = "json", .help = "print the result as JSON", .offset = AT(json)},
    {.type = OPT_STR,
     .name = "region",
     .value = "REGION",
     .help = "AWS region of the cluster",
     .offset = AT(region)},
    REGISTRY_OPTS(struct deploy_opts, registry),
    {.type = OPT_END},
};

/* "90", "90s", "30m", "2h", "500ms" */
static int parse_time(const char *option, const char *text, uint64_t fallback, uint64_t *out,
                      struct err *err)
{
    static const struct {
        const char *unit;
        uint64_t ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"", 1000}};
    struct str s = str_of(text);
    uint64_t n;

    *out = fallback;
    if (!text)
        return 0;
    for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
        size_t size = strlen(units[i].unit);

        if (!str_ends(s, units[i].unit) || !str_u64(str_slice(s, 0, s.size - size), &n))
            continue;
        if (__builtin_mul_overflow(n, units[i].ms, out) || !*out || *out > 7 * 24 * 3600000ULL)
            break;
        return 0;
    }
    return err_set(err, ERR_USAGE, 0, "--%s %s: want a time such as 90s, 30m or 2h", option, text);
}

static void tell(void *arg, const char *line)
{
    (void)arg;
    log_info("%s", line);
}

/* Runs in a signal handler: the text is fixed. The signal ends us all the same, as the shell
 * expects. */
static void interrupted(int number)
{
    static const char text[] =
        "slipway: interrupted while waiting; the deployment was started and goes on in ECS\n";

    ssize_t written = write(STDERR_FILENO, text, sizeof(text) - 1);

    (void)written;
    raise(number);
}

static void tell_when_interrupted(void)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action = {.sa_handler = interrupted,
                               .sa_flags = (int)(SA_RESETHAND | SA_NODEFER)};

    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
        struct sigaction before;

        /* nohup's choice stands */
        if (sigaction(numbers[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
            sigaction(numbers[i], &action, NULL);
    }
}

static int check_opts(const struct deploy_opts *o, struct err *err)
{
    const char *missing = !o->service ? "service" : !o->taskdef ? "task-definition" : NULL;

    if (missing)
        return err_set(err, ERR_USAGE, 0, "--%s is missing", missing);
    if (o->no_wait && o->timeout)
        return err_set(err, ERR_USAGE, 0, "--no-wait excludes --timeout");
    return 0;
}

static void print(const struct deploy_request *request, const struct deploy_result *result,
                  bool json)
{
    SCOPED(buf_release) struct buf out = {0};
    json_auto_t *doc = NULL;

    if (json) {
        doc = deploy_result_json(request, result);
        json_print_pretty(doc, &out);
    } else if (request->dry_run) {
        json_print_pretty(result->taskdef, &out);
    } else {
        buf_addf(&out, "%s\n", result->taskdef_arn);
    }
    fwrite(out.ptr, 1, out.size, stdout);
}

/* One error that says how it ended, and the report; the exit status tells the kinds apart. */
static int conclude(const struct deploy_request *request, const struct deploy_result *result)
{
    static const struct {
        int status;
        const char *words;
    } ends[] = {
        [WAIT_FAILED] = {1, "failed"},
        [WAIT_ROLLED_BACK] = {EXIT_ROLLED_BACK, "was rolled back"},
        [WAIT_TIMED_OUT] = {EXIT_TIMED_OUT, "is not done in time"},
    };
    const struct wait_result *w = &result->wait;

    if (w->outcome == WAIT_DONE) {
        if (result->waited)
            log_info("service %s runs %s", request->target.service, result->taskdef_arn);
        return 0;
    }
    for (size_t i = 0; i < w->report.count; i++)
        log_info("%s", w->report.ptr[i]);
    log_error("the deployment of %s to service %s %s%s%s", result->taskdef_arn,
              request->target.service, ends[w->outcome].words, w->reason ? ": " : "",
              w->reason ? w->reason : "");
    return ends[w->outcome].status;
}

static int deploy(const struct deploy_opts *o, struct aws *aws, struct remote *remote,
                  struct err *err)
{
    SCOPED(deploy_result_release) struct deploy_result result = {0};
    struct deploy_request request = {
        .aws = aws,
        .remote = remote,
        .target = {.cluster = o->cluster, .service = o->service},
        .taskdef_file = o->taskdef,
        .images = &o->images,
        .imagedefinitions = o->imagedefinitions,
        .image_detail = o->image_detail,
        .dry_run = o->dry_run,
        .no_wait = o->no_wait,
        .on_started = tell_when_interrupted,
        .wait = {.on_event = tell},
    };

    if (parse_time("timeout", o->timeout, TIMEOUT_MS, &request.wait.timeout_ms, err) < 0 ||
        parse_time("poll", o->poll, 0, &request.wait.poll_ms, err) < 0)
        return -1;
    if (deploy_run(&request, &result, err) < 0)
        return -1;
    print(&request, &result, o->json);
    return conclude(&request, &result);
}

static int deploy_run_cmd(struct cmd_context *context, const void *opts, int count, char **args,
                          struct err *err)
{
    const struct deploy_opts *o = opts;
    SCOPED(remote_settings_release) struct remote_settings settings = {0};
    struct aws_options aws_options = {.region = o->region};
    struct remote *remote;
    struct aws *aws;
    int rc = -1;

    (void)context;
    (void)count;
    (void)args;
    if (check_opts(o, err) < 0 || registry_opts_settings(&o->registry, &settings, err) < 0)
        return -1;
    aws_options.ca_file = settings.ca_file;
    aws_options.insecure = &settings.insecure;
    aws = aws_open(&aws_options, err);
    remote = aws ? remote_open(&settings, err) : NULL;
    if (remote)
        rc = deploy(o, aws, remote, err);
    remote_free(remote);
    aws_free(aws);
    return rc;
}

const struct cmd cmd_ecs_deploy = {
    .name = "ecs deploy",
    .args = "",
    .summary = "put an image into an ECS service and follow the deployment",
    .opts = deploy_opts,
    .opts_size = sizeof(struct deploy_opts),
    .min_args = 0,
    .max_args = 0,
    .run = deploy_run_cmd,
};
