/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program for another architecture on stdout, for tests: "guest ARCH" exits 0; "guest arm64
 * euid" exits with its effective user id (its low 8 bits). "guest ARCH register PATH" is no program
 * but the line that makes PATH its emulator, for binfmt_misc.
 */
#include <stdio.h>
#include <string.h>

#include "base/scope.h"
#include "runtime/emulate.h"

/* geteuid() is call 175, exit() is 93; what the one gives is where the other looks. */
static const unsigned char euid[] = {0xe8, 0x15, 0x80, 0xd2, 0x01, 0x00, 0x00, 0xd4,
                                     0xa8, 0x0b, 0x80, 0xd2, 0x01, 0x00, 0x00, 0xd4};

int main(int argc, char **argv)
{
    unsigned char bytes[EMULATE_PROGRAM_MAX] = {0};
    size_t size = argc > 1 ? emulate_program(argv[1], bytes) : 0;

    if (size == 0)
        return 1;
    if (argc > 3 && strcmp(argv[2], "register") == 0) {
        SCOPED(buf_release) struct buf line = {0};

        emulate_registration((size_t)emulate_find(argv[1]), argv[3], &line);
        return fputs(buf_cstr(&line), stdout) < 0;
    }
    if (argc > 2 && strcmp(argv[2], "euid") == 0) {
        memcpy(bytes + 120, euid, sizeof(euid)); /* after the header and its one entry */
        size = 120 + sizeof(euid);
        bytes[64 + 32] = bytes[64 + 40] = (unsigned char)size; /* in the file, in memory */
    }
    return fwrite(bytes, 1, size, stdout) == size ? 0 : 1;
}
