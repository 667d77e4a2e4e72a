/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Drives runtime/ without images: a sandbox on a plain directory as the lowest layer.
 *     sandbox [option...] ROOTDIR WORKDIR COMMAND [ARG...]
 * --many N starts N at once, with --threads each from a thread of its own; --cancel MS cancels the
 * session that long after the start.
 * WORKDIR is emptied of nothing: it gets upper/, work/, stubs. Prints nothing of its own but
 * errors. Exit status: the command's; 125 when it never began and the error has no status of its
 * own.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/pool.h"
#include "base/scope.h"
#include "runtime/overlay.h"
#include "runtime/run.h"
#include "runtime/session.h"
#include "runtime/user.h"

static int fail(const char *what, const struct err *err)
{
    fprintf(stderr, "sandbox: %s: %s\n", what, err->text);
    return err->kind == ERR_COMMAND ? err->code : 125;
}

static int fresh_dir(int parent, const char *name, int n)
{
    struct err err = {0};
    char path[64];

    snprintf(path, sizeof(path), "%s-%d", name, n);
    if (mkdirat(parent, path, 0755) < 0) {
        perror(path);
        exit(125);
    }
    return fs_open_dir(parent, path, &err);
}

/* --mounts are "SOURCE:TARGET[:ro]", --tmpfs TARGET, --file TARGET=TEXT. */
static void add_bind(struct plan *plan, char *spec)
{
    char *source = strsep(&spec, ":"), *target = strsep(&spec, ":");
    int fd = open(source, O_PATH | O_CLOEXEC);

    if (fd < 0 || !target) {
        perror(source);
        exit(125);
    }
    plan_add_bind(plan, fd, target, spec && strcmp(spec, "ro") == 0);
}

/* Bind sources are opened once we are in the session: a descriptor from outside it belongs to other
 * mounts. */
static void open_binds(struct plan *plan, const struct strv *specs)
{
    for (size_t i = 0; i < specs->count; i++)
        add_bind(plan, specs->ptr[i]);
}

static int benched, cancel_ms;
static bool threads;

static int options(int argc, char **argv, struct plan *plan, const char **isolation, int *many,
                   const char **user, struct strv *binds)
{
    int i = 1;

    for (; i + 1 < argc && strncmp(argv[i], "--", 2) == 0; i++) {
        const char *name = argv[i] + 2;

        if (strcmp(name, "none") == 0)
            plan->network = PLAN_NETWORK_NONE;
        else if (strcmp(name, "read-only") == 0)
            plan->read_only = true;
        else if (strcmp(name, "unconfined") == 0)
            plan->unconfined = true;
        else if (strcmp(name, "nnp") == 0)
            plan->no_new_privs = true;
        else if (strcmp(name, "isolation") == 0)
            *isolation = argv[++i];
        else if (strcmp(name, "many") == 0)
            *many = (int)strtol(argv[++i], NULL, 10);
        else if (strcmp(name, "bench") == 0)
            benched = (int)strtol(argv[++i], NULL, 10);
        else if (strcmp(name, "cancel") == 0)
            cancel_ms = (int)strtol(argv[++i], NULL, 10);
        else if (strcmp(name, "threads") == 0)
            threads = true;
        else if (strcmp(name, "user") == 0)
            *user = argv[++i];
        else if (strcmp(name, "cwd") == 0)
            plan->cwd = strdup(argv[++i]);
        else if (strcmp(name, "mount") == 0)
            strv_add(binds, argv[++i]);
        else if (strcmp(name, "tmpfs") == 0)
            plan_add_tmpfs(plan, argv[++i], 1 << 20, 01777);
        else if (strcmp(name, "file") == 0) {
            char *text = strchr(argv[++i], '=');

            *text++ = 0;
            plan_add_file(plan, argv[i], str_of(text), 0400);
        } else {
            fprintf(stderr, "sandbox: unknown option --%s\n", name);
            exit(125);
        }
    }
    return i;
}

struct place {
    int lower, work, stubs;
};

static int begin(struct session *session, struct plan *plan, const struct place *place, int n,
                 const char *user, struct run *run, struct err *err)
{
    AUTO_FD int upper = fresh_dir(place->work, "upper", n),
                work = fresh_dir(place->work, "work", n);
    int lowers[] = {place->lower, place->stubs};
    struct overlay o = {.lower_fds = lowers, .lower_count = 2, .upper_fd = upper, .work_fd = work};
    AUTO_FD int root = overlay_mount(session, &o, err);
    struct user u = {0};
    int rc;

    if (root < 0)
        return -1;
    plan->root_fd = root;
    if (user) {
        if (user_lookup(root, user, &u, err) < 0)
            return -1;
        plan->uid = u.uid;
        plan->gid = u.gid;
        free(plan->groups);
        plan->groups = steal_ptr(&u.groups);
        plan->groups_count = u.groups_count;
        user_release(&u);
    }
    rc = run_start(session, plan, run, err);
    plan->root_fd = -1;
    return rc;
}

static int by_size(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;

    return *x < *y ? -1 : *x > *y;
}

/* The time of one whole sandbox, mount to release, n times one after the other. */
static int bench(struct session *session, struct plan *plan, const struct place *place, int n,
                 const char *user)
{
    uint64_t *took = calloc((size_t)n + 1, sizeof(*took));
    struct err err = {0};
    int status = 0;

    for (int i = 0; i < n; i++) {
        struct run run = RUN_CLOSED;
        uint64_t begun = clock_mono_us();

        if (begin(session, plan, place, i, user, &run, &err) < 0 ||
            run_wait(&run, 0, &status, &err) < 0)
            return fail("bench", &err);
        run_release(&run);
        took[i] = clock_mono_us() - begun;
    }
    qsort(took, (size_t)n, sizeof(*took), by_size);
    fprintf(stderr, "%d sandboxes: p50 %llu us, p95 %llu us\n", n, (unsigned long long)took[n / 2],
            (unsigned long long)took[n * 95 / 100]);
    free(took);
    return status;
}

/* One sandbox from start to end in a thread of the pool. */
struct job_arg {
    struct session *session;
    const struct plan *plan;
    const struct place *place;
    const char *user;
    int n, status;
};

static int one(void *arg, struct err *err)
{
    struct job_arg *j = arg;
    struct plan plan = *j->plan; /* shallow: only its root and its user differ */
    struct run run = RUN_CLOSED;
    int rc;

    plan.groups = NULL;
    plan.groups_count = 0;
    rc = begin(j->session, &plan, j->place, j->n, j->user, &run, err);
    free(plan.groups);
    if (rc == 0)
        rc = run_wait(&run, 0, &j->status, err);
    run_release(&run);
    return rc;
}

static int in_threads(struct session *session, const struct plan *plan, const struct place *place,
                      int many, const char *user)
{
    struct pool *pool = pool_open((unsigned)many);
    struct job_arg args[64];
    struct job *jobs[64];
    int status = 0;

    for (int i = 0; i < many; i++) {
        args[i] = (struct job_arg){session, plan, place, user, i, 0};
        jobs[i] = pool_start(pool, one, &args[i]);
    }
    if (cancel_ms) {
        usleep((unsigned)cancel_ms * 1000);
        session_cancel(session);
    }
    for (int i = 0; i < many; i++) {
        struct err err = {0};

        if (job_wait(jobs[i], &err) < 0)
            status = fail("thread", &err);
        else if (args[i].status)
            status = args[i].status;
    }
    pool_close(pool);
    return status;
}

int main(int argc, char **argv)
{
    struct session session = SESSION_CLOSED;
    struct plan plan = PLAN_INIT;
    const char *isolation = NULL, *user = NULL;
    struct err err = {0};
    struct strv binds = {0};
    int many = 1, status = 125, at = options(argc, argv, &plan, &isolation, &many, &user, &binds);
    struct run runs[64];

    if (argc - at < 3 || many > 64)
        return 125;
    if (session_enter(isolation, &session, &err) < 0) {
        plan_release(&plan);
        return fail("session", &err);
    }
    open_binds(&plan, &binds);
    struct place place = {.lower = open(argv[at], O_RDONLY | O_DIRECTORY | O_CLOEXEC),
                          .work = open(argv[at + 1], O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    for (int i = at + 2; i < argc; i++)
        strv_add(&plan.argv, argv[i]);
    strv_add(&plan.env, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    plan.hosts = strdup("127.0.0.1\tlocalhost\n");
    plan.resolv_conf = strdup("nameserver 192.0.2.1\n");
    plan.hostname = strdup("box");
    plan.arch = "amd64";
    plan.stdin_fd = 0;
    plan.stdout_fd = 1;
    plan.stderr_fd = 2;
    place.stubs = rootfs_stubs(place.work, &plan, &err);
    if (place.stubs < 0)
        return fail("stubs", &err);
    strv_release(&binds);
    if (benched) {
        status = bench(&session, &plan, &place, benched, user);
        many = 0;
    }
    if (threads) {
        status = in_threads(&session, &plan, &place, many, user);
        many = 0;
    }
    for (int i = 0; i < many; i++) {
        runs[i] = (struct run)RUN_CLOSED;
        if (begin(&session, &plan, &place, i, user, &runs[i], &err) < 0) {
            status = fail("start", &err);
            many = i;
        }
    }
    for (int i = 0; i < many; i++) {
        if (run_wait(&runs[i], 0, &status, &err) < 0)
            status = fail("run", &err);
        run_release(&runs[i]);
    }
    session_release(&session);
    plan_release(&plan);
    return status;
}
