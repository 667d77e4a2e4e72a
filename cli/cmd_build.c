/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/pool.h"
#include "base/progress.h"
#include "base/scope.h"
#include "builder/build.h"
#include "cli/build_call.h"
#include "cli/build_request.h"
#include "cli/build_results.h"
#include "cli/commands.h"
#include "registry/layout.h"
#include "registry/remote.h"
#include "runtime/attend.h"
#include "runtime/cgroup.h"
#include "runtime/cgroup_guard.h"
#include "runtime/session.h"

/* What the one line of the error cannot hold. */
static void explain(const struct build_result *built)
{
    SCOPED(buf_release) struct buf text = {0};
    struct str rest = buf_str(&built->output), line;

    if (rest.size)
        buf_adds(&text, "------\n");
    while (str_line(&rest, &line)) {
        buf_add_columns(&text, line);
        buf_addc(&text, '\n');
    }
    if (text.size)
        buf_adds(&text, "------\n");
    buf_add_str(&text, buf_str(&built->excerpt));
    if (text.size)
        progress_write_line(text.ptr, text.size);
}

/* In short, as docker does at a build's end. */
static void print_warnings(const struct build_result *built)
{
    SCOPED(buf_release) struct buf text = {0};
    size_t count = built->warnings.count;

    if (count == 0)
        return;
    buf_addf(&text, "\n %zu warning%s found (use --check to expand):\n", count,
             count == 1 ? "" : "s");
    for (size_t i = 0; i < count; i++)
        buf_addf(&text, " - %s\n", built->warnings.ptr[i]);
    progress_write_line(text.ptr, text.size);
}

/* Of the environment, when the command line says nothing (docker buildx). */
static int set_progress(const struct cmd_context *context, struct err *err)
{
    const char *name = getenv("BUILDKIT_PROGRESS");
    enum progress_mode mode;

    if (context->progress || !name || !*name)
        return 0;
    if (progress_mode_parse(name, &mode) < 0)
        return err_set(err, ERR_USAGE, 0,
                       "BUILDKIT_PROGRESS: \"%.100s\" is not auto, plain, tty, quiet, none or "
                       "rawjson",
                       name);
    progress_set_mode(mode);
    return 0;
}

struct opened {
    struct ssh_agents *ssh; /* borrowed; they live in the store */
    struct ca_trust trust;
    struct layout layout;
    struct session session;
    struct cgroup_guard guard;
    struct build_tools tools;
};

static void opened_release(struct opened *o)
{
    ssh_agents_release(o->ssh);
    pool_close(o->tools.pool);
    remote_free(o->tools.remote);
    session_release(&o->session);
    cgroup_guard_close(&o->guard);
    ca_trust_close(&o->trust);
    layout_close(&o->layout);
}

/* docker's word for the usual one is "default". */
static const char *rung(const char *isolation)
{
    return isolation && strcmp(isolation, "default") == 0 ? NULL : isolation;
}

/* The order matters: the default root depends on who the user is, the session wants one thread. */
static int open_tools(const struct cmd_context *context, const struct build_opts *o,
                      const struct build_request *r, struct opened *out, struct err *err)
{
    struct registry_opts registry = o->registry; /* lists borrowed, but for: */
    SCOPED(strv_release) struct strv insecure = {0};
    AUTO_FREE char *root = context->root ? xstrdup(context->root) : layout_default_root(err);

    if (!root || session_enter(rung(o->isolation), &out->session, err) < 0 ||
        layout_open(&out->layout, root, err) < 0)
        return -1;
    strv_copy(&insecure, &o->registry.insecure);
    strv_copy(&insecure, &r->insecure);
    registry.insecure = insecure;
    if (ca_trust_open(&r->run.ca, &out->layout, &registry, &out->trust, err) < 0)
        return -1;
    out->tools.remote = registry_opts_open(&registry, err);
    if (!out->tools.remote)
        return -1;
    if (emulator_opts_give(&o->emulators, &registry, &out->layout, &out->session, err) < 0)
        return -1;
    out->tools.pool = pool_open(0);
    out->tools.layout = &out->layout;
    out->tools.session = &out->session;
    return 0;
}

static int build_command(struct cmd_context *context, const void *opts, int count, char **args,
                         struct err *err)
{
    const struct build_opts *o = opts;
    SCOPED(build_request_release) struct build_request request = {0};
    SCOPED(opened_release)
    struct opened opened = {.layout = LAYOUT_CLOSED,
                            .session = SESSION_CLOSED,
                            .guard = CGROUP_GUARD_CLOSED,
                            .ssh = &request.run.ssh,
                            .trust = CA_TRUST_CLOSED};
    SCOPED(build_result_release) struct build_result built = {0};
    struct build_call call;

    (void)count;
    if (set_progress(context, err) < 0 || build_call_parse(o, &call, err) < 0 ||
        build_request_make(o, args[0], &request, err) < 0)
        return -1;
    if (call.wanted)
        return build_call_run(context, o, &request, &call, err);
    if (request.run.shell_on_error)
        attend_keep_resizes();
    if (cgroup_settle(&request.run.box.resources, &opened.guard, err) < 0 ||
        open_tools(context, o, &request, &opened, err) < 0 ||
        run_opts_open_ssh(&o->run, &opened.layout, &request.run, err) < 0)
        return -1;
    int made = build_run(&request.options, &opened.tools, &built, err);
    print_warnings(&built);
    if (built.explanation.size) {
        progress_clear();
        fputs(buf_cstr(&built.explanation), stderr);
    }
    if (made < 0) {
        explain(&built);
        return -1;
    }
    return build_results_write(o, &request, &built, context->quiet, err);
}

const struct cmd cmd_build = {.name = "build",
                              .args = "CONTEXT",
                              .summary = "build an image from a Dockerfile",
                              .opts = build_opts,
                              .opts_size = sizeof(struct build_opts),
                              .min_args = 1,
                              .max_args = 1,
                              .run = build_command};
