/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/scope.h"
#include "builder/cache_doc.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* What is accepted prints to what is accepted again, and says the same. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct str text = {(const char *)bytes, size};
    SCOPED(cache_doc_release) struct cache_doc doc = {0}, again = {0};
    SCOPED(buf_release) struct buf one = {0}, two = {0};
    struct err err = {0};
    json_auto_t *value = json_parse(text, &err), *printed = NULL, *reprinted = NULL;

    if (!value)
        return 0;
    if (cache_doc_parse(value, &doc, &err) < 0) {
        if (!err.text[0] || doc.entries || doc.contents)
            abort();
        return 0;
    }
    for (size_t i = 0; i < doc.count; i++)
        if (!doc.entries[i].keys.count || (doc.entries[i].layer[0] && !doc.entries[i].diff_id[0]))
            abort();
    cache_doc_sort(&doc);
    printed = cache_doc_to_json(&doc);
    if (cache_doc_parse(printed, &again, &err) < 0)
        abort();
    cache_doc_sort(&again);
    reprinted = cache_doc_to_json(&again);
    json_print(printed, &one);
    json_print(reprinted, &two);
    if (!str_eq(buf_str(&one), buf_str(&two)))
        abort();
    return 0;
}
