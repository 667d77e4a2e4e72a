/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/scope.h"
#include "runtime/emulators.h"
#include "runtime/ladder.h"
#include "runtime/probes.h"
#include "runtime/remedy.h"

/*
 * All children write to one pipe, a verdict a message. One asks what concerns the process as it is;
 * one climbs down the ladder until a rung holds, and asks the rest in that session; each rung below
 * that one is then tried by a child of its own.
 */
struct verdict {
    size_t index; /* of the finding */
    struct err why;
    char remedy[DOCTOR_REMEDY_MAX];
};

static const char *const rung_words[LADDER_RUNGS] = {
    "isolation root: namespaces and mounts of the host's root",
    "isolation userns: a user namespace with a range of ids",
    "isolation single: a user namespace with one id, owners recorded",
    "isolation chroot: a plain directory, for root where nothing can be mounted",
};

static size_t first_host(void)
{
    return LADDER_RUNGS;
}

static size_t first_session(void)
{
    return first_host() + probes_host_count;
}

static size_t first_emulator(void)
{
    return first_session() + probes_session_count;
}

static void list(struct doctor_report *r)
{
    for (size_t i = 0; i < LADDER_RUNGS; i++)
        r->findings[r->count++] = (struct doctor_finding){
            .name = session_rung_name(ladder_rungs[i]),
            .what = rung_words[i],
            .for_root = ladder_rungs[i] == SESSION_ROOT || ladder_rungs[i] == SESSION_CHROOT};
    for (size_t i = 0; i < probes_host_count; i++)
        r->findings[r->count++] =
            (struct doctor_finding){.name = probes_host[i].name, .what = probes_host[i].what};
    for (size_t i = 0; i < probes_session_count; i++)
        r->findings[r->count++] =
            (struct doctor_finding){.name = probes_session[i].name, .what = probes_session[i].what};
    for (size_t i = 0; i < EMULATE_ARCHS; i++)
        r->findings[r->count++] = (struct doctor_finding){.name = emulate_archs[i],
                                                          .what = "programs of this architecture"};
    BUG_ON(r->count > DOCTOR_FINDINGS_MAX);
    for (size_t i = 0; i < r->count; i++)
        err_set(&r->findings[i].why, ERR_SYSTEM, 0,
                i < first_session() ? "the probe died" : "no isolation is possible here");
}

/* A message is smaller than PIPE_BUF, so those of several children do not mix. */
static void tell(int fd, const struct doctor_report *r, size_t index, const struct err *why)
{
    struct verdict v = {.index = index, .why = *why};
    SCOPED(buf_release) struct buf remedy = {0};

    if (why->kind != ERR_NONE)
        remedy_for(r->findings[index].name, r->uid, why, &remedy);
    for (size_t i = 0; i < remedy.size && i + 1 < sizeof(v.remedy); i++)
        v.remedy[i] = remedy.ptr[i];
    (void)!write(fd, &v, sizeof(v));
}

static void ask_host(int fd, const struct doctor_report *r)
{
    for (size_t i = 0; i < probes_host_count; i++) {
        struct err why = {0};

        if (probes_host[i].run(&why) == 0)
            why = (struct err){0};
        tell(fd, r, first_host() + i, &why);
    }
}

static void ask_session(int fd, const struct doctor_report *r, struct session *session,
                        int store_fd)
{
    for (size_t i = 0; i < probes_session_count; i++) {
        struct err why = {0};

        if (probes_session[i].run(session, store_fd, &why) == 0)
            why = (struct err){0};
        tell(fd, r, first_session() + i, &why);
    }
    for (size_t i = 0; i < EMULATE_ARCHS; i++) {
        struct err why = {0};
        bool emulated;

        if (emulators_need(session, emulate_archs[i], &emulated, &why) == 0)
            snprintf(why.text, sizeof(why.text), "by %s",
                     emulators_name(session, emulate_archs[i]));
        tell(fd, r, first_emulator() + i, &why);
    }
}

static bool try_rung(int fd, const struct doctor_report *r, size_t index, struct session *session)
{
    struct err why = {0};

    session->uid_host = getuid();
    session->gid_host = getgid();
    ladder_enter(ladder_rungs[index], session, &why);
    tell(fd, r, index, &why);
    return why.kind == ERR_NONE;
}

static void climb_down(int fd, const struct doctor_report *r, int store_fd)
{
    SCOPED(session_release) struct session session = SESSION_CLOSED;

    for (size_t i = 0; i < LADDER_RUNGS; i++)
        if (try_rung(fd, r, i, &session)) {
            ask_session(fd, r, &session, store_fd);
            return;
        }
}

static void try_one(int fd, const struct doctor_report *r, int index)
{
    SCOPED(session_release) struct session session = SESSION_CLOSED;

    try_rung(fd, r, (size_t)index, &session);
}

static void host_child(int fd, const struct doctor_report *r, int unused)
{
    (void)unused;
    ask_host(fd, r);
}

static pid_t start(const int pipe_fds[2],
                   void (*run)(int fd, const struct doctor_report *r, int argument),
                   const struct doctor_report *r, int argument, struct err *err)
{
    pid_t pid = fork();

    if (pid < 0)
        return err_errno(err, "fork");
    if (pid == 0) {
        close(pipe_fds[0]);
        run(pipe_fds[1], r, argument);
        _exit(0);
    }
    return pid;
}

static void take(struct doctor_report *r, const struct verdict *v, uint64_t begun)
{
    struct doctor_finding *f = &r->findings[v->index];

    f->held = v->why.kind == ERR_NONE;
    f->why = v->why;
    memcpy(f->remedy, v->remedy, sizeof(f->remedy));
    if (v->index < first_emulator())
        r->took_us = clock_mono_us() - begun;
    if (f->held && strcmp(f->name, "sandbox") == 0)
        r->run = true;
}

/* More is to be read; false at the end, or when the child that climbs has died without a word. */
static bool await(int fd, pid_t climber)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    while (poll(&p, 1, 100) == 0)
        if (waitpid(climber, NULL, WNOHANG) == climber && poll(&p, 1, 0) == 0)
            return false;
    return true;
}

int doctor_examine(int store_fd, struct doctor_report *r, struct err *err)
{
    uint64_t begun = clock_mono_us();
    bool settled = false;
    struct verdict v;
    pid_t climber;
    int ends[2];

    r->uid = geteuid();
    list(r);
    if (pipe2(ends, O_CLOEXEC) < 0)
        return err_errno(err, "make a pipe");
    AUTO_FD int read_fd = ends[0], write_fd = ends[1];
    climber = start(ends, climb_down, r, store_fd, err);
    if (climber < 0 || start(ends, host_child, r, 0, err) < 0)
        return -1;
    /* Our writing end stays open for the children to come until the ladder has spoken. */
    while ((settled || await(read_fd, climber)) && read(read_fd, &v, sizeof(v)) == sizeof(v)) {
        take(r, &v, begun);
        if (settled || v.index >= LADDER_RUNGS)
            continue;
        settled = v.why.kind == ERR_NONE || v.index + 1 == LADDER_RUNGS;
        if (!settled)
            continue;
        r->rung = v.why.kind == ERR_NONE ? ladder_rungs[v.index] : SESSION_NONE;
        r->rungs = v.why.kind == ERR_NONE ? v.index : LADDER_RUNGS;
        for (size_t i = v.index + 1; i < LADDER_RUNGS; i++)
            if (start(ends, try_one, r, (int)i, err) < 0)
                return -1;
        scope_close(&write_fd);
    }
    while (wait(NULL) > 0)
        ;
    return 0;
}
