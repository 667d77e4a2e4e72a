/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/scope.h"
#include "builder/mount.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static int keep(void *ctx, const char *value, struct buf *out, struct err *err)
{
    (void)ctx;
    (void)err;
    buf_adds(out, value);
    return 0;
}

/* The text of one --mount (it has no zero bytes). What is accepted has an absolute target, or is a
 * secret that is a variable; and what is accepted with its variables was so without them. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct str text = {(const char *)bytes, size};
    SCOPED(mount_release) struct mount m = {0}, early = {0};
    struct err err = {0};
    bool fine;

    if (memchr(bytes, 0, size))
        return 0;
    fine = mount_parse(text, NULL, NULL, &early, &err) == 0;
    if (!fine && !err.text[0])
        abort();
    err.text[0] = 0;
    if (mount_parse(text, keep, NULL, &m, &err) < 0 || mount_resolve(&m, "/w", 0, &err) < 0) {
        if (!err.text[0])
            abort();
        return 0;
    }
    if (!fine || (m.target ? m.target[0] != '/' || !m.target[1] : m.type != MOUNT_SECRET || !m.env))
        abort();
    if ((m.type == MOUNT_CACHE || m.type == MOUNT_SECRET || m.type == MOUNT_SSH) && !m.id)
        abort();
    if (m.mode > 07777 || m.uid == UINT32_MAX || m.gid == UINT32_MAX)
        abort();
    return 0;
}
