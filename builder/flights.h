/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_FLIGHTS_H
#define BUILDER_FLIGHTS_H

/*
 * What this build has made or is making, by key: a step that stands in several stages, targets or
 * platforms is carried out once, also when nothing is to be taken from the cache on disk.
 */
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "builder/cache.h"

struct flight;

/* Zero bytes are the empty value; any thread may use it. */
struct flights {
    pthread_mutex_t lock;
    pthread_cond_t landed;
    struct flight **items; /* each on its own: a waiting thread keeps a pointer */
    size_t count, capacity;
};

void flights_release(struct flights *f);
/*
 * 1: this build has the result already (it waits while another thread makes it); record is filled.
 * 0: the caller must make it, and then call flights_end() whatever comes of it.
 */
int flights_begin(struct flights *f, const char *hex, struct cache_record *record);
/* record NULL: it failed, and the next to ask makes it. */
void flights_end(struct flights *f, const char *hex, const struct cache_record *record);

#endif
