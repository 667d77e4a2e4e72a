/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/limits.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* --ulimit options, one a line. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct str all = {(const char *)bytes, size}, line;
    struct limits limits = {0};

    while (str_line(&all, &line)) {
        struct err err = {0};

        if (limits_add(&limits, line, &err) < 0 && !err.text[0])
            abort();
        if (limits.count > LIMITS_MAX)
            abort();
        for (size_t i = 0; i < limits.count; i++)
            if (limits.items[i].soft > limits.items[i].hard ||
                strcmp(limit_name(limits.items[i].resource), "?") == 0)
                abort();
    }
    return 0;
}
