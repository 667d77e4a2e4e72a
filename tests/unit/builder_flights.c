/* SPDX-License-Identifier: Apache-2.0 */
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/pool.h"
#include "base/scope.h"
#include "builder/flights.h"
#include "tests/tap.h"

#define THREADS 4

static const char key[SHA256_HEX_SIZE] = "aa";
static const char other[SHA256_HEX_SIZE] = "bb";

struct shared {
    struct flights flights;
    atomic_int made, taken, tries;
    int fail_first; /* that many makers fail */
};

static int take(void *arg, struct err *err)
{
    struct shared *s = arg;
    SCOPED(cache_record_release) struct cache_record record = {0};

    if (flights_begin(&s->flights, key, &record)) {
        atomic_fetch_add(&s->taken, strcmp(record.created, "then") == 0);
        return 0;
    }
    nanosleep(&(struct timespec){.tv_nsec = 3000000}, NULL);
    if (atomic_fetch_add(&s->tries, 1) < s->fail_first) {
        flights_end(&s->flights, key, NULL);
        return err_set(err, ERR_INPUT, 0, "failed");
    }
    atomic_fetch_add(&s->made, 1);
    memcpy(record.created, "then", 5);
    flights_end(&s->flights, key, &record);
    return 0;
}

static void together(struct shared *s, int *failed)
{
    struct pool *pool = pool_open(THREADS);
    struct job *jobs[THREADS];

    for (size_t i = 0; i < THREADS; i++)
        jobs[i] = pool_start(pool, take, s);
    for (size_t i = 0; i < THREADS; i++) {
        struct err err = {0};

        *failed += job_wait(jobs[i], &err) < 0;
    }
    pool_close(pool);
}

static void once(void)
{
    struct shared s = {.fail_first = 0};
    SCOPED(cache_record_release) struct cache_record record = {0};
    int failed = 0;

    together(&s, &failed);
    EQ_INT(failed, 0);
    EQ_INT(atomic_load(&s.made), 1);
    EQ_INT(atomic_load(&s.taken), THREADS - 1);
    EQ_INT(flights_begin(&s.flights, other, &record), 0);
    flights_end(&s.flights, other, NULL);
    flights_release(&s.flights);
}

static void after_failure(void)
{
    struct shared s = {.fail_first = 1};
    int failed = 0;

    together(&s, &failed);
    EQ_INT(failed, 1);
    EQ_INT(atomic_load(&s.made), 1);
    EQ_INT(atomic_load(&s.taken), THREADS - 2);
    flights_release(&s.flights);
}

TAP_MAIN({"one makes, the others take", once},
         {"after a failure the next one makes", after_failure})
