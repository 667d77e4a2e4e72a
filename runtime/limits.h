/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RUNTIME_LIMITS_H
#define RUNTIME_LIMITS_H

/* Resource limits of a command (setrlimit(2)), in the words of Docker's --ulimit. */
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

#define LIMITS_MAX 16 /* RLIM_NLIMITS */
#define LIMIT_NONE UINT64_MAX

struct limit {
    int resource; /* RLIMIT_… */
    uint64_t soft, hard;
};

struct limits {
    struct limit items[LIMITS_MAX]; /* by resource, each once */
    size_t count;
};

/* Pure. "nofile=1024", "nofile=1024:2048", -1 for none; a later one of a resource wins. ERR_USAGE.
 */
int limits_add(struct limits *limits, struct str text, struct err *err);
/* "nofile" */
const char *limit_name(int resource);
/* For this process; the soft limit of cores is 0 unless the list says otherwise. A hard limit above
 * the one we have is an error that says so. */
int limits_set(const struct limits *limits, struct err *err);

#endif
