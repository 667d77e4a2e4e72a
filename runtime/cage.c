/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/cage.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "base/scope.h"
#include "runtime/caps.h"
#include "runtime/seccomp.h"

#define CAP_ADMIN 21

/* ---- Landlock (kernel: Documentation/userspace-api/landlock.rst) ---- */

#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule 445
#define SYS_landlock_restrict_self 446
#endif
#define RULESET_VERSION 1u       /* LANDLOCK_CREATE_RULESET_VERSION */
#define RULE_PATH_BENEATH 1      /* LANDLOCK_RULE_PATH_BENEATH */
#define ABI_MIN 2                /* before it no file could be moved to another directory */
#define ABI_MAX 6                /* whose bits we know */
#define SCOPE_ABSTRACT_SIGNAL 3u /* LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | LANDLOCK_SCOPE_SIGNAL */

/* Rights over files by ABI: the first n bits. 2: REFER, 3: TRUNCATE, 5: IOCTL_DEV. */
static const uint64_t file_rights[ABI_MAX + 1] = {0,
                                                  (1u << 13) - 1,
                                                  (1u << 14) - 1,
                                                  (1u << 15) - 1,
                                                  (1u << 15) - 1,
                                                  (1u << 16) - 1,
                                                  (1u << 16) - 1};

struct ruleset { /* struct landlock_ruleset_attr of ABI 6 */
    uint64_t handled_files, handled_net, scoped;
};
struct __attribute__((packed)) beneath { /* struct landlock_path_beneath_attr */
    uint64_t allowed;
    int32_t parent_fd;
};

int cage_files(int root_fd, struct err *err)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, RULESET_VERSION);
    struct ruleset rules = {0};
    struct beneath all = {.parent_fd = root_fd};

    if (abi < ABI_MIN)
        return 0;
    abi = abi > ABI_MAX ? ABI_MAX : abi;
    rules.handled_files = all.allowed = file_rights[abi];
    rules.scoped = abi >= 6 ? SCOPE_ABSTRACT_SIGNAL : 0;
    AUTO_FD int fd =
        (int)syscall(SYS_landlock_create_ruleset, &rules,
                     abi >= 6 ? sizeof(rules) : offsetof(struct ruleset, handled_net), 0);
    if (fd < 0)
        return err_errno(err, "make a Landlock ruleset");
    if (syscall(SYS_landlock_add_rule, fd, RULE_PATH_BENEATH, &all, 0) < 0)
        return err_errno(err, "add the root to a Landlock ruleset");
    if (syscall(SYS_landlock_restrict_self, fd, 0) < 0)
        return err_errno(err, "confine the command to its root (Landlock)");
    return 1;
}

/* ---- the network ---- */

#define NR offsetof(struct seccomp_data, nr)
#define ARCH offsetof(struct seccomp_data, arch)
#define FAMILY offsetof(struct seccomp_data, args[0]) /* little endian: its low half */
#define LOAD(at) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (at))
#define IF(value, yes, no) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), (yes), (no))
#define RETURN(value) BPF_STMT(BPF_RET | BPF_K, (value))
#define ERRNO(code) RETURN(SECCOMP_RET_ERRNO | (code))

#if defined(__x86_64__)
#define NATIVE AUDIT_ARCH_X86_64
#define COMPANION AUDIT_ARCH_I386
#define COMPANION_SOCKET 359     /* arch/x86/entry/syscalls/syscall_32.tbl */
#define COMPANION_SOCKETCALL 102 /* the same: its family cannot be seen */
#define NUMBER_MASK 0xbfffffffu  /* the x32 form of a call is the same call */
#elif defined(__aarch64__)
#define NATIVE AUDIT_ARCH_AARCH64
#define COMPANION AUDIT_ARCH_ARM
#define COMPANION_SOCKET 281 /* arch/arm/tools/syscall.tbl */
#define COMPANION_SOCKETCALL 102
#define NUMBER_MASK 0xffffffffu
#else
#error "the numbers of this architecture's calls are missing"
#endif

int cage_network(struct err *err)
{
    struct sock_filter code[] = {
        LOAD(ARCH),
        IF(NATIVE, 0, 4),
        LOAD(NR),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, NUMBER_MASK),
        IF(SYS_socket, 6, 0),
        RETURN(SECCOMP_RET_ALLOW),
        IF(COMPANION, 0, 3),
        LOAD(NR),
        IF(COMPANION_SOCKETCALL, 1, 0),
        IF(COMPANION_SOCKET, 1, 4),
        ERRNO(ENOSYS),
        LOAD(FAMILY),
        IF(AF_UNIX, 1, 0),
        ERRNO(EAFNOSUPPORT),
        RETURN(SECCOMP_RET_ALLOW),
    };
    const struct seccomp_program program = {.code = code, .count = ARRAY_SIZE(code)};

    return seccomp_program_load(&program, err);
}

int cage_no_new_privs(struct err *err)
{
    uint64_t now = 0;

    if (caps_effective(&now, err) < 0)
        return -1;
    if (now >> CAP_ADMIN & 1)
        return 0;
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? err_errno(err, "set no_new_privs") : 0;
}
