/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/schedule.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/pool.h"

static void push(struct schedule *s, struct task *task)
{
    task->state = TASK_READY;
    task->next = NULL;
    if (s->last)
        s->last->next = task;
    else
        s->first = task;
    s->last = task;
}

static struct task *pop(struct schedule *s)
{
    struct task *task = s->first;

    s->first = task->next;
    if (!s->first)
        s->last = NULL;
    task->next = NULL;
    return task;
}

static int work_job(void *arg, struct err *err);

/* One more thread for every ready task that no thread is about to take. */
static void call_workers(struct schedule *s)
{
    size_t ready = 0;

    for (const struct task *t = s->first; t; t = t->next)
        ready++;
    while (!s->stopped && s->workers < s->workers_max && s->workers - s->running < ready) {
        if (!s->pool)
            s->pool = pool_open((unsigned)s->workers_max - 1);
        s->workers++;
        VEC_GROW(s->jobs, s->jobs_count, s->jobs_capacity);
        s->jobs[s->jobs_count++] = pool_start(s->pool, work_job, s);
    }
}

static void wake_waiting(struct schedule *s, const struct task *on)
{
    struct task **link = &s->waiting;

    while (*link) {
        struct task *task = *link;

        if (task->on != on) {
            link = &task->next;
            continue;
        }
        *link = task->next;
        task->on = NULL;
        push(s, task);
    }
}

static void put_aside(struct schedule *s, struct task *task, struct task *on)
{
    BUG_ON(!on || on == task);
    if (on->state == TASK_DONE) {
        push(s, task);
        return;
    }
    if (on->state == TASK_NEW)
        push(s, on);
    task->state = TASK_WAITING;
    task->on = on;
    task->next = s->waiting;
    s->waiting = task;
}

/* Called with the lock; true when this was the first failure. */
static bool settle(struct schedule *s, struct task *task, int rc, struct task *on,
                   const struct err *err)
{
    if (rc > 0) {
        task->state = TASK_DONE;
        wake_waiting(s, task);
        return false;
    }
    if (rc == 0) {
        put_aside(s, task, on);
        return false;
    }
    if (s->stopped)
        return false;
    s->stopped = true;
    s->failed = task;
    s->err = *err;
    return true;
}

/* A worker's life. The lock is held on entry and on return. */
static void work(struct schedule *s)
{
    for (;;) {
        struct task *task, *on = NULL;
        struct err err = {0};
        int rc;

        while (!s->stopped && !s->first && s->running)
            pthread_cond_wait(&s->changed, &s->lock);
        if (s->stopped || !s->first)
            return;
        task = pop(s);
        task->state = TASK_RUNNING;
        s->running++;
        call_workers(s);
        pthread_mutex_unlock(&s->lock);
        rc = s->run(s->arg, task, &on, &err);
        pthread_mutex_lock(&s->lock);
        s->running--;
        if (settle(s, task, rc, on, &err) && s->stop)
            s->stop(s->arg);
        call_workers(s);
        pthread_cond_broadcast(&s->changed);
    }
}

static int work_job(void *arg, struct err *err)
{
    struct schedule *s = arg;

    (void)err;
    pthread_mutex_lock(&s->lock);
    work(s);
    s->workers--;
    pthread_mutex_unlock(&s->lock);
    return 0;
}

void schedule_add(struct schedule *s, struct task *task)
{
    pthread_mutex_lock(&s->lock);
    if (task->state == TASK_NEW)
        push(s, task);
    if (s->workers)
        call_workers(s);
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

/* Helpers that found nothing to do may be gone while new ones come: until none is left. */
static void join_helpers(struct schedule *s)
{
    struct err ignored = {0};

    for (size_t i = 0; i < s->jobs_count; i++) {
        struct job *job = s->jobs[i];

        pthread_mutex_unlock(&s->lock);
        job_wait(job, &ignored);
        pthread_mutex_lock(&s->lock);
    }
    s->jobs_count = 0;
}

int schedule_run(struct schedule *s, unsigned jobs, struct err *err)
{
    int rc = 0;

    BUG_ON(!jobs);
    pthread_mutex_lock(&s->lock);
    s->workers_max = jobs;
    s->workers = 1;
    work(s);
    join_helpers(s);
    s->workers = 0;
    BUG_ON(!s->stopped && s->waiting);
    if (s->stopped) {
        *err = s->err;
        rc = -1;
    }
    pthread_mutex_unlock(&s->lock);
    pool_close(s->pool);
    s->pool = NULL;
    free(s->jobs);
    s->jobs = NULL;
    s->jobs_capacity = 0;
    return rc;
}

bool schedule_stopped(struct schedule *s)
{
    bool stopped;

    pthread_mutex_lock(&s->lock);
    stopped = s->stopped;
    pthread_mutex_unlock(&s->lock);
    return stopped;
}

bool schedule_is_done(struct schedule *s, const struct task *task)
{
    bool done;

    pthread_mutex_lock(&s->lock);
    done = task->state == TASK_DONE;
    pthread_mutex_unlock(&s->lock);
    return done;
}
