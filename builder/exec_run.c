/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/exec_run.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/progress.h"
#include "base/scope.h"
#include "builder/root.h"
#include "registry/layout.h"
#include "runtime/plan.h"
#include "runtime/run.h"
#include "runtime/session.h"
#include "runtime/user.h"

#define OUTPUT_KEPT 4096     /* of a failing step, for its error report */
#define FULL_BELOW (1 << 20) /* bytes */
#define HOST_FILE_MAX (1 << 20)

/* Where one RUN happens. */
struct place {
    struct layout *layout;
    struct root root;
    int output_fd;
    struct plan plan;
    struct run run;
};

static void place_release(struct place *p)
{
    run_release(&p->run);
    scope_close(&p->plan.root_fd);
    plan_release(&p->plan);
    scope_close(&p->output_fd);
    root_release(&p->root);
}

/* The host's own file, for the step to see; a host without one gives an empty one. */
static char *host_file(const char *path)
{
    struct buf text = {0};
    struct err ignored = {0};

    if (fs_read_file(AT_FDCWD, path, &text, HOST_FILE_MAX, &ignored) < 0)
        buf_clear(&text);
    return buf_steal(&text);
}

/* With a line for the sandbox's own name: sudo and others look it up. */
static char *hosts_file(const char *hostname)
{
    AUTO_FREE char *host = host_file("/etc/hosts");
    bool ended = !host[0] || str_ends(str_of(host), "\n");

    return xasprintf("%s%s127.0.0.1\t%s\n", host, ended ? "" : "\n", hostname);
}

static void fill_plan(struct place *p, const struct making *making, const struct run_spec *spec)
{
    struct plan *plan = &p->plan;

    strv_copy(&plan->argv, &spec->argv);
    strv_copy(&plan->env, &spec->env);
    strv_copy(&plan->env, &spec->proxy);
    plan->cwd = xstrdup(making->state.workdir);
    plan->hostname = xstrdup("buildkitsandbox"); /* what scripts that look at it know */
    plan->hosts = hosts_file(plan->hostname);
    plan->resolv_conf = host_file("/etc/resolv.conf");
    plan->network = PLAN_NETWORK_HOST;
    plan->arch = making->stage->platform.arch;
    if (spec->script_name) {
        AUTO_FREE char *target = xasprintf("/dev/pipes/%s", spec->script_name);

        plan_add_file(plan, target, str_of(spec->script), 0755);
    }
}

static int set_user(struct build *build, struct place *p, struct making *making, struct err *err)
{
    SCOPED(user_release) struct user user = {0};
    struct plan *plan = &p->plan;

    if (exec_lookup_user(build, making, making->state.user, &user, err) < 0)
        return making->state.user[0] ? err_wrap(err, "USER %s", making->state.user) : -1;
    plan->uid = user.uid;
    plan->gid = user.gid;
    plan->groups = steal_ptr(&user.groups);
    plan->groups_count = user.groups_count;
    if (!env_get(&plan->env, "HOME"))
        env_set(&plan->env, "HOME", user.home ? user.home : "/");
    return 0;
}

/* Both output streams in one pipe, so that their lines keep their order. */
static int start(struct build *build, struct place *p, struct making *making, struct err *err)
{
    int ends[2], rc;

    /* Said before the first thing that only a sandbox's root can do fails in words of its own. */
    if (build->tools->session->rung == SESSION_NONE) {
        *err = build->tools->session->why;
        return err_wrap(err, "no command can be run here");
    }
    if (root_open(&p->root, p->layout, build->tools->session, &making->stack, &p->plan, err) < 0)
        return -1;
    if (pipe2(ends, O_CLOEXEC) < 0)
        return err_errno(err, "make a pipe");
    p->output_fd = ends[0];
    p->plan.stdout_fd = p->plan.stderr_fd = ends[1];
    rc = run_start(build->tools->session, &p->plan, &p->run, err);
    close(ends[1]);
    return rc;
}

static void keep_tail(struct buf *tail, const char *bytes, size_t size)
{
    buf_add(tail, bytes, size);
    if (tail->size > 2 * OUTPUT_KEPT) {
        size_t drop = tail->size - OUTPUT_KEPT;

        memmove(tail->ptr, tail->ptr + drop, OUTPUT_KEPT);
        tail->size = OUTPUT_KEPT;
        tail->ptr[tail->size] = 0;
    }
}

static int follow(struct build *build, struct place *p, struct err *err)
{
    AUTO_FREE char *bytes = xmalloc(65536);

    buf_clear(&build->result->output);
    for (;;) {
        ssize_t n = read(p->output_fd, bytes, 65536);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(err, "read the step's output");
        if (n == 0)
            return 0;
        progress_output(build->shown, bytes, (size_t)n);
        keep_tail(&build->result->output, bytes, (size_t)n);
    }
}

/* Overlay reports a full disk as an I/O error, so the command's own words do not tell. */
static bool disk_is_full(const struct place *p)
{
    struct statvfs st;

    if (fstatvfs(p->root.upper_fd, &st) < 0)
        return false;
    return (uint64_t)st.f_bavail * st.f_frsize < FULL_BELOW || (st.f_files && !st.f_favail);
}

static int finish(struct build *build, struct place *p, struct err *err)
{
    int status = 0;

    if (follow(build, p, err) < 0 || run_wait(&p->run, 0, &status, err) < 0)
        return -1;
    if (status == 0) {
        buf_clear(&build->result->output);
        return 0;
    }
    err_set(err, ERR_COMMAND, status, "the command failed with exit status %d", status);
    if (status > 128)
        err_add(err, " (killed by signal %d%s)", status - 128,
                status == 137 ? "; out of memory is the usual reason" : "");
    if (disk_is_full(p))
        err_add(err, "; no space left on the store's file system (%s)", p->layout->root);
    return -1;
}

int exec_run(struct build *build, struct making *making, void *arg, struct layer *layer,
             struct err *err)
{
    SCOPED(place_release)
    struct place p = {.layout = build->tools->layout,
                      .root = ROOT_CLOSED,
                      .output_fd = -1,
                      .plan = PLAN_INIT,
                      .run = RUN_CLOSED};
    struct layer_options options = exec_layer_options(build);

    fill_plan(&p, making, arg);
    if (set_user(build, &p, making, err) < 0 || start(build, &p, making, err) < 0 ||
        finish(build, &p, err) < 0)
        return -1;
    run_release(&p.run);
    scope_close(&p.plan.root_fd);
    if (layer_from_upper(p.layout, build->tools->pool, p.root.upper_fd, &options, layer, err) < 0)
        return err_wrap(err, "make the layer");
    return layer_keep_tree(p.layout, layer->diff_id, p.root.tmp.fd, "upper", err);
}
