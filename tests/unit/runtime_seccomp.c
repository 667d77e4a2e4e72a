/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/seccomp.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "base/clock.h"
#include "base/scope.h"
#include "runtime/caps.h"
#include "tests/tap.h"

/* The kernel's reading of the program (net/core/filter.c), for the instructions that a seccomp
 * filter may have and ours has. Any jump out of the program is a failure of the test. */
static uint32_t judge(const struct seccomp_program *p, const struct seccomp_data *d)
{
    uint32_t a = 0;

    for (size_t at = 0; at < p->count; at++) {
        const struct sock_filter *i = &p->code[at];

        switch (i->code) {
        case BPF_LD | BPF_W | BPF_ABS:
            memcpy(&a, (const char *)d + i->k, sizeof(a));
            break;
        case BPF_JMP | BPF_JA:
            at += i->k;
            break;
        case BPF_JMP | BPF_JEQ | BPF_K:
            at += a == i->k ? i->jt : i->jf;
            break;
        case BPF_JMP | BPF_JGE | BPF_K:
            at += a >= i->k ? i->jt : i->jf;
            break;
        case BPF_JMP | BPF_JSET | BPF_K:
            at += a & i->k ? i->jt : i->jf;
            break;
        case BPF_RET | BPF_K:
            return i->k;
        default:
            OKF(false, "instruction %zu has code %#x", at, i->code);
            return 0;
        }
    }
    OKF(false, "the program's end was passed");
    return 0;
}

#define ALLOW SECCOMP_RET_ALLOW
#define NO_PERM (SECCOMP_RET_ERRNO | EPERM)
#define NO_SYS (SECCOMP_RET_ERRNO | ENOSYS)
#define KILL SECCOMP_RET_KILL_PROCESS

#if defined(__x86_64__)
#define NATIVE AUDIT_ARCH_X86_64
#define COMPAT AUDIT_ARCH_I386
#define COMPAT_KEYCTL 288
#define COMPAT_SOCKET 359
#define FOREIGN AUDIT_ARCH_AARCH64
#elif defined(__aarch64__)
#define NATIVE AUDIT_ARCH_AARCH64
#define COMPAT AUDIT_ARCH_ARM
#define COMPAT_KEYCTL 311
#define COMPAT_SOCKET 281
#define FOREIGN AUDIT_ARCH_X86_64
#endif

static const struct {
    uint32_t arch;
    int number;
    uint64_t arg;
    uint32_t want;
} rows[] = {
    {NATIVE, SYS_read, 0, ALLOW},
    {NATIVE, SYS_execve, 0, ALLOW},
    {NATIVE, SYS_chroot, 0, ALLOW}, /* CAP_SYS_CHROOT is among the fourteen */
    {NATIVE, SYS_ptrace, 0, ALLOW},
    {NATIVE, SYS_openat2, 0, ALLOW},
    {NATIVE, SYS_mknodat, 0, ALLOW},
    {NATIVE, SYS_keyctl, 0, NO_PERM},
    {NATIVE, SYS_add_key, 0, NO_PERM},
    {NATIVE, SYS_request_key, 0, NO_PERM},
    {NATIVE, SYS_unshare, 0, NO_PERM},
    {NATIVE, SYS_setns, 0, NO_PERM},
    {NATIVE, SYS_mount, 0, NO_PERM},
    {NATIVE, SYS_umount2, 0, NO_PERM},
    {NATIVE, SYS_fsopen, 0, NO_PERM},
    {NATIVE, SYS_move_mount, 0, NO_PERM},
    {NATIVE, SYS_open_tree, 0, NO_PERM},
    {NATIVE, SYS_pivot_root, 0, NO_PERM},
    {NATIVE, SYS_bpf, 0, NO_PERM},
    {NATIVE, SYS_perf_event_open, 0, NO_PERM},
    {NATIVE, SYS_io_uring_setup, 0, NO_PERM},
    {NATIVE, SYS_userfaultfd, 0, NO_PERM},
    {NATIVE, SYS_open_by_handle_at, 0, NO_PERM},
    {NATIVE, SYS_init_module, 0, NO_PERM},
    {NATIVE, SYS_kexec_load, 0, NO_PERM},
    {NATIVE, SYS_reboot, 0, NO_PERM},
    {NATIVE, SYS_settimeofday, 0, NO_PERM},
    {NATIVE, SYS_swapon, 0, NO_PERM},
    {NATIVE, SYS_clone3, 0, NO_SYS},
    {NATIVE, 1000, 0, NO_SYS}, /* not yet invented */
    {NATIVE, SYS_clone, 0x11, ALLOW},
    {NATIVE, SYS_clone, 0x10000011, NO_PERM}, /* CLONE_NEWUSER */
    {NATIVE, SYS_clone, 0x20011, NO_PERM},    /* CLONE_NEWNS */
    {NATIVE, SYS_clone, 0x02000011, NO_PERM}, /* CLONE_NEWCGROUP */
    {NATIVE, SYS_clone, 0x3d0f00, ALLOW},     /* a thread */
    {NATIVE, SYS_socket, 2, ALLOW},
    {NATIVE, SYS_socket, 38, NO_PERM}, /* AF_ALG */
    {NATIVE, SYS_socket, 39, ALLOW},
    {NATIVE, SYS_socket, 40, NO_PERM}, /* AF_VSOCK */
    {NATIVE, SYS_socket, 41, ALLOW},
    {NATIVE, SYS_socket, UINT64_C(0x100000028), NO_PERM}, /* the kernel looks at 32 bits of it */
    {NATIVE, SYS_personality, 0, ALLOW},
    {NATIVE, SYS_personality, 8, ALLOW},
    {NATIVE, SYS_personality, 0x20008, ALLOW},
    {NATIVE, SYS_personality, 0xffffffff, ALLOW},
    {NATIVE, SYS_personality, 0x40000, NO_PERM}, /* ADDR_NO_RANDOMIZE */
    {COMPAT, 3, 0, ALLOW},
    {COMPAT, COMPAT_KEYCTL, 0, NO_PERM},
    {COMPAT, COMPAT_SOCKET, 40, NO_PERM},
    {COMPAT, COMPAT_SOCKET, 1, ALLOW},
    {COMPAT, 120, 0x10000000, NO_PERM}, /* clone */
    {FOREIGN, SYS_read, 0, KILL},
#if defined(__x86_64__)
    {NATIVE, 0x40000000 | SYS_read, 0, NO_SYS}, /* the x32 form */
    {NATIVE, SYS_modify_ldt, 0, ALLOW},
    {NATIVE, SYS_iopl, 0, NO_PERM},
#endif
};

static void profile(void)
{
    SCOPED(seccomp_program_release) struct seccomp_program p = {0};
    struct err err = {0};

    if (!OKF(seccomp_program_compile(CAPS_DEFAULT, &p, &err) == 0, "%s", err.text))
        return;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct seccomp_data d = {.arch = rows[i].arch, .nr = rows[i].number, .args = {rows[i].arg}};
        uint32_t got = judge(&p, &d);

        OKF(got == rows[i].want, "row %zu: call %d(%#llx): %#x, want %#x", i, rows[i].number,
            (unsigned long long)rows[i].arg, got, rows[i].want);
    }
}

static void with_caps(void)
{
    SCOPED(seccomp_program_release) struct seccomp_program p = {0};
    struct err err = {0};
    static const int allowed[] = {SYS_mount, SYS_unshare,           SYS_clone3,
                                  SYS_bpf,   SYS_open_by_handle_at, SYS_reboot};

    OK(seccomp_program_compile(CAPS_ALL, &p, &err) == 0);
    for (size_t i = 0; i < ARRAY_SIZE(allowed); i++) {
        struct seccomp_data d = {.arch = NATIVE, .nr = allowed[i], .args = {0x10000000}};

        OKF(judge(&p, &d) == ALLOW, "call %d", allowed[i]);
    }
    struct seccomp_data clone = {.arch = NATIVE, .nr = SYS_clone, .args = {0x10000000}};
    EQ_INT(judge(&p, &clone), ALLOW);
    struct seccomp_data keyctl = {.arch = NATIVE, .nr = SYS_keyctl};
    EQ_INT(judge(&p, &keyctl), NO_PERM);
}

/* No number of any architecture may fall out of the program or take many steps. */
static void every_number(void)
{
    SCOPED(seccomp_program_release) struct seccomp_program p = {0};
    static const uint32_t archs[] = {NATIVE, COMPAT, FOREIGN};
    struct err err = {0};

    OK(seccomp_program_compile(CAPS_DEFAULT & ~(UINT64_C(1) << 18), &p, &err) == 0);
    for (size_t a = 0; a < ARRAY_SIZE(archs); a++)
        for (int n = -5; n < 1100; n++) {
            struct seccomp_data d = {.arch = archs[a], .nr = n};
            uint32_t r = judge(&p, &d);

            if (!OKF(r == ALLOW || r == NO_PERM || r == NO_SYS || r == KILL,
                     "arch %#x call %d: %#x", archs[a], n, r))
                return;
        }
    struct seccomp_data chroot_call = {.arch = NATIVE, .nr = SYS_chroot};
    EQ_INT(judge(&p, &chroot_call), NO_PERM);
    OKF(p.count < 700, "%zu instructions", p.count);
}

/* What the recorder is to hear of (runtime/notify.h). */
static void recording(void)
{
    enum { NOTIFY = SECCOMP_RET_USER_NOTIF };
    static const struct {
        uint32_t arch;
        int number;
        uint64_t args[3];
        uint32_t want, open; /* open: without the profile */
    } heard[] = {
        {NATIVE, SYS_fchown, {0}, NOTIFY, NOTIFY},
        {NATIVE, SYS_fchownat, {0}, NOTIFY, NOTIFY},
        {NATIVE, SYS_openat, {0, 0, O_CREAT | O_WRONLY}, NOTIFY, NOTIFY},
        {NATIVE, SYS_openat, {0, 0, O_TMPFILE | O_RDWR}, NOTIFY, NOTIFY},
        {NATIVE, SYS_openat, {0, 0, O_DIRECTORY}, ALLOW, ALLOW},
        {NATIVE, SYS_prctl, {PR_SET_KEEPCAPS, 1}, NOTIFY, NOTIFY},
        {NATIVE, SYS_prctl, {PR_SET_NAME}, ALLOW, ALLOW},
        {NATIVE, SYS_getsockopt, {3, 1, 17}, NOTIFY, NOTIFY},
        {NATIVE, SYS_getsockopt, {3, 1, 4}, ALLOW, ALLOW},
        {NATIVE, SYS_read, {0}, ALLOW, ALLOW},
        {NATIVE, SYS_keyctl, {0}, NO_PERM, ALLOW},
        {NATIVE, SYS_clone, {0x10000000}, NO_PERM, ALLOW},
        {COMPAT, 212, {0}, NOTIFY, NOTIFY}, /* chown32 */
        {COMPAT, 182, {0}, NOTIFY, NOTIFY}, /* chown */
        {COMPAT, 213, {0}, NOTIFY, NOTIFY}, /* setuid32 */
        {COMPAT, 195, {0}, ALLOW, ALLOW},   /* stat64: a structure of its own */
        {COMPAT, COMPAT_KEYCTL, {0}, NO_PERM, ALLOW},
        {FOREIGN, SYS_fchown, {0}, KILL, KILL},
    };

    for (int open = 0; open < 2; open++) {
        SCOPED(seccomp_program_release) struct seccomp_program p = {0};
        struct err err = {0};

        if (!OKF(seccomp_program_compile_recording(CAPS_DEFAULT, open, &p, &err) == 0, "%s",
                 err.text))
            return;
        for (size_t i = 0; i < ARRAY_SIZE(heard); i++) {
            struct seccomp_data d = {.arch = heard[i].arch, .nr = heard[i].number};
            uint32_t want = open ? heard[i].open : heard[i].want, got;

            memcpy(d.args, heard[i].args, sizeof(heard[i].args));
            got = judge(&p, &d);
            OKF(got == want, "row %zu: call %d: %#x, want %#x", i, heard[i].number, got, want);
        }
    }
}

TAP_MAIN({"the default profile", profile}, {"calls that go with capabilities", with_caps},
         {"every number", every_number}, {"what a recorder hears", recording})
