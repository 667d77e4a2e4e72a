/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/seccomp.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/scope.h"
#include "base/str.h"
#include "runtime/notify.h"
#include "runtime/seccomp_names.h"

#define CAP_ADMIN 21
#define CLONE_NAMESPACES                                                                           \
    0x7e020000u /* CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET */
#define X32_BIT 0x40000000u
#define RULES_MAX 640
#define FAMILY_ALG 38
#define FAMILY_VSOCK 40
#define ARG_LOW(n) ((uint32_t)(offsetof(struct seccomp_data, args) + (n)*8)) /* little endian */

enum action {
    ACT_EPERM,
    ACT_ENOSYS,
    ACT_ALLOW,
    ACT_SOCKET,
    ACT_PERSONALITY,
    ACT_CLONE,
    ACT_NOTIFY, /* if the call is one that notify_names says, else ACT_ALLOW */
};

/* From this number up to the next rule's. */
struct rule {
    uint32_t from;
    enum action action;
    const struct notify_name *notify;
};

/* The architectures a kernel runs: the native one and its 32-bit companion. libseccomp's tokens are
 * AUDIT_ARCH_*. */
static const struct machine {
    uint32_t native;
    uint32_t tokens[2];
} machines[] = {
    {SCMP_ARCH_X86_64, {SCMP_ARCH_X86_64, SCMP_ARCH_X86}},
    {SCMP_ARCH_AARCH64, {SCMP_ARCH_AARCH64, SCMP_ARCH_ARM}},
};

static struct sock_filter *emit(struct seccomp_program *p, uint16_t code, uint32_t k, uint8_t jt,
                                uint8_t jf)
{
    VEC_GROW(p->code, p->count, p->capacity);
    p->code[p->count] = (struct sock_filter){.code = code, .jt = jt, .jf = jf, .k = k};
    return &p->code[p->count++];
}

static void emit_return(struct seccomp_program *p, uint32_t value)
{
    emit(p, BPF_RET | BPF_K, value, 0, 0);
}

static void emit_load(struct seccomp_program *p, uint32_t offset)
{
    emit(p, BPF_LD | BPF_W | BPF_ABS, offset, 0, 0);
}

#define RET_EPERM (SECCOMP_RET_ERRNO | EPERM)
#define RET_ENOSYS (SECCOMP_RET_ERRNO | ENOSYS)

static void emit_action(struct seccomp_program *p, const struct rule *rule)
{
    /* 0, PER_LINUX32, UNAME26, both, and the question "which is it now". */
    static const uint32_t personas[] = {0, 8, 0x20000, 0x20008, 0xffffffff};

    switch (rule->action) {
    case ACT_EPERM:
        emit_return(p, RET_EPERM);
        break;
    case ACT_ENOSYS:
        emit_return(p, RET_ENOSYS);
        break;
    case ACT_ALLOW:
        emit_return(p, SECCOMP_RET_ALLOW);
        break;
    case ACT_SOCKET:
        emit_load(p, ARG_LOW(0));
        emit(p, BPF_JMP | BPF_JEQ | BPF_K, FAMILY_ALG, 1, 0);
        emit(p, BPF_JMP | BPF_JEQ | BPF_K, FAMILY_VSOCK, 0, 1);
        emit_return(p, RET_EPERM);
        emit_return(p, SECCOMP_RET_ALLOW);
        break;
    case ACT_PERSONALITY:
        emit_load(p, ARG_LOW(0));
        for (size_t i = 0; i < ARRAY_SIZE(personas); i++)
            emit(p, BPF_JMP | BPF_JEQ | BPF_K, personas[i], (uint8_t)(ARRAY_SIZE(personas) - i), 0);
        emit_return(p, RET_EPERM);
        emit_return(p, SECCOMP_RET_ALLOW);
        break;
    case ACT_NOTIFY:
        if (rule->notify->argument) {
            emit_load(p, ARG_LOW(rule->notify->argument - 1u));
            emit(p, BPF_JMP | BPF_K | (rule->notify->bits ? BPF_JSET : BPF_JEQ),
                 rule->notify->bits ? rule->notify->bits : rule->notify->value, 1, 0);
            emit_return(p, SECCOMP_RET_ALLOW);
        }
        emit_return(p, SECCOMP_RET_USER_NOTIF);
        break;
    case ACT_CLONE:
        emit_load(p, ARG_LOW(0));
        emit(p, BPF_JMP | BPF_JSET | BPF_K, CLONE_NAMESPACES, 0, 1);
        emit_return(p, RET_EPERM);
        emit_return(p, SECCOMP_RET_ALLOW);
        break;
    }
}

/* A binary search over rules[0..count): left half straight after the test, right half behind it. */
static void emit_tree(struct seccomp_program *p, const struct rule *rules, size_t count)
{
    size_t half = count / 2, at = p->count, length;

    if (count == 1) {
        emit_action(p, &rules[0]);
        return;
    }
    emit(p, BPF_JMP | BPF_JGE | BPF_K, rules[half].from, 0, 0);
    emit_tree(p, rules, half);
    length = p->count - at - 1;
    if (length <= 255) {
        p->code[at].jt = (uint8_t)length;
    } else { /* out of a conditional jump's reach: it goes over a long one */
        emit(p, 0, 0, 0, 0);
        memmove(&p->code[at + 2], &p->code[at + 1], length * sizeof(*p->code));
        p->code[at].jf = 1;
        p->code[at + 1] = (struct sock_filter){.code = BPF_JMP | BPF_JA, .k = (uint32_t)length};
    }
    emit_tree(p, rules + half, count - half);
}

struct rules {
    struct rule items[RULES_MAX];
    size_t count;
};

static int number_of(uint32_t arch, const char *name)
{
    int number = seccomp_syscall_resolve_name_arch(arch, name);

    for (size_t i = 0; number < 0 && i < ARRAY_SIZE(seccomp_young); i++)
        if (strcmp(seccomp_young[i].name, name) == 0)
            return seccomp_young[i].number;
    for (size_t i = 0; number < 0 && arch == SCMP_ARCH_X86 && i < ARRAY_SIZE(seccomp_x86_direct);
         i++)
        if (strcmp(seccomp_x86_direct[i].name, name) == 0)
            return seccomp_x86_direct[i].number;
    return number;
}

static void add(struct rules *r, uint32_t arch, const char *name, struct rule rule)
{
    int number = number_of(arch, name);

    if (number < 0)
        return;
    BUG_ON(r->count == RULES_MAX);
    rule.from = (uint32_t)number;
    r->items[r->count++] = rule;
}

static void allow(struct rules *r, uint32_t arch, const char *name, enum action action)
{
    add(r, arch, name, (struct rule){.action = action});
}

static int by_number(const void *a, const void *b)
{
    const struct rule *x = a, *y = b;

    if (x->from != y->from)
        return x->from < y->from ? -1 : 1;
    if (x->notify || y->notify)
        return x->notify ? -1 : 1;
    return y->action == ACT_ALLOW ? 1 : x->action == ACT_ALLOW ? -1 : 0; /* plain permission wins */
}

static bool same_action(const struct rule *a, const struct rule *b)
{
    return a->action == b->action &&
           (a->action != ACT_NOTIFY || (!a->notify->argument && !b->notify->argument));
}

/*
 * Single numbers become ranges. Gaps are refused; numbers past the last known call do not exist as
 * far as a program can tell, so that libc falls back as it does on an older kernel.
 */
static void make_ranges(const struct rules *singles, enum action gap, struct rules *out)
{
    uint32_t next = 0;

    for (size_t i = 0; i < singles->count; i++) {
        struct rule r = singles->items[i];

        if (i && singles->items[i - 1].from == r.from)
            continue;
        if (r.from > next)
            out->items[out->count++] = (struct rule){.from = next, .action = gap};
        if (out->count == 0 || !same_action(&out->items[out->count - 1], &r))
            out->items[out->count++] = r;
        next = r.from + 1;
    }
    out->items[out->count++] =
        (struct rule){.from = next, .action = gap == ACT_ALLOW ? ACT_ALLOW : ACT_ENOSYS};
}

static void add_notified(uint32_t arch, struct rules *singles)
{
    for (size_t i = 0; i < notify_names_count; i++) {
        const struct notify_name *n = &notify_names[i];

        if (!n->native_only || arch == seccomp_arch_native())
            add(singles, arch, n->name, (struct rule){.action = ACT_NOTIFY, .notify = n});
    }
}

struct wanted {
    uint64_t caps;
    bool record, unconfined;
};

static void collect(uint32_t arch, const struct wanted *want, struct rules *out)
{
    uint64_t caps = want->caps;
    static const struct rules none;
    struct rules *singles = xcalloc(1, sizeof(*singles));

    if (want->record)
        add_notified(arch, singles);
    for (size_t i = 0; !want->unconfined && i < ARRAY_SIZE(seccomp_allowed); i++)
        allow(singles, arch, seccomp_allowed[i], ACT_ALLOW);
    for (size_t i = 0; !want->unconfined && i < ARRAY_SIZE(seccomp_by_cap); i++)
        if (caps >> seccomp_by_cap[i].cap & 1)
            allow(singles, arch, seccomp_by_cap[i].name, ACT_ALLOW);
    if (!want->unconfined) {
        allow(singles, arch, "socket", ACT_SOCKET);
        allow(singles, arch, "personality", ACT_PERSONALITY);
        allow(singles, arch, "clone", ACT_CLONE);
        allow(singles, arch, "clone3", ACT_ENOSYS);
    }
    qsort(singles->items, singles->count, sizeof(singles->items[0]), by_number);
    *out = none;
    make_ranges(singles, want->unconfined ? ACT_ALLOW : ACT_EPERM, out);
    free(singles);
}

static int compile(const struct wanted *want, struct seccomp_program *p, struct err *err)
{
    uint32_t native = seccomp_arch_native();
    AUTO_FREE struct rules *rules = xcalloc(1, sizeof(*rules));
    const struct machine *m = NULL;

    for (size_t i = 0; i < ARRAY_SIZE(machines); i++)
        if (machines[i].native == native)
            m = &machines[i];
    if (!m)
        return err_set(err, ERR_SYSTEM, ENOSYS,
                       "there is no system call filter for this machine's architecture");
    p->count = 0;
    emit_load(p, offsetof(struct seccomp_data, arch));
    for (size_t i = 0; i < ARRAY_SIZE(m->tokens); i++) {
        size_t at = p->count;

        emit(p, BPF_JMP | BPF_JEQ | BPF_K, m->tokens[i], 1, 0);
        emit(p, BPF_JMP | BPF_JA, 0, 0, 0);
        emit_load(p, offsetof(struct seccomp_data, nr));
        if (m->tokens[i] == SCMP_ARCH_X86_64) {
            emit(p, BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 0, 1);
            emit_return(p, RET_ENOSYS);
        }
        collect(m->tokens[i], want, rules);
        emit_tree(p, rules->items, rules->count);
        p->code[at + 1].k = (uint32_t)(p->count - at - 2);
    }
    emit_return(p, SECCOMP_RET_KILL_PROCESS);
    BUG_ON(p->count > BPF_MAXINSNS);
    return 0;
}

int seccomp_program_compile(uint64_t caps, struct seccomp_program *p, struct err *err)
{
    return compile(&(struct wanted){.caps = caps}, p, err);
}

int seccomp_program_compile_recording(uint64_t caps, bool unconfined, struct seccomp_program *p,
                                      struct err *err)
{
    return compile(&(struct wanted){.caps = caps, .record = true, .unconfined = unconfined}, p,
                   err);
}

int seccomp_number(uint32_t arch, const char *name)
{
    return number_of(arch, name);
}

bool seccomp_arches(uint32_t arches[static 2])
{
    uint32_t native = seccomp_arch_native();

    for (size_t i = 0; i < ARRAY_SIZE(machines); i++)
        if (machines[i].native == native) {
            memcpy(arches, machines[i].tokens, sizeof(machines[i].tokens));
            return true;
        }
    return false;
}

/* Once the recorder has a call, no signal but a deadly one takes it back, or the caller would do
 * twice what was done already (Linux 5.19). */
#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1u << 5)
#endif

int seccomp_listen(const struct seccomp_program *p, struct err *err)
{
    const unsigned flags = SECCOMP_FILTER_FLAG_SPEC_ALLOW | SECCOMP_FILTER_FLAG_NEW_LISTENER;
    struct sock_fprog prog = {.len = (unsigned short)p->count, .filter = p->code};
    long fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
                      flags | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, &prog);

    if (fd < 0 && errno == EINVAL)
        fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &prog);
    return fd < 0 ? err_errno(err, "listen to system calls") : (int)fd;
}

void seccomp_program_release(struct seccomp_program *p)
{
    free(p->code);
    *p = (struct seccomp_program){0};
}

int seccomp_program_load(const struct seccomp_program *p, struct err *err)
{
    struct sock_fprog prog = {.len = (unsigned short)p->count, .filter = p->code};

    /* Kernels before 5.16 slow every filtered process down against speculation unless told not to.
     */
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, &prog) == 0)
        return 0;
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) < 0)
        return err_errno(err, "load the system call filter (%zu instructions)", p->count);
    return 0;
}
