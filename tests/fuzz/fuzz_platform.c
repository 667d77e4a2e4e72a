/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/scope.h"
#include "base/str.h"
#include "registry/platform.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    AUTO_FREE char *text = str_dup((struct str){(const char *)bytes, size});
    struct platform p = {0}, again = {0};
    char printed[PLATFORM_TEXT_SIZE];
    struct err err = {0};

    if (platform_parse(text, &p, &err) < 0) {
        if (!err.text[0])
            abort();
        return 0;
    }
    if (platform_match(&p, &p) != 0 ||
        platform_parse(platform_format(&p, printed), &again, &err) < 0)
        abort();
    memcpy(again.os_version, p.os_version, sizeof(p.os_version));
    if (!platform_eq(&p, &again))
        abort();
    return 0;
}
