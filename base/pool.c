/* SPDX-License-Identifier: Apache-2.0 */
#include "base/pool.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/alloc.h"

enum job_state { JOB_QUEUED, JOB_RUNNING, JOB_DONE };

struct job {
    struct pool *pool;
    struct job *next, *previous; /* in the queue, while JOB_QUEUED */
    job_fn *fn;
    void *arg;
    enum job_state state;
    int result;
    struct err err;
};

struct pool {
    pthread_mutex_t lock;
    pthread_cond_t work; /* a job was queued, or the pool closes */
    pthread_cond_t done; /* a job was finished */
    struct job *first, *last;
    pthread_t *threads;
    unsigned started, idle, limit;
    bool closing;
};

static void unlink_job(struct pool *pool, struct job *job)
{
    if (job->previous)
        job->previous->next = job->next;
    else
        pool->first = job->next;
    if (job->next)
        job->next->previous = job->previous;
    else
        pool->last = job->previous;
}

/* Runs a job taken off the queue. The lock is held on entry and on return, not during the job. */
static void run_job(struct pool *pool, struct job *job)
{
    struct err err = {0};
    int result;

    unlink_job(pool, job);
    job->state = JOB_RUNNING;
    pthread_mutex_unlock(&pool->lock);
    result = job->fn(job->arg, &err);
    pthread_mutex_lock(&pool->lock);
    job->result = result;
    job->err = err;
    job->state = JOB_DONE;
    pthread_cond_broadcast(&pool->done);
}

static void *worker(void *arg)
{
    struct pool *pool = arg;

    pthread_mutex_lock(&pool->lock);
    for (;;) {
        if (pool->first) {
            run_job(pool, pool->first);
        } else if (pool->closing) {
            break;
        } else {
            pool->idle++;
            pthread_cond_wait(&pool->work, &pool->lock);
            pool->idle--;
        }
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

static unsigned usable_cores(void)
{
    cpu_set_t set;
    int count = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;

    return count > 0 ? (unsigned)count : 1;
}

struct pool *pool_open(unsigned threads)
{
    struct pool *pool = xcalloc(1, sizeof(*pool));

    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->work, NULL);
    pthread_cond_init(&pool->done, NULL);
    pool->limit = threads ? threads : usable_cores();
    pool->threads = xcalloc(pool->limit, sizeof(*pool->threads));
    return pool;
}

void pool_close(struct pool *pool)
{
    if (!pool)
        return;
    pthread_mutex_lock(&pool->lock);
    pool->closing = true;
    pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->lock);
    for (unsigned i = 0; i < pool->started; i++)
        pthread_join(pool->threads[i], NULL);
    pthread_cond_destroy(&pool->work);
    pthread_cond_destroy(&pool->done);
    pthread_mutex_destroy(&pool->lock);
    free(pool->threads);
    free(pool);
}

unsigned pool_threads(const struct pool *pool)
{
    return pool->limit;
}

/* Signals belong to the main thread. A thread that cannot be started is done without: job_wait()
 * runs the job. */
static void start_thread(struct pool *pool)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    if (pthread_create(&pool->threads[pool->started], NULL, worker, pool) == 0)
        pool->started++;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

struct job *pool_start(struct pool *pool, job_fn *fn, void *arg)
{
    struct job *job = xcalloc(1, sizeof(*job));

    job->pool = pool;
    job->fn = fn;
    job->arg = arg;
    pthread_mutex_lock(&pool->lock);
    job->previous = pool->last;
    if (pool->last)
        pool->last->next = job;
    else
        pool->first = job;
    pool->last = job;
    if (pool->idle)
        pthread_cond_signal(&pool->work);
    else if (pool->started < pool->limit)
        start_thread(pool);
    pthread_mutex_unlock(&pool->lock);
    return job;
}

int job_wait(struct job *job, struct err *err)
{
    struct pool *pool = job->pool;
    int result;

    pthread_mutex_lock(&pool->lock);
    if (job->state == JOB_QUEUED)
        run_job(pool, job);
    while (job->state != JOB_DONE)
        pthread_cond_wait(&pool->done, &pool->lock);
    pthread_mutex_unlock(&pool->lock);
    result = job->result;
    if (result < 0)
        *err = job->err;
    free(job);
    return result;
}
