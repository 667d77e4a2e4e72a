/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <stdlib.h>

#include "base/certs.h"
#include "base/scope.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* What is read can be read again, and is then the same. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    SCOPED(certs_release) struct certs certs = {0}, again = {0};
    struct err err = {0};

    if (certs_read((struct str){(const char *)bytes, size}, &certs, &err) < 0) {
        if (!err.text[0])
            abort();
        return 0;
    }
    if (certs_read(buf_str(&certs.pem), &again, &err) < 0 || again.count > certs.count ||
        !str_eq(buf_str(&certs.pem), buf_str(&again.pem)))
        abort();
    return 0;
}
