/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <stdlib.h>

#include "base/scope.h"
#include "builder/survey.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    SCOPED(survey_release) struct survey s = {0}, back = {0};
    SCOPED(buf_release) struct buf text = {0};
    struct err err = {0};
    json_auto_t *doc = json_parse((struct str){(const char *)bytes, size}, &err);

    if (!doc)
        return 0;
    if (survey_from_json(doc, &s, &err) < 0) {
        if (!err.text[0])
            abort();
        return 0;
    }
    json_auto_t *again = survey_to_json(&s);
    if (survey_from_json(again, &back, &err) < 0)
        abort();
    if (survey_strangers(&s, "arm64", NULL, &text) && text.size == 0)
        abort();
    return 0;
}
