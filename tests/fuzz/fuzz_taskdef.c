/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "base/scope.h"
#include "deploy/taskdef.h"
#include "deploy/wait.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect_text(const struct err *err)
{
    if (!err->text[0])
        abort();
}

/* A document as a task definition, and, for any JSON, as the replies of ECS that the judges read.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *)data, size};
    SCOPED(buf_release) struct buf reason = {0};
    SCOPED(strv_release) struct strv lines = {0};
    json_auto_t *doc = NULL;
    json_auto_t *any = NULL;
    struct platform platform;
    struct err err = {0};
    bool certain;

    any = json_parse(text, &err);
    if (any) {
        wait_judge_service(any, NULL, "td", &reason);
        wait_judge_service(any, "1", "td", &reason);
        wait_judge_deployment(any, &reason);
        wait_report_task(any, &lines);
    }
    err = (struct err){0};
    if (taskdef_parse(text, "f", &doc, &err) < 0) {
        expect_text(&err);
        return 0;
    }
    if (taskdef_set_image(doc, NULL, "image", &err) < 0)
        expect_text(&err);
    taskdef_set_image(doc, "web", "image", &err);
    AUTO_FREE char *names = taskdef_containers_of(doc, "image");

    err = (struct err){0};
    if (taskdef_check(doc, &err) < 0)
        expect_text(&err);
    err = (struct err){0};
    if (taskdef_platform(doc, &platform, &certain, &err) < 0)
        expect_text(&err);
    return 0;
}
