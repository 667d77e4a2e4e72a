/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_SCHEDULE_H
#define BUILDER_SCHEDULE_H

/*
 * Tasks that wait for each other, carried out by a bounded number of threads: the caller's own and,
 * when more than one task can go on, those of a pool. A task runs until it is done, fails, or finds
 * that it needs another one; then it is put aside, and called again when that one is done. A task
 * that waits holds no thread.
 *
 *     struct schedule s = {.run = make_stage, .arg = &build};
 *     schedule_add(&s, &stage[last].task);
 *     if (schedule_run(&s, jobs, err) < 0) …
 *
 * The first failure is the result: what runs is left to end (`stop` may hurry it, and
 * schedule_stopped() tells it), what waits is never called again. Tasks must not wait in a circle.
 */
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

enum task_state { TASK_NEW, TASK_READY, TASK_RUNNING, TASK_WAITING, TASK_DONE };

/* Part of whatever is to be done; zero bytes are a new one. */
struct task {
    enum task_state state;
    struct task *on;   /* TASK_WAITING: for this one */
    struct task *next; /* in one of the schedule's lists */
};

/* 1: done. 0: *on must be done first (it is added when nobody did so before). -1: failed. */
typedef int task_fn(void *arg, struct task *task, struct task **on, struct err *err);

struct pool;
struct job;

/* Zero bytes but run, arg and stop. */
struct schedule {
    task_fn *run;
    void *arg;
    void (*stop)(void *arg); /* called once, at the first failure, from any thread; may be NULL */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct task *first, *last; /* ready, in order of arrival */
    struct task *waiting;
    size_t running, workers, workers_max;
    bool stopped;
    struct task *failed; /* the first that did, and why */
    struct err err;
    struct pool *pool;
    struct job **jobs;
    size_t jobs_count, jobs_capacity;
};

/* From any thread, before or during schedule_run. A task that was added before is left alone. */
void schedule_add(struct schedule *s, struct task *task);
/* Until nothing is left to do. jobs: how many threads at most, at least 1. */
int schedule_run(struct schedule *s, unsigned jobs, struct err *err);
bool schedule_stopped(struct schedule *s);
bool schedule_is_done(struct schedule *s, const struct task *task);

#endif
