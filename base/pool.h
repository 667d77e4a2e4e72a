/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_POOL_H
#define BASE_POOL_H

/*
 * A bounded set of worker threads and one job queue: the only room that starts threads. Threads
 * start when the first jobs come and stay until pool_close(). Signals are blocked in workers. A job
 * owns what it was handed; jobs meet only in queues and results. Waiting for a job that has not
 * begun runs it in the waiting thread, so a job may wait for another without a dead end.
 */

#include "base/err.h"

struct pool;
struct job;

typedef int job_fn(void *arg, struct err *err);

struct pool *pool_open(unsigned threads); /* threads 0: the number of usable cores */
void pool_close(struct pool *pool);       /* waits for every job; NULL is fine */
unsigned pool_threads(const struct pool *pool);
/* Queues fn(arg). The handle must be given to job_wait() exactly once. */
struct job *pool_start(struct pool *pool, job_fn *fn, void *arg);
/* 0, or -1 with the job's error. Frees the handle. */
int job_wait(struct job *job, struct err *err);

#endif
