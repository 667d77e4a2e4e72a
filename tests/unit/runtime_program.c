/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/program.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/scope.h"
#include "runtime/emulate.h"
#include "tests/tap.h"

static char dir[] = "/tmp/slipway-program-XXXXXX";

static const char *put(const char *name, const void *bytes, size_t size, mode_t mode)
{
    static char path[128];
    struct err err = {0};
    int fd;

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    unlink(path);
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, mode);
    OK(fd >= 0 && fs_write(fd, bytes, size, &err) == 0 && fchmod(fd, mode) == 0);
    close(fd);
    return path;
}

static void explain(const char *path, int code, int status, const char *tail)
{
    struct err err = {0};
    char want[400];

    snprintf(want, sizeof(want), "exec %s: %s", path, tail);
    OK(program_explain(path, code, "arm64", &err) < 0);
    EQ_STR(err.text, want);
    EQ_INT(err.kind, ERR_COMMAND);
    EQ_INT(err.code, status);
}

static void scripts(void)
{
    static const char gone[] = "#! /no/such/shell -e\necho\n", empty[] = "#!\n",
                      there[] = "#!/bin/sh\n";

    explain(put("a", gone, sizeof(gone) - 1, 0755), ENOENT, 127,
            "no such file or directory; its interpreter /no/such/shell is missing");
    explain(put("a", empty, sizeof(empty) - 1, 0755), ENOENT, 127, "no such file or directory");
    explain(put("a", there, sizeof(there) - 1, 0755), ENOENT, 127, "no such file or directory");
    explain("/no/such/file", ENOENT, 127, "no such file or directory");
    explain(put("a", "", 0, 0755), ENOEXEC, 126, "exec format error: the file is empty");
    explain(put("a", "echo hi\n", 8, 0755), ENOEXEC, 126,
            "exec format error: neither a program nor a script with a \"#!\" line");
    explain(put("a", there, sizeof(there) - 1, 0644), EACCES, 126,
            "permission denied: the file is not executable (mode 0644)");
    explain(dir, EACCES, 126, "it is a directory");
    explain(put("a", there, sizeof(there) - 1, 0755), E2BIG, 126,
            "arguments and environment are too long");
    explain(put("a", there, sizeof(there) - 1, 0755), ELOOP, 126,
            "Too many levels of symbolic links");
}

/* A dynamic ELF file for 64-bit ARM, as small as it goes: header, one PT_INTERP, its text. */
static size_t dynamic(unsigned char *out, const char *interpreter)
{
    unsigned char bytes[EMULATE_PROGRAM_MAX];
    size_t size = emulate_program("arm64", bytes), length = strlen(interpreter) + 1;

    memcpy(out, bytes, size);
    out[64] = 3; /* PT_INTERP instead of PT_LOAD */
    memset(out + 64 + 8, 0, 8);
    out[64 + 8] = (unsigned char)size;
    memset(out + 64 + 32, 0, 8);
    out[64 + 32] = (unsigned char)length;
    memcpy(out + size, interpreter, length);
    return size + length;
}

static void elf(void)
{
    unsigned char bytes[400];
    size_t size = dynamic(bytes, "/lib/ld-musl-none.so.1");
    struct program_head head;
    const char *native = program_machine(emulate_native());
    char want[300];

    explain(put("b", bytes, size, 0755), ENOENT, 127,
            "no such file or directory; its interpreter /lib/ld-musl-none.so.1 is missing");
    if (strcmp(native, "aarch64") != 0) {
        snprintf(want, sizeof(want),
                 "exec format error: the file is for aarch64, this machine is %s and has no "
                 "emulator for it; the image says arm64",
                 native);
        explain(put("b", bytes, size, 0755), ENOEXEC, 126, want);
    }
    program_parse((struct str){(const char *)bytes, size}, &head);
    EQ_INT(head.kind, PROGRAM_ELF);
    EQ_STR(head.machine, "aarch64");
    for (size_t n = 0; n <= size; n++) { /* cut anywhere: no crash, no invention */
        size_t offset = 0, length = 0;
        char *copy = malloc(n + 1);

        memcpy(copy, bytes, n);
        program_parse((struct str){copy, n}, &head);
        if (head.kind == PROGRAM_ELF)
            program_interpreter(&head, (struct str){copy, n}, &offset, &length);
        free(copy);
    }
}

static void machines(void)
{
    for (size_t i = 0; emulate_archs[i]; i++) {
        unsigned char bytes[EMULATE_PROGRAM_MAX];
        struct program_head head;
        size_t size = emulate_program(emulate_archs[i], bytes);

        OKF(size > 52, "%s", emulate_archs[i]);
        program_parse((struct str){(const char *)bytes, size}, &head);
        EQ_STR(head.machine, program_machine(emulate_archs[i]));
    }
    OK(emulate_runs(emulate_native()));
    OK(emulate_program("z80", (unsigned char[EMULATE_PROGRAM_MAX]){0}) == 0);
    OK(emulate_find("z80") < 0);
}

static void search(void)
{
    AUTO_FREE char *found = NULL;
    struct err err = {0};
    char path[300], want[400];

    put("tool", "#!/bin/sh\n", 10, 0755);
    put("plain", "x", 1, 0644);
    snprintf(path, sizeof(path), "/no/dir::%s", dir);
    OK(program_find("tool", path, &found, &err) == 0);
    snprintf(want, sizeof(want), "%s/tool", dir);
    EQ_STR(found, want);
    OK(program_find("plain", path, &found, &err) < 0);
    EQ_INT(err.code, 126);
    OK(program_find("tool2", "/no/dir", &found, &err) < 0);
    EQ_STR(err.text, "exec tool2: not found in PATH (/no/dir)");
    EQ_INT(err.code, 127);
    free(found);
    found = NULL;
    OK(program_find("./x", "/no/dir", &found, &err) == 0);
    EQ_STR(found, "./x");
}

static void cleanup(void)
{
    struct err err = {0};

    OK(fs_remove_tree(AT_FDCWD, dir, &err) == 0);
}

static void setup(void)
{
    OK(mkdtemp(dir) != NULL);
}

TAP_MAIN({"set-up", setup}, {"scripts", scripts}, {"ELF files", elf}, {"machines", machines},
         {"search", search}, {"clean-up", cleanup})
