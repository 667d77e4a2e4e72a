/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/scope.h"
#include "builder/named.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    SCOPED(strv_release) struct strv texts = {0};
    struct str rest = {(const char *)bytes, size}, line;
    struct named_contexts contexts;
    struct err err = {0};

    while (str_line(&rest, &line)) {
        AUTO_FREE char *text = str_dup(line);

        strv_add(&texts, text);
    }
    if (named_parse(&texts, &contexts, &err) < 0) {
        if (!err.text[0] || contexts.items)
            abort();
        return 0;
    }
    for (size_t i = 0; i < contexts.count; i++)
        if (!contexts.items[i].value || named_find(&contexts, contexts.items[i].name) != (ssize_t)i)
            abort();
    named_release(&contexts);
    return 0;
}
