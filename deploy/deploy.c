/* SPDX-License-Identifier: Apache-2.0 */
#include "deploy/deploy.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/scope.h"
#include "deploy/artifacts.h"
#include "deploy/taskdef.h"
#include "registry/ecr.h"

struct item_want { /* what the images must fit */
    struct platform platform;
    bool is_certain;
};

void deploy_result_release(struct deploy_result *r)
{
    for (size_t i = 0; i < r->count; i++) {
        free(r->items[i].name);
        deploy_image_release(&r->items[i].image);
    }
    free(steal_ptr(&r->items));
    r->count = 0;
    free(steal_ptr(&r->taskdef_arn));
    json_decref(steal_ptr(&r->taskdef));
    wait_result_release(&r->wait);
}

static void say(const struct deploy_request *request, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
static void say(const struct deploy_request *request, const char *fmt, ...)
{
    AUTO_FREE char *line = NULL;
    va_list ap;

    va_start(ap, fmt);
    line = xvasprintf(fmt, ap);
    va_end(ap);
    if (request->wait.on_event)
        request->wait.on_event(request->wait.arg, line);
}

static int read_taskdef(const struct deploy_request *request, json_t **doc, struct err *err)
{
    SCOPED(buf_release) struct buf text = {0};
    AUTO_FD int fd = open(request->taskdef_file, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return err_errno(err, "open %s", request->taskdef_file);
    if (fs_read(fd, &text, TASKDEF_MAX, err) < 0)
        return err_wrap(err, "%s", request->taskdef_file);
    return taskdef_parse(buf_str(&text), request->taskdef_file, doc, err);
}

/* An image that does not fit is refused where ECS's choice of machine is known, told where it is
 * not. */
static int check_platform(const struct item_want *want, const struct deploy_image *image,
                          struct err *err)
{
    char have[PLATFORM_TEXT_SIZE];
    struct err why = {0};

    if (taskdef_fits(&want->platform, &image->platform, image->uri, &why) == 0)
        return 0;
    if (want->is_certain) {
        *err = why;
        return -1;
    }
    log_warn("image %s is for %s; the task definition has no runtimePlatform and the service is "
             "not on Fargate, so its "
             "instances decide whether it runs",
             image->uri, platform_format(&image->platform, have));
    return 0;
}

static int add_image(const struct deploy_request *request, const char *text,
                     const struct item_want *want, struct deploy_result *result, struct err *err)
{
    struct deploy_item item = {0};
    struct str name, ref;
    int rc;

    if (str_cut(str_of(text), '=', &name, &ref)) {
        if (!name.size || !ref.size)
            return err_set(err, ERR_USAGE, 0, "--image %s: want NAME=IMAGE", text);
        item.name = str_dup(name);
    } else {
        ref = str_of(text);
    }
    AUTO_FREE char *ref_text = str_dup(ref);

    rc = deploy_image_resolve(request->remote, ref_text, &want->platform, &item.image, err);
    if (rc == 0)
        rc = check_platform(want, &item.image, err);
    if (rc == 0)
        rc = taskdef_set_image(result->taskdef, item.name, item.image.uri, err) < 0 ? -1 : 0;
    if (rc < 0) {
        free(item.name);
        deploy_image_release(&item.image);
        return -1;
    }
    result->items = xreallocarray(result->items, result->count + 1, sizeof(*result->items));
    result->items[result->count++] = item;
    say(request, "image %s", item.image.uri);
    return 0;
}

static int write_file(const char *path, const struct buf *text, struct err *err)
{
    if (fs_replace(AT_FDCWD, path, text->ptr, text->size, 0644, false, err) < 0)
        return err_wrap(err, "write %s", path);
    return 0;
}

static int write_imagedefinitions(const struct deploy_request *request,
                                  const struct deploy_result *result, struct err *err)
{
    SCOPED(buf_release) struct buf text = {0};
    struct artifact_image *images = NULL;
    size_t count = 0, capacity = 0;
    const json_t *c;
    size_t i;

    json_array_foreach(json_object_get(result->taskdef, "containerDefinitions"), i, c)
    {
        for (size_t k = 0; k < result->count; k++) {
            if (strcmp(json_str(c, "image"), result->items[k].image.uri) != 0)
                continue;
            VEC_GROW(images, count, capacity);
            images[count++] =
                (struct artifact_image){json_str(c, "name"), result->items[k].image.uri};
            break;
        }
    }
    artifact_imagedefinitions(images, count, &text);
    free(images);
    return write_file(request->imagedefinitions, &text, err);
}

static int write_image_detail(const struct deploy_request *request,
                              const struct deploy_result *result, struct err *err)
{
    SCOPED(buf_release) struct buf text = {0};
    const struct deploy_image *image = &result->items[0].image;
    struct ecr_host host;
    bool is_ecr = ecr_host_parse(image->ref.host, &host) && !host.is_public;
    struct artifact_detail detail = {
        .uri = image->uri,
        .digest = image->ref.digest,
        .registry = is_ecr ? host.account : NULL,
        .repository = image->ref.path,
        .tag = image->ref.tag,
        .size = image->size,
    };

    artifact_image_detail(&detail, &text);
    return write_file(request->image_detail, &text, err);
}

static int write_artifacts(const struct deploy_request *request, const struct deploy_result *result,
                           struct err *err)
{
    if (!result->count && (request->imagedefinitions || request->image_detail))
        return err_set(err, ERR_USAGE, 0, "%s needs an --image",
                       request->image_detail ? "--image-detail" : "--imagedefinitions");
    if (request->dry_run)
        return 0;
    if (request->imagedefinitions && write_imagedefinitions(request, result, err) < 0)
        return -1;
    return request->image_detail ? write_image_detail(request, result, err) : 0;
}

/* All that can be refused is refused here, before anything changes. */
static int prepare(const struct deploy_request *request, struct deploy_result *result,
                   struct err *err)
{
    json_auto_t *service = NULL;
    struct item_want want = {0};

    if (read_taskdef(request, &result->taskdef, err) < 0)
        return -1;
    if (taskdef_platform(result->taskdef, &want.platform, &want.is_certain, err) < 0)
        return err_wrap(err, "%s", request->taskdef_file);
    if (ecs_service(request->aws, &request->target, &service, err) < 0 ||
        ecs_can_update(service, err) < 0)
        return -1;
    want.is_certain |= ecs_on_fargate(service);
    for (size_t i = 0; i < request->images->count; i++) {
        if (add_image(request, request->images->ptr[i], &want, result, err) < 0)
            return -1;
    }
    if (taskdef_check(result->taskdef, err) < 0)
        return err_wrap(err, "%s", request->taskdef_file);
    return write_artifacts(request, result, err);
}

int deploy_run(const struct deploy_request *request, struct deploy_result *result, struct err *err)
{
    json_auto_t *after = NULL;

    if (prepare(request, result, err) < 0)
        return -1;
    result->wait.outcome = WAIT_DONE;
    if (request->dry_run)
        return 0;
    if (ecs_register(request->aws, result->taskdef, &result->taskdef_arn, err) < 0)
        return -1;
    say(request, "registered %s", result->taskdef_arn);
    if (ecs_update(request->aws, &request->target, result->taskdef_arn, &after, err) < 0)
        return err_add(err, "; %s is registered and unused", result->taskdef_arn);
    say(request, "service %s is being updated", request->target.service);
    if (request->no_wait) {
        result->wait.deployment = xstrdup(wait_our_id(after, result->taskdef_arn));
        return 0;
    }
    if (request->on_started)
        request->on_started();
    result->waited = true;
    return wait_deployment(request->aws, &request->target, result->taskdef_arn, after,
                           &request->wait, &result->wait, err);
}

/* As the manual has it. */
static const char *outcome_name(enum wait_outcome outcome)
{
    static const char *const names[] = {"pending", "done", "failed", "rolled-back", "timed-out"};

    return names[outcome];
}

static void set(json_t *obj, const char *key, const char *value)
{
    if (value)
        json_object_set_new(obj, key, json_string(value));
}

json_t *deploy_result_json(const struct deploy_request *request, const struct deploy_result *result)
{
    json_t *out = json_object(), *images = json_array(), *report = json_array();

    set(out, "cluster", request->target.cluster ? request->target.cluster : "default");
    set(out, "service", request->target.service);
    set(out, "taskDefinition", result->taskdef_arn);
    set(out, "deployment", result->wait.deployment);
    set(out, "reason", result->wait.reason);
    set(out, "outcome",
        request->dry_run ? "dry-run"
        : result->waited ? outcome_name(result->wait.outcome)
                         : "started");
    for (size_t i = 0; i < result->count; i++) {
        const struct deploy_image *image = &result->items[i].image;
        AUTO_FREE char *containers = taskdef_containers_of(result->taskdef, image->uri);
        char platform[PLATFORM_TEXT_SIZE];
        json_t *one = json_object();

        set(one, "image", image->uri);
        set(one, "digest", image->ref.digest);
        set(one, "tag", image->ref.tag);
        set(one, "platform", platform_format(&image->platform, platform));
        set(one, "containers", containers);
        json_array_append_new(images, one);
    }
    for (size_t i = 0; i < result->wait.report.count; i++)
        json_array_append_new(report, json_string(result->wait.report.ptr[i]));
    json_object_set_new(out, "images", images);
    json_object_set_new(out, "report", report);
    if (request->dry_run)
        json_object_set(out, "input", result->taskdef);
    return out;
}
