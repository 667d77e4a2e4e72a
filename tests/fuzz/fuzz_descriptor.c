/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/scope.h"
#include "registry/descriptor.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    SCOPED(descriptor_release) struct descriptor d = {0}, again = {0};
    struct err err = {0};
    json_auto_t *doc = json_parse((struct str){(const char *)bytes, size}, &err), *printed = NULL;

    if (!doc)
        return 0;
    if (descriptor_from_json(doc, &d, &err) < 0) {
        if (!err.text[0] || d.doc)
            abort();
        return 0;
    }
    descriptor_annotate(&d, "k", "v");
    descriptor_urls(&d);
    descriptor_data(&d);
    descriptor_is_attestation(&d);
    printed = descriptor_to_json(&d);
    if (descriptor_from_json(printed, &again, &err) < 0 || again.size != d.size ||
        strcmp(again.digest, d.digest) != 0)
        abort();
    return 0;
}
