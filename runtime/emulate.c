/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/emulate.h"

#include <assert.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/scope.h"
#include "runtime/elf.h"
#include "runtime/program.h"
#include "runtime/syscalls.h"

#define CODE_MAX 16
#define LOAD_AT 0x10000
#define PROBE_MS 10000 /* 5 are usual */

/* exit(0), by hand: the number of the call into its register, 0 into that of the first argument,
 * the call. */
static const struct guest {
    const char *arch, *emulator;
    uint16_t machine;
    bool is64, little;
    uint32_t flags; /* e_flags */
    uint8_t size, code[CODE_MAX];
} guests[] = {
    {"amd64",
     "qemu-x86_64",
     EM_X86_64,
     true,
     true,
     0,
     9,
     {0x31, 0xff, 0xb8, 60, 0, 0, 0, 0x0f, 0x05}},
    {"386", "qemu-i386", EM_386, false, true, 0, 9, {0x31, 0xdb, 0xb8, 1, 0, 0, 0, 0xcd, 0x80}},
    {"arm64",
     "qemu-aarch64",
     EM_AARCH64,
     true,
     true,
     0,
     12,
     {0xa8, 0x0b, 0x80, 0xd2, 0x00, 0x00, 0x80, 0xd2, 0x01, 0x00, 0x00, 0xd4}},
    {"arm",
     "qemu-arm",
     EM_ARM,
     false,
     true,
     0x05000000,
     12,
     {0x01, 0x70, 0xa0, 0xe3, 0x00, 0x00, 0xa0, 0xe3, 0x00, 0x00, 0x00, 0xef}},
    {"riscv64",
     "qemu-riscv64",
     EM_RISCV,
     true,
     true,
     0,
     12,
     {0x93, 0x08, 0xd0, 0x05, 0x13, 0x05, 0x00, 0x00, 0x73, 0x00, 0x00, 0x00}},
    {"ppc64le",
     "qemu-ppc64le",
     EM_PPC64,
     true,
     true,
     2,
     12,
     {0x01, 0x00, 0x00, 0x38, 0x00, 0x00, 0x60, 0x38, 0x02, 0x00, 0x00, 0x44}},
    {"s390x", "qemu-s390x", EM_S390, true, false, 0, 6, {0xa7, 0x29, 0x00, 0x00, 0x0a, 0x01}},
};

/* The order of guests[]. */
const char *const emulate_archs[] = {"amd64",   "386",     "arm64", "arm",
                                     "riscv64", "ppc64le", "s390x", NULL};
static_assert(ARRAY_SIZE(guests) == EMULATE_ARCHS, "one for each");
static_assert(ARRAY_SIZE(emulate_archs) == EMULATE_ARCHS + 1, "and NULL");

const char *emulate_native(void)
{
    struct utsname host = {0};

    uname(&host);
    for (size_t i = 0; i < ARRAY_SIZE(guests); i++)
        if (strcmp(program_machine(guests[i].arch), host.machine) == 0)
            return guests[i].arch;
    return "unknown";
}

int emulate_find(const char *arch)
{
    for (size_t i = 0; i < ARRAY_SIZE(guests); i++)
        if (strcmp(guests[i].arch, arch) == 0)
            return (int)i;
    return -1;
}

static const struct guest *find(const char *arch)
{
    int i = emulate_find(arch);

    return i < 0 ? NULL : &guests[i];
}

bool emulate_may_be_native(size_t arch)
{
    const char *native = emulate_native(), *guest = guests[arch].arch;

    return (strcmp(guest, "386") == 0 && strcmp(native, "amd64") == 0) ||
           (strcmp(guest, "arm") == 0 && strcmp(native, "arm64") == 0);
}

const char *emulate_program_name(size_t arch)
{
    return guests[arch].emulator;
}

static void put(uint8_t *out, const struct guest *g, size_t at, size_t size, uint64_t v)
{
    for (size_t i = 0; i < size; i++)
        out[at + (g->little ? i : size - 1 - i)] = (uint8_t)(v >> (8 * i));
}

/* An ELF header, one PT_LOAD of the whole file, the code. */
static size_t make_program(const struct guest *g, uint8_t out[static EMULATE_PROGRAM_MAX])
{
    const size_t head = g->is64 ? 64 : 52, entry = g->is64 ? 56 : 32, start = head + entry,
                 word = g->is64 ? 8 : 4;
    const size_t end = start + g->size;

    memset(out, 0, EMULATE_PROGRAM_MAX);
    memcpy(out, ELFMAG, SELFMAG);
    out[EI_CLASS] = g->is64 ? ELFCLASS64 : ELFCLASS32;
    out[EI_DATA] = g->little ? ELFDATA2LSB : ELFDATA2MSB;
    out[EI_VERSION] = EV_CURRENT;
    put(out, g, 16, 2, ET_EXEC);
    put(out, g, 18, 2, g->machine);
    put(out, g, 20, 4, EV_CURRENT);
    put(out, g, 24, word, LOAD_AT + start);
    put(out, g, 24 + word, word, head);
    put(out, g, 24 + 3 * word, 4, g->flags);
    put(out, g, 28 + 3 * word, 2, head);
    put(out, g, 30 + 3 * word, 2, entry);
    put(out, g, 32 + 3 * word, 2, 1);
    put(out, g, head, 4, PT_LOAD);
    put(out, g, head + (g->is64 ? 4 : 24), 4, PF_R | PF_X);
    put(out, g, head + (g->is64 ? 16 : 8), word, LOAD_AT);
    put(out, g, head + (g->is64 ? 24 : 12), word, LOAD_AT);
    put(out, g, head + (g->is64 ? 32 : 16), word, end);
    put(out, g, head + (g->is64 ? 40 : 20), word, end);
    put(out, g, head + (g->is64 ? 48 : 28), word, 0x1000);
    memcpy(out + start, g->code, g->size);
    return end;
}

size_t emulate_program(const char *arch, unsigned char out[static EMULATE_PROGRAM_MAX])
{
    const struct guest *g = find(arch);

    return g ? make_program(g, out) : 0;
}

/* Who is asked to be an emulator may be anything, and may wait for ever. */
static void end_in_time(pid_t pid)
{
    AUTO_FD int pidfd = pidfd_open(pid, 0);
    struct pollfd p = {.fd = pidfd, .events = POLLIN};

    if (pidfd >= 0 && poll(&p, 1, PROBE_MS) == 0)
        kill(pid, SIGKILL);
}

static bool runs(const struct guest *g)
{
    /* Not close-on-exec: binfmt_misc refuses to hand such a file to an interpreter. */
    AUTO_FD int fd = memfd_create("probe", 0);
    char path[FS_FD_PATH_MAX], name[] = "probe";
    char *argv[] = {name, NULL}, *env[] = {NULL};
    struct err ignored = {0};
    uint8_t image[EMULATE_PROGRAM_MAX];
    size_t size = make_program(g, image);
    int status = 0;
    pid_t pid;

    if (fd < 0 || fs_write(fd, image, size, &ignored) < 0 || fchmod(fd, 0755) < 0)
        return false;
    /* A file open for writing cannot be executed (ETXTBSY). */
    AUTO_FD int read_fd = open(fs_fd_path(fd, path), O_RDONLY);
    scope_close(&fd);
    if (read_fd < 0 || posix_spawn(&pid, fs_fd_path(read_fd, path), NULL, NULL, argv, env) != 0)
        return false;
    end_in_time(pid);
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return false;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

bool emulate_runs(const char *arch)
{
    const struct guest *g = find(arch);

    return strcmp(arch, emulate_native()) == 0 || (g && runs(g));
}

/* Class, byte order, machine, and type: ET_EXEC and ET_DYN differ in one bit. All else may be
 * anything (some loaders sign their files in e_ident). */
void emulate_registration(size_t arch, const char *interpreter, struct buf *out)
{
    const struct guest *g = &guests[arch];
    uint8_t magic[ELF_HEAD_SIZE] = {0}, mask[ELF_HEAD_SIZE] = {0};

    memcpy(magic, ELFMAG, SELFMAG);
    magic[EI_CLASS] = g->is64 ? ELFCLASS64 : ELFCLASS32;
    magic[EI_DATA] = g->little ? ELFDATA2LSB : ELFDATA2MSB;
    magic[EI_VERSION] = EV_CURRENT;
    memset(mask, 0xff, EI_VERSION + 1);
    put(magic, g, 16, 2, ET_EXEC);
    put(mask, g, 16, 2, 0xfffe);
    put(magic, g, 18, 2, g->machine);
    put(mask, g, 18, 2, 0xffff);
    buf_addf(out, ":%s:M:0:", g->emulator);
    for (size_t i = 0; i < sizeof(magic); i++)
        buf_addf(out, "\\x%02x", magic[i]);
    buf_addc(out, ':');
    for (size_t i = 0; i < sizeof(mask); i++)
        buf_addf(out, "\\x%02x", mask[i]);
    buf_addf(out, ":%s:FPC", interpreter);
}
