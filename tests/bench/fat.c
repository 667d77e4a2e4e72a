/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Preloaded by tests/bench/run: a builder that has grown. 256 MB are taken and touched when the
 * program starts its first thread, as the caches and buffers of a large build would be: after the
 * spawner was forked.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define FAT (256 << 20)

typedef int create_fn(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

int pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*start)(void *), void *arg)
{
    static char *fat;
    create_fn *create = (create_fn *)dlsym(RTLD_NEXT, "pthread_create");

    if (!fat) {
        fat = malloc(FAT);
        if (fat)
            memset(fat, 1, FAT);
    }
    return create(thread, attr, start, arg);
}
