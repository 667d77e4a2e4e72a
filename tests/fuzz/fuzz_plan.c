/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/scope.h"
#include "runtime/plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* What is taken prints as what was read, and is a plan that can be checked. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const int fds[8] = {100, 101, 102, 103, 104, 105, 106, 107};
    struct str text = {(const char *)bytes, size};

    for (size_t n = 0; n <= 8; n++) {
        SCOPED(plan_release) struct plan plan = PLAN_INIT;
        SCOPED(buf_release) struct buf again = {0};
        struct err err = {0};

        if (plan_parse(text, fds, n, &plan, &err) < 0) {
            if (!err.text[0])
                abort();
            continue;
        }
        plan_print(&plan, &again);
        if (again.size != size || memcmp(again.ptr, bytes, size) != 0)
            abort();
        if (plan_check(&plan, &err) < 0 && !err.text[0])
            abort();
    }
    return 0;
}
