/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/scope.h"
#include "runtime/elf.h"
#include "runtime/emulate.h"
#include "runtime/emulators.h"
#include "tests/tap.h"

static void heads(void)
{
    static const struct {
        unsigned char is64, data, type, machine[2]; /* type: its low byte, as the file has it */
        const char *arch;
        bool loaded;
    } rows[] = {
        {2, 1, 2, {62, 0}, "amd64", true},    {1, 1, 2, {62, 0}, "amd64", true},
        {1, 1, 3, {3, 0}, "386", true},       {2, 1, 3, {183, 0}, "arm64", true},
        {2, 2, 3, {0, 183}, NULL, true},      {1, 1, 3, {40, 0}, "arm", true},
        {2, 1, 3, {243, 0}, "riscv64", true}, {1, 1, 3, {243, 0}, NULL, true},
        {2, 1, 3, {21, 0}, "ppc64le", true},  {2, 2, 3, {0, 21}, "ppc64", true},
        {2, 2, 3, {0, 22}, "s390x", true},    {2, 1, 3, {8, 0}, "mips64le", true},
        {2, 1, 3, {2, 1}, "loong64", true},   {2, 1, 1, {183, 0}, "arm64", false},
        {2, 1, 4, {62, 0}, "amd64", false},   {2, 1, 1, {247, 0}, NULL, false}, /* BPF */
        {2, 1, 2, {190, 0}, NULL, true},                                        /* CUDA */
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        unsigned char b[ELF_HEAD_SIZE] = {0x7f, 'E', 'L', 'F', rows[i].is64, rows[i].data, 1};
        struct elf_head head;

        b[rows[i].data == 1 ? 16 : 17] = rows[i].type;
        memcpy(b + 18, rows[i].machine, 2);
        OKF(elf_read((struct str){(char *)b, sizeof(b)}, &head), "row %zu", i);
        EQ_STR(elf_arch(&head), rows[i].arch);
        OKF(elf_is_loaded(&head) == rows[i].loaded, "row %zu", i);
        for (size_t n = 0; n < sizeof(b); n++)
            OKF(!elf_read((struct str){(char *)b, n}, &head), "row %zu, %zu bytes", i, n);
        b[4] = 3;
        OKF(!elf_read((struct str){(char *)b, sizeof(b)}, &head), "row %zu: no class", i);
    }
    OK(!elf_read(STR("#!/bin/sh\nexec true of something\n"), &(struct elf_head){0}));
}

/* \x7f\x45… back to bytes. */
static size_t bytes_of(struct str text, unsigned char *out, size_t max)
{
    size_t count = 0;

    for (size_t i = 0; i + 4 <= text.size && count < max; i += 4) {
        unsigned value;

        if (sscanf(text.ptr + i, "\\x%2x", &value) != 1)
            break;
        out[count++] = (unsigned char)value;
    }
    return count;
}

/* What the kernel would do with the line: each probe is caught by its own registration alone, as a
 * program and as a library. */
static void registrations(void)
{
    for (size_t i = 0; i < EMULATE_ARCHS; i++) {
        SCOPED(buf_release) struct buf line = {0};
        unsigned char magic[64], mask[64], program[EMULATE_PROGRAM_MAX];
        struct str rest, name, field, flags;
        size_t size;

        emulate_registration(i, "/qemu", &line);
        OKF(line.size < 1920, "%s", buf_cstr(&line)); /* the kernel's limit */
        rest = str_slice(buf_str(&line), 1, line.size);
        str_cut(rest, ':', &name, &rest);
        OK(str_is(name, emulate_program_name(i)));
        OK(str_starts(rest, "M:0:"));
        rest = str_slice(rest, 4, rest.size);
        str_cut(rest, ':', &field, &rest);
        size = bytes_of(field, magic, sizeof(magic));
        EQ_INT(size, 20);
        str_cut(rest, ':', &field, &rest);
        EQ_INT(bytes_of(field, mask, sizeof(mask)), 20);
        str_cut(rest, ':', &field, &flags);
        OK(str_is(field, "/qemu"));
        OK(str_is(flags, "FPC"));
        for (size_t k = 0; k < EMULATE_ARCHS; k++)
            for (int library = 0; library < 2; library++) {
                bool caught = true;

                OK(emulate_program(emulate_archs[k], program) > size);
                program[program[5] == 1 ? 16 : 17] += (unsigned char)library;
                for (size_t b = 0; b < size; b++)
                    caught = caught && ((program[b] ^ magic[b]) & mask[b]) == 0;
                OKF(caught == (i == k), "%s by %s", emulate_archs[k], emulate_archs[i]);
            }
    }
}

static int file_of(const void *bytes, size_t size)
{
    int fd = memfd_create("emulator", MFD_CLOEXEC);
    struct err err = {0};

    OK(fd >= 0 && fs_write(fd, bytes, size, &err) == 0);
    return fd;
}

static void given(void)
{
    SCOPED(emulators_release) struct emulators e = {.lock = PTHREAD_MUTEX_INITIALIZER};
    const char *native = emulate_native(),
               *other = strcmp(native, "arm64") == 0 ? "amd64" : "arm64";
    unsigned char bytes[EMULATE_PROGRAM_MAX];
    struct err err = {0};
    size_t size = emulate_program(native, bytes);

    OK(emulators_give(&e, other, file_of(bytes, size), "/a", &err) == 0);
    OK(emulators_give(&e, other, file_of(bytes, size), "/b", &err) == 0); /* the last one counts */
    EQ_STR(e.archs[emulate_find(other)].name, "/b");
    OK(emulators_give(&e, "vax", file_of(bytes, size), "/a", &err) < 0);
    EQ_STR(err.text, "no emulator for \"vax\" can be used; there are amd64, 386, arm64, arm, "
                     "riscv64, ppc64le, s390x");
    OK(emulators_give(&e, native, file_of(bytes, size), "/a", &err) < 0);
    OKF(strstr(err.text, "are this machine's own"), "%s", err.text);
    bytes[64] = 3; /* PT_INTERP instead of PT_LOAD */
    OK(emulators_give(&e, other, file_of(bytes, size), "/a", &err) < 0);
    OKF(strstr(err.text, "emulator /a: it is dynamically linked"), "%s", err.text);
    size = emulate_program(other, bytes);
    OK(emulators_give(&e, other, file_of(bytes, size), "/a", &err) < 0);
    OKF(strstr(err.text, "emulator /a: it is a program for"), "%s", err.text);
    OK(emulators_give(&e, other, file_of("#!/bin/sh\n", 10), "/a", &err) < 0);
    EQ_STR(err.text, "emulator /a: not a program");
    EQ_INT(err.kind, ERR_USAGE);
}

TAP_MAIN({"heads of ELF files", heads}, {"registrations", registrations}, {"given", given})
