/* SPDX-License-Identifier: Apache-2.0 */
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "builder/schedule.h"
#include "tests/tap.h"

#define COUNT 24

struct work {
    struct task task;
    size_t index;
    size_t needs[2]; /* COUNT: nothing */
    size_t met;      /* how many of them it found done */
    int order;       /* when it was done, from 1 */
    bool fails;
};

struct world {
    struct schedule schedule;
    struct work works[COUNT];
    atomic_int clock, running, most, stops;
};

static void nap(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
}

static int run(void *arg, struct task *task, struct task **on, struct err *err)
{
    struct world *w = arg;
    struct work *work = (struct work *)task;
    int running;

    for (; work->met < 2; work->met++) {
        size_t need = work->needs[work->met];

        if (need < COUNT && !schedule_is_done(&w->schedule, &w->works[need].task)) {
            *on = &w->works[need].task;
            return 0;
        }
    }
    running = atomic_fetch_add(&w->running, 1) + 1;
    if (running > atomic_load(&w->most))
        atomic_store(&w->most, running);
    nap();
    atomic_fetch_sub(&w->running, 1);
    if (work->fails)
        return err_set(err, ERR_INPUT, 7, "work %zu fails", work->index);
    work->order = atomic_fetch_add(&w->clock, 1) + 1;
    return 1;
}

static void count_stop(void *arg)
{
    struct world *w = arg;

    atomic_fetch_add(&w->stops, 1);
}

static void begin(struct world *w)
{
    memset(w, 0, sizeof(*w));
    w->schedule.run = run;
    w->schedule.arg = w;
    w->schedule.stop = count_stop;
    for (size_t i = 0; i < COUNT; i++) {
        w->works[i].index = i;
        w->works[i].needs[0] = w->works[i].needs[1] = COUNT;
    }
}

/* Everything hangs on work 3, which nobody added, through a tree. */
static void order(void)
{
    for (unsigned jobs = 1; jobs <= 4; jobs++) {
        struct world w;
        struct err err = {0};

        begin(&w);
        for (size_t i = 4; i < COUNT; i++) {
            w.works[i].needs[0] = i / 2;
            w.works[i].needs[1] = 3;
            schedule_add(&w.schedule, &w.works[i].task);
        }
        if (!OKF(schedule_run(&w.schedule, jobs, &err) == 0, "%s", err.text))
            return;
        for (size_t i = 4; i < COUNT; i++) {
            OKF(w.works[i].order > w.works[i / 2].order, "%u jobs: work %zu before %zu", jobs, i,
                i / 2);
            OK(w.works[i].order > w.works[3].order);
        }
        OK(w.works[2].order > 0);
        EQ_INT(w.works[0].order, 0);
        OKF(atomic_load(&w.most) <= (int)jobs, "%u jobs: %d at once", jobs, atomic_load(&w.most));
        OKF(jobs == 1 || atomic_load(&w.most) > 1, "%u jobs: one at a time", jobs);
        EQ_INT(atomic_load(&w.stops), 0);
    }
}

static void failure(void)
{
    for (unsigned jobs = 1; jobs <= 3; jobs++) {
        struct world w;
        struct err err = {0};

        begin(&w);
        w.works[0].fails = true;
        for (size_t i = 0; i < COUNT; i++) {
            w.works[i].needs[0] = i ? 0 : COUNT;
            schedule_add(&w.schedule, &w.works[i].task);
        }
        OK(schedule_run(&w.schedule, jobs, &err) < 0);
        EQ_STR(err.text, "work 0 fails");
        OK(w.schedule.failed == &w.works[0].task);
        OK(schedule_stopped(&w.schedule));
        EQ_INT(atomic_load(&w.stops), 1);
        for (size_t i = 1; i < COUNT; i++)
            EQ_INT(w.works[i].order, 0);
    }
}

TAP_MAIN({"what is needed comes first", order}, {"a failure stops the rest", failure})
