/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_SCOPE_H
#define BASE_SCOPE_H

/*
 * Release by scope. `SCOPED(buf_release) struct buf b = {0};` releases b when its scope ends, on
 * every path. Releases accept the empty value, keep errno and may run twice.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define SCOPED(fn) __attribute__((cleanup(fn)))

static inline void scope_free(void *slot)
{
    int saved = errno;
    void **p = slot;

    free(*p);
    *p = NULL;
    errno = saved;
}

static inline void scope_close(int *fd)
{
    int saved = errno;

    if (*fd >= 0)
        close(*fd);
    *fd = -1;
    errno = saved;
}

/* A heap pointer freed, a descriptor closed, when its scope ends. Initialise them: NULL, -1. */
#define AUTO_FREE SCOPED(scope_free)
#define AUTO_FD SCOPED(scope_close)

/* Takes the value out of a variable, so that its scope no longer releases it: marks every transfer.
 */
#define steal_ptr(slot)                                                                            \
    __extension__({                                                                                \
        __typeof__(*(slot)) stolen_ = *(slot);                                                     \
        *(slot) = NULL;                                                                            \
        stolen_;                                                                                   \
    })

static inline int steal_fd(int *fd)
{
    int stolen = *fd;

    *fd = -1;
    return stolen;
}

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#endif
