/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RUNTIME_ELF_H
#define RUNTIME_ELF_H

/* The first 20 bytes of an ELF file (elf(5)): which processor it is for. Pure. */
#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

#define ELF_HEAD_SIZE 20

struct elf_head {
    bool is64, little;
    uint16_t type;    /* ET_EXEC, ET_DYN … */
    uint16_t machine; /* EM_… */
};

/* false: not an ELF file, or one cut short, or of no known class and byte order. */
bool elf_read(struct str first, struct elf_head *head);
/* The architecture as OCI names it ("arm64"); NULL for a machine that no image is for: graphics
 * cards, BPF, microcontrollers. */
const char *elf_arch(const struct elf_head *head);
/* A program or a shared library: not an object file, and not a core. */
bool elf_is_loaded(const struct elf_head *head);

#endif
