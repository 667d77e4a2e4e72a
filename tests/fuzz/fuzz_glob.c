/* SPDX-License-Identifier: Apache-2.0 */
/* A pattern, a newline, a name. A name with every character escaped matches itself. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/scope.h"
#include "builder/glob.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_escaped(struct str name)
{
    SCOPED(buf_release) struct buf escaped = {0}, starred = {0};
    struct err err = {0};

    for (size_t i = 0; i < name.size; i++) {
        if (strchr("*?[]\\", name.ptr[i]))
            buf_addc(&escaped, '\\');
        buf_addc(&escaped, name.ptr[i]);
    }
    buf_addf(&starred, "*%s*", buf_cstr(&escaped));
    if (memchr(name.ptr, 0, name.size))
        return;
    AUTO_FREE char *literal = glob_literal(buf_str(&escaped));
    if (glob_match(buf_str(&escaped), name, &err) != 1 ||
        glob_match(buf_str(&starred), name, &err) != 1 || glob_has_wildcard(buf_str(&escaped)) ||
        !str_is(name, literal))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str all = {size ? (const char *)data : "", size}, pattern, name;
    struct err err = {0};
    int held;

    str_cut(all, '\n', &pattern, &name);
    held = glob_match(pattern, name, &err);
    if ((held < 0) != (err.text[0] != 0))
        abort();
    AUTO_FREE char *literal = glob_literal(pattern);
    if (held == 1 && !glob_has_wildcard(pattern) && !memchr(all.ptr, 0, all.size) &&
        !str_is(name, literal))
        abort();
    if (name.size)
        try_escaped(name);
    return 0;
}
