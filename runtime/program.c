/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/program.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/scope.h"

#define PATH_DEFAULT "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define HEAD_MAX 512
#define TABLE_MAX (64 * 64)
#define NOT_FOUND 127
#define NOT_EXECUTABLE 126

static const struct {
    uint16_t number;
    const char *machine, *arch;
} machines[] = {
    {EM_X86_64, "x86_64", "amd64"},   {EM_AARCH64, "aarch64", "arm64"},
    {EM_386, "i386", "386"},          {EM_ARM, "arm", "arm"},
    {EM_RISCV, "riscv64", "riscv64"}, {EM_PPC64, "ppc64le", "ppc64le"},
    {EM_S390, "s390x", "s390x"},      {EM_MIPS, "mips64el", "mips64le"},
    {258, "loongarch64", "loong64"},
};

const char *program_machine(const char *arch)
{
    for (size_t i = 0; i < ARRAY_SIZE(machines); i++)
        if (strcmp(machines[i].arch, arch) == 0)
            return machines[i].machine;
    return arch;
}

static uint64_t number_at(struct str b, size_t at, size_t size, bool little)
{
    uint64_t v = 0;

    if (at > b.size || b.size - at < size)
        return 0;
    for (size_t i = 0; i < size; i++)
        v |= (uint64_t)(unsigned char)b.ptr[at + (little ? i : size - 1 - i)] << (8 * i);
    return v;
}

static void parse_elf(struct str b, struct program_head *head)
{
    uint64_t machine;

    head->kind = PROGRAM_ELF;
    head->is64 = b.ptr[EI_CLASS] == ELFCLASS64;
    head->little = b.ptr[EI_DATA] == ELFDATA2LSB;
    machine = number_at(b, 18, 2, head->little);
    for (size_t i = 0; i < ARRAY_SIZE(machines); i++)
        if (machines[i].number == machine)
            head->machine = machines[i].machine;
    /* Elf64_Ehdr and Elf32_Ehdr: e_phoff, e_phentsize, e_phnum. */
    head->table_offset = number_at(b, head->is64 ? 32 : 28, head->is64 ? 8 : 4, head->little);
    head->entry_size = number_at(b, head->is64 ? 54 : 42, 2, head->little);
    head->entry_count = number_at(b, head->is64 ? 56 : 44, 2, head->little);
}

void program_parse(struct str b, struct program_head *head)
{
    *head = (struct program_head){.kind = PROGRAM_OTHER};
    if (b.size >= 52 && memcmp(b.ptr, ELFMAG, SELFMAG) == 0) {
        parse_elf(b, head);
    } else if (str_starts(b, "#!")) {
        struct str line = str_slice(b, 2, b.size);

        str_cut(line, '\n', &line, &(struct str){0});
        line = str_trim(line);
        for (size_t i = 0; i < line.size; i++)
            if (line.ptr[i] == ' ' || line.ptr[i] == '\t' || line.ptr[i] == 0)
                line.size = i;
        head->kind = PROGRAM_SCRIPT;
        head->interpreter = line;
    }
}

bool program_interpreter(const struct program_head *head, struct str table, size_t *offset,
                         size_t *size)
{
    for (size_t i = 0; head->entry_size && i < head->entry_count; i++) {
        struct str e = str_slice(table, i * head->entry_size, (i + 1) * head->entry_size);

        if (number_at(e, 0, 4, head->little) != PT_INTERP)
            continue;
        *offset = number_at(e, head->is64 ? 8 : 4, head->is64 ? 8 : 4, head->little);
        *size = number_at(e, head->is64 ? 32 : 16, head->is64 ? 8 : 4, head->little);
        return true;
    }
    return false;
}

static bool is_missing(const char *path)
{
    return access(path, F_OK) < 0 && (errno == ENOENT || errno == ENOTDIR);
}

static void read_interpreter(int fd, const struct program_head *head, char out[static HEAD_MAX])
{
    char table[TABLE_MAX];
    size_t offset = 0, size = 0;
    ssize_t n = pread(fd, table, sizeof(table), (off_t)(head->table_offset & INT64_MAX));

    out[0] = 0;
    if (n > 0 && program_interpreter(head, (struct str){table, (size_t)n}, &offset, &size) &&
        size && size < HEAD_MAX &&
        pread(fd, out, size, (off_t)(offset & INT64_MAX)) == (ssize_t)size)
        out[size - 1] = 0;
    else
        out[0] = 0;
}

static int no_entry(const char *program, int fd, const struct program_head *head, struct err *err)
{
    char interpreter[HEAD_MAX] = "";

    if (head->kind == PROGRAM_SCRIPT && head->interpreter.size < HEAD_MAX)
        memcpy(interpreter, head->interpreter.ptr, head->interpreter.size); /* the rest is zero */
    else if (head->kind == PROGRAM_ELF)
        read_interpreter(fd, head, interpreter);
    if (interpreter[0] && is_missing(interpreter))
        return err_set(err, ERR_COMMAND, NOT_FOUND,
                       "exec %s: no such file or directory; its interpreter %s is missing", program,
                       interpreter);
    return err_set(err, ERR_COMMAND, NOT_FOUND, "exec %s: no such file or directory", program);
}

static int bad_format(const char *program, ssize_t size, const struct program_head *head,
                      const char *arch, struct err *err)
{
    struct utsname host = {0};

    uname(&host);
    if (head->kind == PROGRAM_ELF && head->machine && strcmp(head->machine, host.machine) != 0)
        return err_set(err, ERR_COMMAND, NOT_EXECUTABLE,
                       "exec %s: exec format error: the file is for %s, this machine is %s and has "
                       "no emulator for it%s%s",
                       program, head->machine, host.machine, arch ? "; the image says " : "",
                       arch ? arch : "");
    if (size == 0)
        return err_set(err, ERR_COMMAND, NOT_EXECUTABLE,
                       "exec %s: exec format error: the file is empty", program);
    if (head->kind == PROGRAM_OTHER)
        return err_set(
            err, ERR_COMMAND, NOT_EXECUTABLE,
            "exec %s: exec format error: neither a program nor a script with a \"#!\" line",
            program);
    return err_set(err, ERR_COMMAND, NOT_EXECUTABLE, "exec %s: exec format error", program);
}

static int no_access(const char *program, struct err *err)
{
    struct stat st;

    if (stat(program, &st) == 0 && S_ISDIR(st.st_mode))
        return err_set(err, ERR_COMMAND, NOT_EXECUTABLE, "exec %s: it is a directory", program);
    if (stat(program, &st) == 0 && !(st.st_mode & 0111))
        return err_set(err, ERR_COMMAND, NOT_EXECUTABLE,
                       "exec %s: permission denied: the file is not executable (mode %04o)",
                       program, st.st_mode & 07777);
    return err_set(err, ERR_COMMAND, NOT_EXECUTABLE, "exec %s: permission denied for user %u",
                   program, geteuid());
}

int program_explain(const char *program, int code, const char *arch, struct err *err)
{
    struct program_head head;
    char bytes[HEAD_MAX];
    AUTO_FD int fd = open(program, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t n = fd < 0 ? -1 : pread(fd, bytes, sizeof(bytes), 0);

    program_parse((struct str){bytes, n > 0 ? (size_t)n : 0}, &head);
    switch (code) {
    case ENOENT:
    case ENOTDIR:
        return no_entry(program, fd, &head, err);
    case ENOEXEC:
        return bad_format(program, n, &head, arch, err);
    case EACCES:
        return no_access(program, err);
    case E2BIG:
        return err_set(err, ERR_COMMAND, NOT_EXECUTABLE,
                       "exec %s: arguments and environment are too long", program);
    default:
        errno = code;
        err_errno(err, "exec %s", program);
        err->kind = ERR_COMMAND;
        err->code = NOT_EXECUTABLE;
        return -1;
    }
}

int program_find(const char *name, const char *path, char **program, struct err *err)
{
    struct str rest = str_of(path ? path : PATH_DEFAULT), dir;
    AUTO_FREE char *denied = NULL;

    if (strchr(name, '/')) {
        *program = xstrdup(name);
        return 0;
    }
    while (rest.size) {
        struct stat st;

        str_cut(rest, ':', &dir, &rest);
        AUTO_FREE char *candidate =
            xasprintf(STR_FMT "/%s", STR_ARG(dir.size ? dir : STR(".")), name);
        if (stat(candidate, &st) < 0 || !S_ISREG(st.st_mode))
            continue;
        if (access(candidate, X_OK) == 0) {
            *program = steal_ptr(&candidate);
            return 0;
        }
        if (!denied)
            denied = steal_ptr(&candidate);
    }
    if (denied)
        return no_access(denied, err);
    return err_set(err, ERR_COMMAND, NOT_FOUND, "exec %s: not found in PATH (%s)", name,
                   path ? path : PATH_DEFAULT);
}
