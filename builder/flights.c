/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/flights.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

enum flight_state { FLIGHT_FREE, FLIGHT_UNDER_WAY, FLIGHT_LANDED };

struct flight {
    char hex[SHA256_HEX_SIZE];
    enum flight_state state;
    struct cache_record record; /* once it has landed */
};

void flights_release(struct flights *f)
{
    for (size_t i = 0; i < f->count; i++) {
        cache_record_release(&f->items[i]->record);
        free(f->items[i]);
    }
    free(f->items);
    f->items = NULL;
    f->count = f->capacity = 0;
}

static struct flight *find(struct flights *f, const char *hex)
{
    for (size_t i = 0; i < f->count; i++)
        if (memcmp(f->items[i]->hex, hex, SHA256_HEX_SIZE) == 0)
            return f->items[i];
    return NULL;
}

static struct flight *add(struct flights *f, const char *hex)
{
    struct flight *flight = xcalloc(1, sizeof(*flight));

    memcpy(flight->hex, hex, SHA256_HEX_SIZE);
    VEC_GROW(f->items, f->count, f->capacity);
    f->items[f->count++] = flight;
    return flight;
}

int flights_begin(struct flights *f, const char *hex, struct cache_record *record)
{
    struct flight *flight;
    int found;

    pthread_mutex_lock(&f->lock);
    flight = find(f, hex);
    if (!flight)
        flight = add(f, hex);
    while (flight->state == FLIGHT_UNDER_WAY)
        pthread_cond_wait(&f->landed, &f->lock);
    found = flight->state == FLIGHT_LANDED;
    if (found)
        cache_record_copy(record, &flight->record);
    else
        flight->state = FLIGHT_UNDER_WAY;
    pthread_mutex_unlock(&f->lock);
    return found;
}

void flights_end(struct flights *f, const char *hex, const struct cache_record *record)
{
    struct flight *flight;

    pthread_mutex_lock(&f->lock);
    flight = find(f, hex);
    BUG_ON(!flight || flight->state != FLIGHT_UNDER_WAY);
    flight->state = record ? FLIGHT_LANDED : FLIGHT_FREE;
    if (record)
        cache_record_copy(&flight->record, record);
    pthread_cond_broadcast(&f->landed);
    pthread_mutex_unlock(&f->lock);
}
