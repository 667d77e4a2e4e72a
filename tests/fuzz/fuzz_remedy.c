/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/remedy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *)data, size};

    (void)remedy_install(text, REMEDY_UIDMAP);
    (void)remedy_install(text, REMEDY_PASST);
    if (remedy_free_ids(text) < 100000)
        __builtin_trap();
    return 0;
}
