/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/scope.h"
#include "registry/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct str text = {(const char *)bytes, size};
    SCOPED(manifest_release) struct manifest m = {0}, again = {0};
    SCOPED(buf_release) struct buf printed = {0};
    struct platform want = {.os = "linux", .arch = "arm64"};
    struct err err = {0};

    if (manifest_parse(text, NULL, &m, &err) < 0) {
        if (!err.text[0] || m.doc)
            abort();
        return 0;
    }
    if (m.bytes.size != size || memcmp(m.bytes.ptr, bytes, size) != 0)
        abort();
    if (m.is_index) {
        if (!manifest_select(&m, &want, &err) && !err.text[0])
            abort();
        manifest_print_index(m.manifests, m.manifests_count, json_object_get(m.doc, "annotations"),
                             &printed);
    } else {
        manifest_print_image(&m.config, m.layers, m.layers_count,
                             json_object_get(m.doc, "annotations"), &printed);
    }
    /* Ours may be longer than the cap when theirs was full of short numbers; else it reads back. */
    if (printed.size <= MANIFEST_MAX && manifest_parse(buf_str(&printed), NULL, &again, &err) < 0)
        abort();
    return 0;
}
