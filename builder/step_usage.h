/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_STEP_USAGE_H
#define BUILDER_STEP_USAGE_H

/*
 * What the command of a RUN used when it was carried out here, as the kernel counted it. It lies in
 * the step's record (builder/cache.h), in no image and in no exported cache:
 *     {"cpuUs": 12345, "memory": 4194304, "read": 0, "step": "<64 hex>", "written": 8192}
 * step: SHA-256 of the text that the image's history has for the step, because two commands may
 * come to the same layer.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/json.h"

struct layout;

struct step_usage {
    bool known;
    uint64_t cpu_us;
    uint64_t memory;        /* bytes: of the largest process, or of all in a cgroup with memory */
    uint64_t read, written; /* bytes from and to storage */
    char step[SHA256_HEX_SIZE];
};

void step_usage_name(struct step_usage *usage, const char *created_by);
json_t *step_usage_to_json(const struct step_usage *usage);                         /* new */
int step_usage_from_json(json_t *value, struct step_usage *usage, struct err *err); /* ERR_INPUT */

/* All that the records of a store tell. */
struct step_usages {
    struct step_usages_row {
        struct step_usage usage;
        char created[CLOCK_TEXT_SIZE];
        char diff_id[DIGEST_SIZE];
    } * rows;
    size_t count, capacity;
};

void step_usages_release(struct step_usages *all);
int step_usages_load(const struct layout *layout, struct step_usages *all, struct err *err);
/* Of an entry of a history; every RUN has a layer. NULL: nothing is remembered. What
 * differs neither in its text nor in its layer nor in its time is not told apart. */
const struct step_usage *step_usages_find(const struct step_usages *all, const char *created_by,
                                          const char *created, const char *diff_id);

#endif
