/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/elf.h"

#include <elf.h>
#include <string.h>

#include "base/scope.h"

#ifndef EM_LOONGARCH
#define EM_LOONGARCH 258
#endif

enum { ANY = -1, NO, YES };

static const struct {
    uint16_t machine;
    int is64, little;
    const char *arch;
} rows[] = {
    {EM_X86_64, ANY, YES, "amd64"}, /* x32 has the smaller class */
    {EM_386, NO, YES, "386"},        {EM_AARCH64, YES, YES, "arm64"},
    {EM_ARM, NO, YES, "arm"},        {EM_RISCV, YES, YES, "riscv64"},
    {EM_PPC64, YES, YES, "ppc64le"}, {EM_PPC64, YES, NO, "ppc64"},
    {EM_S390, YES, NO, "s390x"},     {EM_MIPS, YES, YES, "mips64le"},
    {EM_MIPS, YES, NO, "mips64"},    {EM_MIPS, NO, YES, "mipsle"},
    {EM_MIPS, NO, NO, "mips"},       {EM_LOONGARCH, YES, YES, "loong64"},
};

static uint16_t half(const unsigned char *b, bool little)
{
    return little ? (uint16_t)(b[0] | b[1] << 8) : (uint16_t)(b[0] << 8 | b[1]);
}

bool elf_read(struct str first, struct elf_head *head)
{
    const unsigned char *b = (const unsigned char *)first.ptr;

    if (first.size < ELF_HEAD_SIZE || memcmp(b, ELFMAG, SELFMAG) != 0)
        return false;
    if ((b[EI_CLASS] != ELFCLASS32 && b[EI_CLASS] != ELFCLASS64) ||
        (b[EI_DATA] != ELFDATA2LSB && b[EI_DATA] != ELFDATA2MSB))
        return false;
    head->is64 = b[EI_CLASS] == ELFCLASS64;
    head->little = b[EI_DATA] == ELFDATA2LSB;
    head->type = half(b + 16, head->little);
    head->machine = half(b + 18, head->little);
    return true;
}

const char *elf_arch(const struct elf_head *head)
{
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (rows[i].machine == head->machine &&
            (rows[i].is64 == ANY || rows[i].is64 == (int)head->is64) &&
            rows[i].little == (int)head->little)
            return rows[i].arch;
    return NULL;
}

bool elf_is_loaded(const struct elf_head *head)
{
    return head->type == ET_EXEC || head->type == ET_DYN;
}
