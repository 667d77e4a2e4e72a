/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <stdlib.h>

#include "base/scope.h"
#include "registry/challenge.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    SCOPED(challenges_release) struct challenges list = {0};
    struct err err = {0};

    if (challenge_parse((struct str){(const char *)bytes, size}, &list, &err) < 0) {
        if (!err.text[0] || list.count)
            abort();
        return 0;
    }
    for (size_t i = 0; i < list.count; i++) {
        if (!list.items[i].name || !list.items[i].name[0])
            abort();
    }
    return 0;
}
