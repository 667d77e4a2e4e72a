/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/scope.h"
#include "registry/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* A config that is accepted can be read, grown and read again. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct err err = {0};
    json_auto_t *doc = config_parse((struct str){(const char *)bytes, size}, &err), *again = NULL;
    SCOPED(strv_release) struct strv list = {0};
    SCOPED(buf_release) struct buf text = {0};
    struct platform p;

    if (!doc) {
        if (!err.text[0])
            abort();
        return 0;
    }
    config_diff_ids(doc, &list);
    config_get_list(doc, "Env", &list);
    config_get_keys(doc, "ExposedPorts", &list);
    if (config_platform(doc, &p, &err) < 0 && !err.text[0])
        abort();
    config_add_layer(doc,
                     "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef");
    config_add_history(doc, NULL, "x", NULL, false);
    config_add_key(doc, "Volumes", "/x");
    config_set_label(doc, "a", "b");
    config_print(doc, &text);
    again = config_parse(buf_str(&text), &err);
    if (!again || !json_equal(doc, again))
        abort();
    return 0;
}
