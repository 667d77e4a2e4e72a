/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/scope.h"
#include "builder/container.h"
#include "runtime/net.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* The small texts of run's command line (they have no zero bytes), and a host's resolv.conf. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct str text = {(const char *)bytes, size};
    SCOPED(buf_release) struct buf out = {0};
    struct container_volume volume = {0};
    struct net_port port;
    struct err err = {0};

    net_print_resolv_conf(text, text, true, &out);
    if (memchr(bytes, 0, size))
        return 0;
    if (net_parse_port(text, &port, &err) < 0) {
        if (!err.text[0])
            abort();
    } else if (port.box == 0 || strlen(port.address) >= sizeof(port.address)) {
        abort();
    }
    err.text[0] = 0;
    if (container_parse_volume(text, &volume, &err) < 0 && !err.text[0])
        abort();
    if (volume.target && volume.target[0] != '/')
        abort();
    free(volume.source);
    free(volume.target);
    return 0;
}
