/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <stdlib.h>

#include "runtime/elf.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct elf_head head;

    if (!elf_read((struct str){(const char *)bytes, size}, &head))
        return 0;
    if (size < ELF_HEAD_SIZE)
        abort();
    elf_arch(&head);
    elf_is_loaded(&head);
    return 0;
}
