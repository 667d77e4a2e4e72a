/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/scope.h"
#include "builder/cache_spec.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* --cache-from, and the same text as --cache-to. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct str text = {(const char *)bytes, size};

    if (memchr(bytes, 0, size))
        return 0;
    for (int to = 0; to < 2; to++) {
        SCOPED(cache_spec_release) struct cache_spec spec = {0};
        struct err err = {0};

        if (cache_spec_parse(text, to, &spec, &err) < 0) {
            if (!err.text[0] || spec.ref || spec.dir || spec.tag || spec.digest)
                abort();
            continue;
        }
        if ((spec.type == CACHE_LOCAL && !spec.dir) || (spec.type == CACHE_REGISTRY && !spec.ref) ||
            (spec.type == CACHE_INLINE && (!to || spec.max)))
            abort();
        if (spec.has_codec && !codec_level_valid(spec.codec, spec.level))
            abort();
        if (spec.digest && !digest_valid(spec.digest))
            abort();
    }
    return 0;
}
