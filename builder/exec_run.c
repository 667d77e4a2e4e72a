/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/exec_run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/progress.h"
#include "base/scope.h"
#include "builder/ca_bundle.h"
#include "builder/links.h"
#include "builder/root.h"
#include "builder/run_devices.h"
#include "builder/run_net.h"
#include "builder/sieve.h"
#include "builder/step_log.h"
#include "builder/worktree.h"
#include "registry/layout.h"
#include "runtime/attend.h"
#include "runtime/caps.h"
#include "runtime/cgroup.h"
#include "runtime/emulators.h"
#include "runtime/net.h"
#include "runtime/plan.h"
#include "runtime/record.h"
#include "runtime/relay.h"
#include "runtime/run.h"
#include "runtime/session.h"
#include "runtime/user.h"

#define HOSTNAME "buildkitsandbox" /* what scripts that look at it know */
#define FULL_BELOW (1 << 20)       /* bytes */
#define GIVE_UP_MS 10000 /* what a failed step may take from its shell's end to the build's */

/* ---- what it is ---- */

int run_work_take(struct build *build, struct making *making, const struct instruction *in,
                  struct run_work *work, struct err *err)
{
    if (state_run(&making->state, in, &work->spec, err) < 0 ||
        run_flags_parse(in, &work->flags, NULL, err) < 0 ||
        run_flags_check_allowed(&work->flags, build->options->run->allowed, err) < 0 ||
        run_flags_find_devices(&work->flags, build->options->run, &work->edits, &work->absent,
                               err) < 0)
        return -1;
    if (!work->flags.has_network || work->flags.network == RUN_NETWORK_DEFAULT)
        work->flags.network = build->options->run->network;
    return mounts_take(build, making, in, &work->mounts, err);
}

void run_work_release(struct run_work *work)
{
    mounts_release(&work->mounts);
    cdi_edits_release(&work->edits);
    strv_release(&work->absent);
    run_flags_release(&work->flags);
    run_spec_release(&work->spec);
}

static void hash_options(const struct run_options *o, struct cache_key *key)
{
    cache_key_list(key, "hosts", &o->hosts);
    cache_key_u64(key, "shm size", o->box.shm_size);
    cache_key_u64(key, "capabilities", box_caps(&o->box));
    cache_key_u64(key, "no filter", o->box.no_filter);
    cache_key_u64(key, "no new privileges", o->box.no_new_privs);
    cache_key_list(key, "dns", &o->box.dns);
    cache_key_list(key, "dns search", &o->box.dns_search);
    cache_key_list(key, "dns options", &o->box.dns_options);
    cache_key_u64(key, "limits", o->box.limits.count);
    for (size_t i = 0; i < o->box.limits.count; i++) {
        cache_key_text(key, "limit", limit_name(o->box.limits.items[i].resource));
        cache_key_u64(key, "soft", o->box.limits.items[i].soft);
        cache_key_u64(key, "hard", o->box.limits.items[i].hard);
    }
}

/* What the step sees of a device, not what the device holds: that is the host's. */
static void hash_devices(const struct run_work *work, struct cache_key *key)
{
    SCOPED(buf_release) struct buf text = {0};

    cache_key_list(key, "devices not there", &work->absent);
    cdi_edits_print(&work->edits, &text);
    cache_key_text(key, "devices", buf_cstr(&text));
}

static void hash_fields(const struct build *build, const struct making *making,
                        const struct run_work *work, struct cache_key *key)
{
    const struct run_spec *spec = &work->spec;

    cache_key_list(key, "argv", &spec->argv);
    cache_key_list(key, "env", &spec->env);
    cache_key_text(key, "cwd", making->state.workdir);
    cache_key_text(key, "user", making->state.user);
    cache_key_text(key, "hostname", build->control.hostname);
    cache_key_text(key, "script name", spec->script_name);
    cache_key_text(key, "script", spec->script);
    cache_key_u64(key, "network", work->flags.network);
    cache_key_u64(key, "insecure", work->flags.insecure);
    hash_devices(work, key);
    hash_options(build->options->run, key);
    for (size_t i = 0; key->fields && i < spec->args.count; i++)
        strv_addf(key->fields, "ARG %s", spec->args.ptr[i]); /* told by its own name */
}

int run_work_hash(const struct build *build, const struct making *making, struct run_work *work,
                  struct cache_key *key, struct err *err)
{
    hash_fields(build, making, work, key);
    return mounts_hash(&work->mounts, key, err);
}

int run_work_define(const struct build *build, const struct making *making, struct run_work *work,
                    struct cache_key *key, struct err *err)
{
    hash_fields(build, making, work, key);
    return mounts_define(&work->mounts, making, key, err);
}

/* ---- where it happens ---- */

struct place {
    struct layout *layout;
    struct run_work *work;
    struct root root;
    bool in_tree; /* … or making->worktree is the root */
    struct ca_use ca;
    int output_fd;
    bool emulated;
    struct run_devices devices;
    struct cgroup cgroup;
    struct plan plan;
    struct run run;
    struct uplink uplink;
    struct step_log log;
    struct record_items links; /* owners of links */
};

static void place_release(struct place *p)
{
    run_release(&p->run);
    uplink_end(&p->uplink);
    ca_use_release(&p->ca);
    scope_close(&p->plan.root_fd);
    scope_close(&p->plan.links_fd);
    record_items_release(&p->links);
    plan_release(&p->plan);
    run_devices_release(&p->devices);
    cgroup_release(&p->cgroup);
    scope_close(&p->output_fd);
    root_release(&p->root);
    step_log_release(&p->log);
}

static int fill_plan(struct build *build, struct place *p, struct making *making, struct err *err)
{
    const struct run_options *o = build->options->run;
    const struct run_spec *spec = &p->work->spec;
    struct plan *plan = &p->plan;

    strv_copy(&plan->argv, &spec->argv);
    strv_copy(&plan->env, &spec->env);
    strv_copy(&plan->env, &spec->proxy);
    plan->cwd = xstrdup(making->state.workdir);
    plan->hostname = xstrdup(build->control.hostname ? build->control.hostname : HOSTNAME);
    if (run_net_fill(o, p->work->flags.network, HOSTNAME, plan, err) < 0)
        return -1;
    plan->arch = making->stage->platform.arch;
    if ((session_is_plain(build->tools->session) &&
         run_devices_check_plain(&p->work->edits, err) < 0) ||
        run_devices_add_edits(&p->devices, &p->work->edits, plan, err) < 0)
        return -1;
    if (spec->script_name) {
        AUTO_FREE char *target = xasprintf("/dev/pipes/%s", spec->script_name);

        plan_add_file(plan, target, str_of(spec->script), 0755);
    }
    box_put(&o->box, plan);
    if (!p->work->flags.insecure)
        return 0;
    plan->no_new_privs = false;
    plan->caps = CAPS_ALL;
    plan->unconfined = true;
    return run_devices_add_all(&p->devices, plan, err);
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
    run_devices_add_groups(&p->work->edits, plan);
    if (!env_get(&plan->env, "HOME"))
        env_set(&plan->env, "HOME", user.home ? user.home : "/");
    return 0;
}

/* Said before the first thing that only a sandbox's root can do fails in words of its own. */
static int can_run(const struct build *build, const struct making *making, struct place *p,
                   struct err *err)
{
    if (build->tools->session->rung != SESSION_NONE)
        return root_check_store(build->tools->layout, build->tools->session, err) < 0
                   ? -1
                   : emulators_need(build->tools->session, making->stage->platform.arch,
                                    &p->emulated, err);
    *err = build->tools->session->why;
    return err_wrap(err, "no command can be run here");
}

static int open_root(struct build *build, struct place *p, struct making *making, bool again,
                     struct err *err)
{
    struct session *session = build->tools->session;

    p->in_tree = !root_has_overlay(p->layout, session);
    if (!p->in_tree)
        return again ? root_open_again(&p->root, session, &making->stack, &p->plan, err)
                     : root_open(&p->root, p->layout, session, &making->stack, &p->plan, err);
    if (session->rung == SESSION_IN_PLACE) { /* no isolation */
        p->plan.caps = CAPS_ALL;
        p->plan.unconfined = true;
    }
    if (again)
        return worktree_open_again(making->worktree, session, &p->plan, err);
    if (!making->worktree) {
        making->worktree = xmalloc(sizeof(*making->worktree));
        *making->worktree = (struct worktree)WORKTREE_CLOSED;
        making->worktree->ground = session->rung == SESSION_IN_PLACE ? &build->ground : NULL;
    }
    return worktree_open_root(making->worktree, p->layout, session, &making->stack, &p->plan, err);
}

/* All of the plan but its streams. again: on what an earlier command left. */
static int prepare(struct build *build, struct place *p, struct making *making, bool again,
                   struct err *err)
{
    const struct resources *resources = &build->options->run->box.resources;

    if (fill_plan(build, p, making, err) < 0 || set_user(build, p, making, err) < 0 ||
        mounts_open(&p->work->mounts, build, making, &p->plan, err) < 0)
        return -1;
    if (open_root(build, p, making, again, err) < 0 ||
        (!again && cgroup_make(resources, &p->cgroup, err) < 0) ||
        cgroup_put(resources, &p->cgroup, &p->plan, err) < 0)
        return -1;
    if (build->tools->session->rung == SESSION_SINGLE && !again) {
        p->plan.links_fd =
            links_open(&making->stack, p->layout, p->in_tree ? p->plan.root_fd : -1, err);
        if (p->plan.links_fd < 0)
            return -1;
    }
    return ca_bundle_put(&build->options->run->ca, p->plan.root_fd, &p->plan, &p->ca, err);
}

/* Both output streams in one pipe, so that their lines keep their order. */
static int start(struct build *build, struct place *p, struct err *err)
{
    int ends[2], rc;

    if (pipe2(ends, O_CLOEXEC) < 0)
        return err_errno(err, "make a pipe");
    p->output_fd = ends[0];
    p->plan.stdout_fd = p->plan.stderr_fd = ends[1];
    rc = run_start(build->tools->session, &p->plan, &p->run, err);
    close(ends[1]);
    return rc < 0 ? -1 : run_net_begin(&p->plan, &p->run, &p->uplink, err);
}

/* Overlay reports a full disk as an I/O error, so the command's own words do not tell. */
static bool disk_is_full(const struct place *p)
{
    struct statvfs st;

    if (fstatvfs(p->layout->dir_fd, &st) < 0)
        return false;
    return (uint64_t)st.f_bavail * st.f_frsize < FULL_BELOW || (st.f_files && !st.f_favail);
}

/* What waiting for the command means: its output, its agents, its end. 0 and *status, or -1. */
static int attend(struct place *p, int *status, struct err *err)
{
    const struct mounts *mounts = &p->work->mounts;
    AUTO_FREE struct pollfd *fds = xcalloc(2 + mounts->relays_count, sizeof(*fds));
    AUTO_FREE char *bytes = xmalloc(65536);
    int rc = 1;

    fds[1] = (struct pollfd){.fd = p->run.socket_fd, .events = POLLIN};
    for (size_t i = 0; i < mounts->relays_count; i++)
        fds[2 + i] = (struct pollfd){.fd = relay_fd(mounts->relays[i]), .events = POLLIN};
    /* The output may end before the command and goes on after its end until it is read. */
    while (rc > 0 || p->output_fd >= 0) {
        fds[0] = (struct pollfd){.fd = p->output_fd, .events = POLLIN};
        if (poll(fds, 2 + mounts->relays_count, -1) < 0 && errno != EINTR)
            return err_errno(err, "wait for the step");
        if (fds[0].revents) {
            ssize_t n = read(p->output_fd, bytes, 65536);

            if (n < 0 && errno != EINTR)
                return err_errno(err, "read the step's output");
            if (n == 0)
                scope_close(&p->output_fd);
            if (n >= 0)
                step_log_add(&p->log, bytes, (size_t)n);
        }
        for (size_t i = 0; i < mounts->relays_count; i++)
            if (fds[2 + i].revents)
                relay_serve(mounts->relays[i]);
        if (fds[1].revents) {
            rc = run_check(&p->run, status, err);
            fds[1].fd = rc > 0 ? fds[1].fd : -1;
        }
    }
    return rc;
}

/* Emulators crash where processors do not, and what the shell makes of it is often no signal. */
static bool emulator_crashed(struct place *p, int status)
{
    return p->emulated && (status == 128 + SIGSEGV || status == 128 + SIGILL ||
                           strstr(buf_cstr(&p->log.tail), "qemu: uncaught target signal"));
}

static int tell_failure(struct build *build, struct place *p, int status, struct err *err)
{
    bool starved = cgroup_oom_kills(&p->cgroup) > 0;

    err_set(err, ERR_COMMAND, status, "the command failed with exit status %d", status);
    if (starved)
        err_add(err, " (out of memory: the step needs more than --memory gives it)");
    else if (status > 128)
        err_add(err, " (killed by signal %d%s)", status - 128,
                status == 137 ? "; out of memory is the usual reason" : "");
    if (emulator_crashed(p, status))
        err_add(err,
                "; it ran under the emulator %s, and emulators, old ones above all, crash where "
                "processors do not: try a newer one (--emulator %s=PATH)",
                emulators_name(build->tools->session, p->plan.arch), p->plan.arch);
    if (disk_is_full(p))
        err_add(err, "; no space left on the store's file system (%s)", p->layout->root);
    else if (p->plan.plain && !p->plan.in_place && !starved)
        err_add(err,
                "; isolation chroot has no /proc/self and no /dev/fd%s, which may be the reason",
                p->plan.uid ? " and lets set-user-id programs gain nothing" : "");
    return -1;
}

static void tell_usage(struct making *making, const struct place *p)
{
    uint64_t peak = cgroup_memory_peak(&p->cgroup);

    making->usage = (struct step_usage){.known = true,
                                        .cpu_us = p->run.cpu_us,
                                        .memory = peak ? peak : p->run.rss_max,
                                        .read = p->run.read_size,
                                        .written = p->run.written_size};
    progress_usage(making->shown, "cpu", making->usage.cpu_us);
    progress_usage(making->shown, "memory", making->usage.memory);
    progress_usage(making->shown, "read", making->usage.read);
    progress_usage(making->shown, "written", making->usage.written);
}

static int finish(struct build *build, struct making *making, struct place *p, struct err *err)
{
    int status = 0, rc = attend(p, &status, err);
    AUTO_FREE char *path = NULL;

    tell_usage(making, p);
    if (rc == 0 && status)
        rc = tell_failure(build, p, status, err);
    if (rc == 0 && p->log.scan.found)
        rc = err_set(err, ERR_INPUT, 0,
                     "the command printed the value of secret %s; it is not shown, but a step that "
                     "prints a secret is not to be relied on",
                     p->log.scan.found);
    else if (rc < 0 && p->log.scan.found)
        err_add(err, "; it printed the value of secret %s", p->log.scan.found);
    if (rc == 0)
        return 0;
    path = step_log_keep(&p->log);
    if (path)
        err_add(err, "; all it printed is in %s", path);
    buf_release(&making->output);
    making->output = p->log.tail;
    p->log.tail = (struct buf){0};
    return -1;
}

/* ---- --on-error=shell ---- */

static void serve_relays(void *arg)
{
    const struct mounts *mounts = arg;

    for (size_t i = 0; i < mounts->relays_count; i++)
        relay_serve(mounts->relays[i]);
}

/* One descriptor that can be read when one of the relays can. */
static int watch_relays(const struct mounts *mounts)
{
    int fd = epoll_create1(EPOLL_CLOEXEC);

    for (size_t i = 0; i < mounts->relays_count; i++) {
        struct epoll_event event = {.events = EPOLLIN};

        epoll_ctl(fd, EPOLL_CTL_ADD, relay_fd(mounts->relays[i]), &event);
    }
    return fd;
}

/* Once more what the step began with, on what it left. */
static int prepare_shell(struct build *build, struct place *p, struct making *making,
                         struct err *err)
{
    AUTO_FD int links_fd = steal_fd(&p->plan.links_fd);

    run_release(&p->run);
    uplink_end(&p->uplink);
    scope_close(&p->plan.root_fd);
    plan_release(&p->plan);
    run_devices_release(&p->devices);
    mounts_close(&p->work->mounts);
    ca_use_release(&p->ca);
    if (prepare(build, p, making, true, err) < 0)
        return -1;
    p->plan.links_fd = steal_fd(&links_fd);
    strv_clear(&p->plan.argv);
    strv_add(&p->plan.argv, "/bin/sh");
    env_set(&p->plan.env, "TERM", getenv("TERM") ? getenv("TERM") : "xterm");
    p->plan.tty = true;
    attend_terminal_size(&p->plan.tty_rows, &p->plan.tty_columns);
    return 0;
}

static int run_shell(struct build *build, struct place *p, struct err *err)
{
    SCOPED(attend_end) struct attend attend = ATTEND_CLOSED;
    AUTO_FD int relays_fd = watch_relays(&p->work->mounts);
    int status;

    attend.also = serve_relays;
    attend.also_arg = &p->work->mounts;
    attend.also_fd = relays_fd;
    if (!isatty(attend.terminal_fd)) /* the result goes there, and into a file */
        attend.terminal_fd = STDERR_FILENO;
    if (attend_begin(&attend, err) < 0 ||
        run_start(build->tools->session, &p->plan, &p->run, err) < 0 ||
        run_net_begin(&p->plan, &p->run, &p->uplink, err) < 0)
        return -1;
    return attend_run(&attend, &p->run, NULL, true, &status, err);
}

/* What the step left, with its environment, user and mounts, in the user's hands. Other steps wait
 * as soon as they have something to say: not before all is ready, for they may hold what it takes.
 */
static void show_shell(struct build *build, struct place *p, struct making *making,
                       const char *failure)
{
    struct err why = {0};

    if (prepare_shell(build, p, making, &why) == 0) {
        progress_hold();
        log_info("%s", failure);
        log_info("the step failed; a shell where it did (exit ends it, and the build fails):");
        run_shell(build, p, &why);
        progress_resume();
    }
    if (why.kind != ERR_NONE)
        log_warn("--on-error=shell: %s", why.text);
}

/* The first step that fails has one, and its error is the build's. Another stage that fails
 * meanwhile waits here, or in build.c's cancel(), until the build is given up. */
static void open_shell(struct build *build, struct place *p, struct making *making,
                       const char *failure)
{
    bool first;

    pthread_mutex_lock(&build->shell_lock);
    first = !build->shell_opened && !session_cancelled(build->tools->session);
    build->shell_opened = true;
    if (first)
        show_shell(build, p, making, failure);
    pthread_mutex_unlock(&build->shell_lock);
    for (int i = 0; !first && i < GIVE_UP_MS && !session_cancelled(build->tools->session); i++)
        clock_sleep_ms(1);
}

static int make_layer(struct build *build, struct place *p, struct making *making,
                      struct layer *layer, struct err *err)
{
    struct layer_options options = exec_layer_options(build);
    struct pool *pool = build->tools->pool;

    options.links = &p->links;
    if (build->options->run->layer_wire)
        options.wire = build->options->run->layer_wire;
    if (p->in_tree)
        return worktree_layer(making->worktree, pool, &making->stack, &p->plan, &options, layer,
                              err) < 0
                   ? err_wrap(err, "make the layer")
                   : 0;
    if (root_tidy(&p->root, err) < 0)
        return -1;
    if (sieve_upper(p->layout, pool, &making->stack, p->root.upper_fd, &options, layer, err) < 0)
        return err_wrap(err, "make the layer");
    return layer_keep_tree(p->layout, layer->diff_id, p->root.tmp.fd, "upper", err);
}

int exec_run(struct build *build, struct making *making, void *arg, struct layer *layer,
             struct err *err)
{
    SCOPED(place_release)
    struct place p = {.layout = build->tools->layout,
                      .work = arg,
                      .root = ROOT_CLOSED,
                      .output_fd = -1,
                      .plan = PLAN_INIT,
                      .run = RUN_CLOSED,
                      .uplink = UPLINK_CLOSED,
                      .log = STEP_LOG_CLOSED};
    const char *changed;
    uint64_t begun;

    p.log.layout = p.layout;
    p.log.shown = making->shown;
    p.log.scan.wire = build->options->run->wire;
    for (size_t i = 0; i < p.work->absent.count; i++)
        log_warn("RUN --device=%s: there is no such device, so the step runs without it",
                 p.work->absent.ptr[i]);
    if (can_run(build, making, &p, err) < 0 || prepare(build, &p, making, false, err) < 0)
        return -1;
    begun = clock_mono_ms();
    if (start(build, &p, err) < 0)
        return -1;
    if (finish(build, making, &p, err) < 0) {
        if (build->options->run->shell_on_error && err->kind == ERR_COMMAND)
            open_shell(build, &p, making, err->text);
        /* Of the root that isolation in-place leaves. */
        ca_bundle_take(&build->options->run->ca, p.plan.root_fd, &p.ca, &(struct err){0});
        return -1;
    }
    if (p.emulated)
        making->emulated_ms = clock_mono_ms() - begun + 1;
    run_release(&p.run);
    if (ca_bundle_take(&build->options->run->ca, p.plan.root_fd, &p.ca, err) < 0)
        return -1;
    ca_use_release(&p.ca);
    scope_close(&p.plan.root_fd);
    mounts_close(&p.work->mounts);
    changed = mounts_changed(&p.work->mounts);
    if (p.plan.links_fd >= 0 && record_items_read(&p.links, p.plan.links_fd, err) < 0)
        return -1;
    making->forget = changed != NULL;
    if (changed)
        log_warn("%s changed while the step ran; it will not be remembered", changed);
    return make_layer(build, &p, making, layer, err);
}
