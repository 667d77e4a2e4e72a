/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/scope.h"
#include "builder/control.h"
#include "builder/output_spec.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* --output, and the same text as --annotation and as a build argument. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct str text = {(const char *)bytes, size};
    SCOPED(output_spec_release) struct output_spec spec = {0};
    SCOPED(annotations_release) struct annotations list = {0};
    SCOPED(strv_release) struct strv args = {0};
    struct control control;
    struct err err = {0};

    if (annotations_parse(&list, text, &err) < 0 && !err.text[0])
        abort();
    for (size_t i = 0; i < list.count; i++)
        if (!list.items[i].key[0])
            abort();
    err.text[0] = 0;
    if (memchr(bytes, 0, size))
        return 0;
    strv_add_str(&args, text);
    if (control_read(&args, &control, &err) < 0 && !err.text[0])
        abort();
    err.text[0] = 0;
    if (output_spec_parse(text, &spec, &err) < 0) {
        if (!err.text[0] || spec.dest || spec.names.count)
            abort();
        return 0;
    }
    if (spec.type != OUTPUT_IMAGE && !spec.dest)
        abort();
    if (spec.has_codec && !codec_level_valid(spec.codec, spec.level))
        abort();
    return 0;
}
