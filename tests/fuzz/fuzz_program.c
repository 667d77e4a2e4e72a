/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <stdlib.h>

#include "runtime/program.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct str text = {(const char *)bytes, size};
    struct program_head head;
    size_t offset = 0, length = 0;

    program_parse(text, &head);
    if (head.kind == PROGRAM_SCRIPT &&
        (head.interpreter.size && (head.interpreter.ptr < text.ptr ||
                                   head.interpreter.ptr + head.interpreter.size > text.ptr + size)))
        abort();
    if (head.kind == PROGRAM_ELF)
        program_interpreter(
            &head, str_slice(text, head.table_offset < size ? head.table_offset : size, size),
            &offset, &length);
    return 0;
}
