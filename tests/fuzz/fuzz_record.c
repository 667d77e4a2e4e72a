/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct record r;

    if (record_parse((struct str){(const char *)data, size}, &r) && r.kind && r.kind != 'c' &&
        r.kind != 'b')
        __builtin_trap();
    return 0;
}
