/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/scope.h"
#include "registry/places.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    AUTO_FREE char *text = str_dup((struct str){(const char *)bytes, size});
    AUTO_FREE char *host = NULL;
    SCOPED(place_url_release) struct place_url url = {0};
    struct err err = {0};

    if (place_pair_parse(text, "--registry-mirror", &host, &url, &err) < 0) {
        if (!err.text[0] || host || url.scheme || url.host || url.prefix)
            abort();
        return 0;
    }
    if (!host || !*host || !url.host || !*url.host || !url.prefix || strpbrk(url.prefix, " ?#"))
        abort();
    if (place_is_loopback(url.host) && !place_is_loopback(host) &&
        place_may_send_to(host, url.host))
        abort();
    return 0;
}
