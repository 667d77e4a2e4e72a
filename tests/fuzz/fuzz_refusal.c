/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/scope.h"
#include "registry/refusal.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* Any body gives a line: bounded (an escape takes at most four bytes for one), without control
 * bytes. */
static void check(const char *text)
{
    if (!text)
        return;
    if (!*text || strlen(text) > 4 * REFUSAL_TEXT_MAX + 3)
        abort();
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const struct refusal_request request = {
        .method = "GET", .host = "r.example", .repository = "a", .path = "blobs/x"};
    SCOPED(refusal_release) struct refusal refusal = {0};
    struct err err = {0};

    refusal_parse((struct str){(const char *)bytes, size}, NULL, &refusal);
    check(refusal.code);
    check(refusal.message);
    if (refusal_explain(&request, size ? 400 + bytes[0] : 404, &refusal, &err) != -1 ||
        !err.text[0])
        abort();
    return 0;
}
