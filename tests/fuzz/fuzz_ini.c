/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "aws/ini.h"
#include "base/scope.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    SCOPED(ini_release) struct ini ini = {0};
    struct err err = {0};

    if (ini_parse((struct str){(const char *)data, size}, "f", &ini, &err) < 0 && !err.text[0])
        abort();
    return 0;
}
