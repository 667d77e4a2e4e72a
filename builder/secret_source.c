/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/secret_source.h"

#include <string.h>

#define HEADER_MAX (16 << 10) /* ours: of a header or a token */

int secret_header(const struct secret_source *source, const char *id, struct buf *out,
                  struct err *err)
{
    int found = source ? source->get(source->arg, id, out, err) : 0;

    if (found <= 0)
        return found;
    while (out->size && strchr("\r\n", out->ptr[out->size - 1]))
        out->ptr[--out->size] = 0;
    if (out->size == 0 || out->size > HEADER_MAX)
        return err_set(err, ERR_INPUT, 0, "secret %s: a header's value has 1 to %d bytes", id,
                       HEADER_MAX);
    for (size_t i = 0; i < out->size; i++)
        if ((unsigned char)out->ptr[i] < ' ' || out->ptr[i] == 127)
            return err_set(err, ERR_INPUT, 0,
                           "secret %s: control bytes cannot stand in a header's value", id);
    return 1;
}
