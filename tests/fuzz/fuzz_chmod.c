/* SPDX-License-Identifier: Apache-2.0 */
/* What --chmod says, against many modes: no bit but the twelve, and octal is what it says. */
#include <stdint.h>
#include <stdlib.h>

#include "builder/chmod.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct chmod c;
    struct err err = {0};

    if (chmod_parse((struct str){size ? (const char *)data : "", size}, &c, &err) < 0) {
        if (!err.text[0])
            abort();
        return 0;
    }
    if (c.count > CHMOD_CHANGES_MAX || (c.is_octal && c.octal > 07777))
        abort();
    for (uint32_t mode = 0; mode <= 07777; mode += 0111) {
        uint32_t file = chmod_apply(&c, mode, false), dir = chmod_apply(&c, mode, true);

        if (file > 07777 || dir > 07777 || (c.is_octal && file != c.octal))
            abort();
    }
    return 0;
}
