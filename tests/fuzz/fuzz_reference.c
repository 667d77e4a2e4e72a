/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <stdlib.h>

#include "base/scope.h"
#include "base/str.h"
#include "registry/reference.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* What is accepted reads back as the same from both of its printed forms. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    AUTO_FREE char *text = str_dup((struct str){(const char *)bytes, size}), *name = NULL,
                   *familiar = NULL;
    SCOPED(reference_release) struct reference ref = {0}, again = {0}, third = {0};
    struct err err = {0};

    if (reference_parse(text, &ref, &err) < 0) {
        if (!err.text[0] || ref.host || ref.path)
            abort();
        return 0;
    }
    name = reference_name(&ref);
    familiar = reference_familiar(&ref);
    if (!reference_host_valid(str_of(ref.host)) || !reference_path_valid(str_of(ref.path)))
        abort();
    if (reference_parse(name, &again, &err) < 0 || !reference_eq(&ref, &again))
        abort();
    if (reference_parse(familiar, &third, &err) < 0 || !reference_eq(&ref, &third))
        abort();
    return 0;
}
