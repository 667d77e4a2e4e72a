/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/http.h"
#include "base/http_proxy.h"
#include "base/http_retry.h"
#include "base/http_url.h"
#include "base/scope.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* Input: base URL, a new line, Location. What comes out must be a URL again, and stay itself when
 * resolved again. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    AUTO_FREE char *text = str_dup((struct str){(const char *)bytes, size});
    char *location = strchr(text, '\n');
    char except[] = "a,.b,10.0.0.0/8,[::1]:2,*.c:3";
    struct http_proxy proxy = {.https = except, .http = except, .except = text};
    SCOPED(buf_release) struct buf host = {0};

    http_retry_after(text, 0);
    http_proxy_for(&proxy, "https://[::1:2]:3/");
    http_proxy_for(&proxy, "https://10.1.2.3/");
    if (location)
        *location++ = 0;
    proxy.except = except;
    http_proxy_for(&proxy, text);
    http_redact(text, &host);
    buf_clear(&host);
    http_is_private(text);
    http_is_loopback(text);
    if (!http_host(text, &host) || !location)
        return 0;
    AUTO_FREE char *once = http_resolve(text, location);

    if (!once)
        return 0;
    AUTO_FREE char *twice = http_resolve(text, once);

    if (!http_host(once, &host) || !twice || strcmp(once, twice) != 0)
        abort();
    return 0;
}
