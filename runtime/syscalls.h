/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RUNTIME_SYSCALLS_H
#define RUNTIME_SYSCALLS_H

/* Calls that libc has no function for, and flags its headers lack. As a libc function: -1 and
 * errno. */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x00001000
#endif
#ifndef CLONE_NEWCGROUP
#define CLONE_NEWCGROUP 0x02000000
#endif

static inline int sys_pivot_root(const char *new_root, const char *put_old)
{
    return (int)syscall(SYS_pivot_root, new_root, put_old);
}

/* The first 64 bytes of struct clone_args, the form of Linux 5.3. */
struct sys_clone_args {
    uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
};

/*
 * fork() into new namespaces, with a pidfd. clone3 where there is one: filters of outer containers
 * answer ENOSYS to it because they cannot see its flags, and let clone pass.
 */
static inline pid_t sys_fork(uint64_t flags, int *pidfd)
{
    struct sys_clone_args args = {
        .flags = flags | CLONE_PIDFD, .pidfd = (uint64_t)(uintptr_t)pidfd, .exit_signal = SIGCHLD};
    long pid = syscall(SYS_clone3, &args, sizeof(args));

    if (pid < 0 && errno == ENOSYS) /* both orders of arguments (clone(2), "C library/kernel
                                       differences") agree here */
        pid = syscall(SYS_clone, flags | CLONE_PIDFD | SIGCHLD, 0, pidfd, 0, 0);
    return (pid_t)pid;
}

#endif
