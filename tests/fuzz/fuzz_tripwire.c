/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/scope.h"
#include "builder/tripwire.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/*
 * A byte for the size of chunks, lines that are secrets, a line "--", a text. What is found does
 * not hang on the chunks; what stands there as it is, is always found; and what is shown has none
 * of it.
 */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct str all = {(const char *)bytes, size}, line, text;
    SCOPED(tripwire_scan_release) struct tripwire_scan scan = {0}, shown = {0};
    SCOPED(buf_release) struct buf out = {0};
    struct tripwire *wire = tripwire_new();
    ptrdiff_t end = str_search(all, "\n--\n");
    size_t chunk = size ? bytes[0] + 1u : 1;
    bool plain = false;
    const char *found;

    if (size < 2 || end < 1) {
        tripwire_free(wire);
        return 0;
    }
    text = str_slice(all, (size_t)end + 4, size);
    for (all = str_slice(all, 1, (size_t)end); str_line(&all, &line);) {
        if (tripwire_add(wire, "s", line)) {
            line = str_trim(line);
            plain = plain || memmem(text.ptr, text.size, line.ptr, line.size);
        }
    }
    found = tripwire_find(wire, text);
    scan.wire = shown.wire = wire;
    for (size_t at = 0; at < text.size; at += chunk) {
        size_t some = at + chunk < text.size ? chunk : text.size - at;

        tripwire_feed(&scan, text.ptr + at, some);
        tripwire_redact(&shown, text.ptr + at, some, &out);
    }
    tripwire_end(&scan);
    tripwire_redact(&shown, NULL, 0, &out);
    if ((plain && !found) || !found != !scan.found || !found != !shown.found)
        abort();
    if (!found && !str_eq(buf_str(&out), text))
        abort();
    tripwire_free(wire);
    return 0;
}
