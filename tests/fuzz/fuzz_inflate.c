/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as compressed data: within its limit, and the same however it is read. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/scope.h"
#include "builder/compress.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

#define OUTPUT_MAX (1 << 20)

static int expand(const uint8_t *bytes, size_t size, size_t step, struct buf *out)
{
    struct str left = {(const char *)bytes, size};
    struct err err = {0};
    struct inflater *in = inflater_open(source_of_str(&left), OUTPUT_MAX, &err);
    ssize_t n = -1;

    while (in && (n = inflater_read(in, buf_reserve(out, step), step, &err)) > 0)
        buf_commit(out, (size_t)n);
    inflater_close(in);
    if (out->size > OUTPUT_MAX || (n < 0 && !err.text[0]))
        abort();
    return n < 0 ? -1 : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    SCOPED(buf_release) struct buf small = {0}, large = {0};
    int a = expand(bytes, size, 511, &small), b = expand(bytes, size, 1 << 17, &large);

    if (a != b || (a == 0 && !str_eq(buf_str(&small), buf_str(&large))))
        abort();
    return 0;
}
