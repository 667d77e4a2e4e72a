/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RUNTIME_NOTIFY_H
#define RUNTIME_NOTIFY_H

/*
 * The ownership recorder of the rung `single`: one process for each sandbox, beside the spawner. A
 * filter in the sandbox hands it the calls that set or tell owners (chown, mknod, stat, set*id and
 * kin; seccomp_unotify(2)); it does with the file what the kernel allows, keeps the rest as a
 * record (runtime/record.h) and answers as if all had been done. It ends when the last process
 * under the filter has ended.
 *
 * It sees files as the caller does (root, working directory, links), for it takes the caller's root
 * and directory for the moment of the call. What it cannot see is left to the kernel. It is no
 * boundary: the sandbox's root has no power outside, whatever the recorder believes.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* What the filter hands over. */
enum notify_call {
    NOTIFY_CHOWN,    /* path, uid, gid */
    NOTIFY_LCHOWN,   /* path, uid, gid */
    NOTIFY_FCHOWN,   /* fd, uid, gid */
    NOTIFY_FCHOWNAT, /* dirfd, path, uid, gid, flags */
    NOTIFY_MKNOD,    /* path, mode, dev */
    NOTIFY_MKNODAT,
    NOTIFY_STAT, /* path, buffer */
    NOTIFY_LSTAT,
    NOTIFY_FSTAT,
    NOTIFY_FSTATAT, /* dirfd, path, buffer, flags */
    NOTIFY_STATX,
    NOTIFY_OPEN, /* with O_CREAT or O_TMPFILE */
    NOTIFY_OPENAT,
    NOTIFY_OPENAT2,
    NOTIFY_CREAT,
    NOTIFY_MKDIR,
    NOTIFY_MKDIRAT,
    NOTIFY_SYMLINK,
    NOTIFY_SYMLINKAT,
    NOTIFY_EXECVE,
    NOTIFY_EXECVEAT,
    NOTIFY_CHROOT,
    NOTIFY_LISTXATTR, /* path or fd, buffer, size */
    NOTIFY_LLISTXATTR,
    NOTIFY_FLISTXATTR,
    NOTIFY_SETUID,
    NOTIFY_SETGID,
    NOTIFY_SETREUID,
    NOTIFY_SETREGID,
    NOTIFY_SETRESUID,
    NOTIFY_SETRESGID,
    NOTIFY_SETFSUID,
    NOTIFY_SETFSGID,
    NOTIFY_SETGROUPS,
    NOTIFY_GETUID,
    NOTIFY_GETEUID,
    NOTIFY_GETGID,
    NOTIFY_GETEGID,
    NOTIFY_GETRESUID,
    NOTIFY_GETRESGID,
    NOTIFY_GETGROUPS,
    NOTIFY_KEEPCAPS, /* prctl(PR_SET_KEEPCAPS) */
    NOTIFY_CAPSET,
    NOTIFY_PEER,      /* getsockopt(SO_PEERCRED) */
    NOTIFY_SETRLIMIT, /* of RLIMIT_LOCKS, which means nothing and carries ids (notify_ids.c) */
    NOTIFY_PRLIMIT,
};
struct notify_name {
    const char *name;
    enum notify_call call;
    bool native_only; /* the 32-bit form hands over a structure of its own and is left alone */
    bool narrow;      /* the 32-bit form has ids of 16 bits */
    /* Only when this argument (from 1; 0: always) is `value`, or has one of the bits `bits`. */
    uint8_t argument;
    uint32_t value, bits;
};
extern const struct notify_name notify_names[];
extern const size_t notify_names_count;

/* In the sandbox: the listener, and where owners of links go (-1: nowhere), to the recorder. */
struct plan;
int notify_send(int recorder_fd, int listener_fd, const struct plan *plan, struct err *err);
/* Whether this kernel, or the sandbox we are in, gives us a listener: tried in a child. */
int notify_probe(struct err *err);
/* The numbers of the calls, learnt once. free() */
struct notify_numbers *notify_learn_numbers(void);
/* The recorder's process. Where the kernel does not tell it that all have ended (before Linux 6.11)
 * it has to be killed. */
void notify_main(int socket_fd, const struct notify_numbers *numbers) __attribute__((noreturn));

#endif
