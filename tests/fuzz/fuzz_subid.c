/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <stdlib.h>

#include "runtime/userns.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* Whatever the file says, the ranges are whole, in order inside, and hold no "no id". */
static void check(const struct userns_map *map, uint64_t from)
{
    for (size_t i = 0; i < map->count; i++) {
        const struct userns_range *r = &map->ranges[i];

        if (r->count == 0 || (uint64_t)r->inside + r->count > UINT32_MAX ||
            (uint64_t)r->outside + r->count > UINT32_MAX)
            abort();
        if (from && r->inside != from)
            abort();
        from += from ? r->count : 0;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct str text = {(const char *)bytes, size};
    struct userns_map map = {.count = 0};
    struct err err = {0};
    uint32_t next = 1;

    if (userns_parse_sub(text, "bob", 1000, &next, &map, &err) < 0 && !err.text[0])
        abort();
    check(&map, 1);
    map.count = 0;
    err.text[0] = 0;
    if (userns_parse_identity(text, &map, &err) < 0 && !err.text[0])
        abort();
    check(&map, 0);
    return 0;
}
