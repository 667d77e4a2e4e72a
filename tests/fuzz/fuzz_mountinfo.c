/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <stdlib.h>

#include "base/scope.h"
#include "runtime/in_place.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* Paths are relative and clean, whatever the list says. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    SCOPED(strv_release) struct strv paths = {0};
    struct str text = {(const char *)bytes, size};
    struct err err = {0};

    if (in_place_parse_mounts(text, &paths, &err) < 0 && !err.text[0])
        abort();
    for (size_t i = 0; i < paths.count; i++)
        if (!paths.ptr[i][0] || paths.ptr[i][0] == '/')
            abort();
    return 0;
}
