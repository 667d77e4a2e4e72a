/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/mountinfo.h"

/* "a\040b" is "a b". */
bool mountinfo_path(struct str word, struct buf *out)
{
    for (size_t i = 0; i < word.size; i++) {
        uint32_t byte;

        if (word.ptr[i] != '\\') {
            buf_addc(out, word.ptr[i]);
            continue;
        }
        if (word.size - i < 4 || !str_octal(str_slice(word, i + 1, i + 4), &byte) || byte > 255 ||
            byte == 0)
            return false;
        buf_addc(out, (char)byte);
        i += 3;
    }
    return true;
}
