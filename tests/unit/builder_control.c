/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/control.h"

#include "base/buf.h"
#include "base/scope.h"
#include "tests/tap.h"

static void arguments(void)
{
    static const struct {
        const char *arg, *want, *err;
    } rows[] = {
        {"A=b", "", NULL},
        {"SOURCE_DATE_EPOCH=5", "epoch=5", NULL},
        {"SOURCE_DATE_EPOCH=0", "epoch=0", NULL},
        {"SOURCE_DATE_EPOCH=", "", NULL},
        {"SOURCE_DATE_EPOCH=context", NULL,
         "SOURCE_DATE_EPOCH: \"context\" is not a number of seconds; a time taken from the context "
         "or a stage is not carried out"},
        {"SOURCE_DATE_EPOCH=-1", NULL,
         "SOURCE_DATE_EPOCH: \"-1\" is not a number of seconds; a time taken from the context or a "
         "stage is not carried out"},
        {"BUILDKIT_MULTI_PLATFORM=1", "multi", NULL},
        {"BUILDKIT_MULTI_PLATFORM=false", "", NULL},
        {"BUILDKIT_INLINE_CACHE=1", "inline", NULL},
        {"BUILDKIT_SANDBOX_HOSTNAME=box-1", "host=box-1", NULL},
        {"BUILDKIT_SANDBOX_HOSTNAME=a b", NULL,
         "BUILDKIT_SANDBOX_HOSTNAME: \"a b\" is no host name"},
        {"BUILDKIT_SYNTAX=docker/dockerfile:1", "", NULL},
        {"BUILDKIT_SBOM_SCAN_STAGE=true", "", NULL},
        {"BUILDKIT_CACHE_MOUNT_NS=x", "space=x", NULL},
        {"BUILDKIT_CACHE_MOUNT_NS=", "", NULL},
        {"BUILDKIT_CONTEXT_KEEP_GIT_DIR=0", "", NULL},
        {"BUILDKIT_CONTEXT_KEEP_GIT_DIR=1", "git", NULL},
        {"BUILDKIT_NEW=1", NULL, "build argument BUILDKIT_NEW is not carried out"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        SCOPED(strv_release) struct strv args = {0};
        SCOPED(buf_release) struct buf shown = {0};
        struct control control;
        struct err err = {0};
        int rc;

        strv_add(&args, rows[i].arg);
        rc = control_read(&args, &control, &err);
        OKF((rc < 0) == !!rows[i].err, "row %zu: %s", i, rows[i].arg);
        if (control.has_epoch)
            buf_addf(&shown, "epoch=%lld", (long long)control.epoch);
        buf_addf(&shown, "%s%s", control.multi_platform ? "multi" : "",
                 control.inline_cache ? "inline" : "");
        if (control.keep_git_dir)
            buf_adds(&shown, "git");
        if (control.cache_space)
            buf_addf(&shown, "space=%s", control.cache_space);
        if (control.hostname)
            buf_addf(&shown, "host=%s", control.hostname);
        EQ_STR(rows[i].err ? err.text : buf_cstr(&shown), rows[i].err ? rows[i].err : rows[i].want);
    }
}

TAP_MAIN({"arguments", arguments})
