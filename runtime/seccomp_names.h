/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RUNTIME_SECCOMP_NAMES_H
#define RUNTIME_SECCOMP_NAMES_H

/* System calls a sandbox may always make, whatever their arguments: those of Docker's default profile (moby/profiles,
 * seccomp/default.json). A name that an architecture does not have is passed over. */
static const char *const seccomp_allowed[] = {
    "_llseek", "_newselect", "accept", "accept4", "access", "adjtimex", "alarm", "arch_prctl",
    "arm_fadvise64_64", "arm_sync_file_range", "bind", "breakpoint", "brk", "cacheflush", "cachestat", "capget",
    "capset", "chdir", "chmod", "chown", "chown32", "clock_adjtime", "clock_adjtime64", "clock_getres",
    "clock_getres_time64", "clock_gettime", "clock_gettime64", "clock_nanosleep", "clock_nanosleep_time64",
    "close", "close_range", "connect", "copy_file_range", "creat", "dup", "dup2", "dup3", "epoll_create",
    "epoll_create1", "epoll_ctl", "epoll_ctl_old", "epoll_pwait", "epoll_pwait2", "epoll_wait",
    "epoll_wait_old", "eventfd", "eventfd2", "execve", "execveat", "exit", "exit_group", "faccessat",
    "faccessat2", "fadvise64", "fadvise64_64", "fallocate", "fanotify_mark", "fchdir", "fchmod", "fchmodat",
    "fchmodat2", "fchown", "fchown32", "fchownat", "fcntl", "fcntl64", "fdatasync", "fgetxattr", "flistxattr",
    "flock", "fork", "fremovexattr", "fsetxattr", "fstat", "fstat64", "fstatat64", "fstatfs", "fstatfs64",
    "fsync", "ftruncate", "ftruncate64", "futex", "futex_requeue", "futex_time64", "futex_wait", "futex_waitv",
    "futex_wake", "futimesat", "get_robust_list", "get_thread_area", "getcpu", "getcwd", "getdents",
    "getdents64", "getegid", "getegid32", "geteuid", "geteuid32", "getgid", "getgid32", "getgroups",
    "getgroups32", "getitimer", "getpeername", "getpgid", "getpgrp", "getpid", "getppid", "getpriority",
    "getrandom", "getresgid", "getresgid32", "getresuid", "getresuid32", "getrlimit", "getrusage", "getsid",
    "getsockname", "getsockopt", "gettid", "gettimeofday", "getuid", "getuid32", "getxattr", "getxattrat",
    "inotify_add_watch", "inotify_init", "inotify_init1", "inotify_rm_watch", "io_cancel", "io_destroy",
    "io_getevents", "io_pgetevents", "io_pgetevents_time64", "io_setup", "io_submit", "ioctl", "ioprio_get",
    "ioprio_set", "ipc", "kill", "landlock_add_rule", "landlock_create_ruleset", "landlock_restrict_self",
    "lchown", "lchown32", "lgetxattr", "link", "linkat", "listen", "listmount", "listxattr", "listxattrat",
    "llistxattr", "lremovexattr", "lseek", "lsetxattr", "lstat", "lstat64", "madvise", "map_shadow_stack",
    "membarrier", "memfd_create", "memfd_secret", "mincore", "mkdir", "mkdirat", "mknod", "mknodat", "mlock",
    "mlock2", "mlockall", "mmap", "mmap2", "modify_ldt", "mprotect", "mq_getsetattr", "mq_notify", "mq_open",
    "mq_timedreceive", "mq_timedreceive_time64", "mq_timedsend", "mq_timedsend_time64", "mq_unlink", "mremap",
    "mseal", "msgctl", "msgget", "msgrcv", "msgsnd", "msync", "munlock", "munlockall", "munmap",
    "name_to_handle_at", "nanosleep", "newfstatat", "open", "openat", "openat2", "pause", "pidfd_open",
    "pidfd_send_signal", "pipe", "pipe2", "pkey_alloc", "pkey_free", "pkey_mprotect", "poll", "ppoll",
    "ppoll_time64", "prctl", "pread64", "preadv", "preadv2", "prlimit64", "process_mrelease",
    "process_vm_readv", "process_vm_writev", "pselect6", "pselect6_time64", "ptrace", "pwrite64", "pwritev",
    "pwritev2", "read", "readahead", "readlink", "readlinkat", "readv", "recv", "recvfrom", "recvmmsg",
    "recvmmsg_time64", "recvmsg", "remap_file_pages", "removexattr", "removexattrat", "rename", "renameat",
    "renameat2", "restart_syscall", "rmdir", "rseq", "rt_sigaction", "rt_sigpending", "rt_sigprocmask",
    "rt_sigqueueinfo", "rt_sigreturn", "rt_sigsuspend", "rt_sigtimedwait", "rt_sigtimedwait_time64",
    "rt_tgsigqueueinfo", "sched_get_priority_max", "sched_get_priority_min", "sched_getaffinity",
    "sched_getattr", "sched_getparam", "sched_getscheduler", "sched_rr_get_interval",
    "sched_rr_get_interval_time64", "sched_setaffinity", "sched_setattr", "sched_setparam",
    "sched_setscheduler", "sched_yield", "seccomp", "select", "semctl", "semget", "semop", "semtimedop",
    "semtimedop_time64", "send", "sendfile", "sendfile64", "sendmmsg", "sendmsg", "sendto", "set_robust_list",
    "set_thread_area", "set_tid_address", "set_tls", "setfsgid", "setfsgid32", "setfsuid", "setfsuid32",
    "setgid", "setgid32", "setgroups", "setgroups32", "setitimer", "setpgid", "setpriority", "setregid",
    "setregid32", "setresgid", "setresgid32", "setresuid", "setresuid32", "setreuid", "setreuid32", "setrlimit",
    "setsid", "setsockopt", "setuid", "setuid32", "setxattr", "setxattrat", "shmat", "shmctl", "shmdt",
    "shmget", "shutdown", "sigaltstack", "signalfd", "signalfd4", "sigprocmask", "sigreturn", "socketcall",
    "socketpair", "splice", "stat", "stat64", "statfs", "statfs64", "statmount", "statx", "symlink",
    "symlinkat", "sync", "sync_file_range", "sync_file_range2", "syncfs", "sysinfo", "tee", "tgkill", "time",
    "timer_create", "timer_delete", "timer_getoverrun", "timer_gettime", "timer_gettime64", "timer_settime",
    "timer_settime64", "timerfd_create", "timerfd_gettime", "timerfd_gettime64", "timerfd_settime",
    "timerfd_settime64", "times", "tkill", "truncate", "truncate64", "ugetrlimit", "umask", "uname", "unlink",
    "unlinkat", "uretprobe", "utime", "utimensat", "utimensat_time64", "utimes", "vfork", "vmsplice", "wait4",
    "waitid", "waitpid", "write", "writev",
};

/* Allowed to a sandbox whose bounding set holds the capability. */
static const struct {
    unsigned cap; /* capabilities(7) */
    const char *name;
} seccomp_by_cap[] = {
    {2, "open_by_handle_at"},
    {16, "delete_module"}, {16, "init_module"}, {16, "finit_module"},
    {17, "iopl"}, {17, "ioperm"},
    {18, "chroot"},
    {19, "kcmp"}, {19, "pidfd_getfd"}, {19, "process_madvise"},
    {20, "acct"},
    {21, "bpf"}, {21, "clone"}, {21, "clone3"}, {21, "fanotify_init"},
    {21, "fsconfig"}, {21, "fsmount"}, {21, "fsopen"}, {21, "fspick"},
    {21, "lookup_dcookie"}, {21, "lsm_get_self_attr"}, {21, "lsm_list_modules"}, {21, "lsm_set_self_attr"},
    {21, "mount"}, {21, "mount_setattr"}, {21, "move_mount"}, {21, "open_tree"},
    {21, "perf_event_open"}, {21, "quotactl"}, {21, "quotactl_fd"}, {21, "setdomainname"},
    {21, "sethostname"}, {21, "setns"}, {21, "syslog"}, {21, "umount"},
    {21, "umount2"}, {21, "unshare"},
    {22, "reboot"},
    {23, "get_mempolicy"}, {23, "mbind"}, {23, "set_mempolicy"}, {23, "set_mempolicy_home_node"},
    {25, "settimeofday"}, {25, "stime"}, {25, "clock_settime"}, {25, "clock_settime64"},
    {26, "vhangup"},
    {34, "syslog"},
    {38, "perf_event_open"},
    {39, "bpf"},
};

/* Calls younger than libseccomp 2.5.4 (Debian 12); their numbers are the same everywhere (asm-generic/unistd.h). */
static const struct {
    const char *name;
    int number;
} seccomp_young[] = {
    {"futex_waitv", 449}, {"set_mempolicy_home_node", 450}, {"cachestat", 451}, {"fchmodat2", 452},
    {"map_shadow_stack", 453}, {"futex_wake", 454}, {"futex_wait", 455}, {"futex_requeue", 456},
    {"statmount", 457}, {"listmount", 458}, {"lsm_get_self_attr", 459}, {"lsm_set_self_attr", 460},
    {"lsm_list_modules", 461}, {"mseal", 462}, {"setxattrat", 463}, {"getxattrat", 464}, {"listxattrat", 465},
    {"removexattrat", 466},
};

/* 32-bit x86 got direct forms of what socketcall and ipc do in Linux 4.3 and 5.1 (arch/x86/entry/syscalls/syscall_32.tbl);
 * libseccomp has pseudo numbers for these names. */
static const struct {
    const char *name;
    int number;
} seccomp_x86_direct[] = {
    {"socket", 359}, {"socketpair", 360}, {"bind", 361}, {"connect", 362}, {"listen", 363}, {"accept4", 364},
    {"getsockopt", 365}, {"setsockopt", 366}, {"getsockname", 367}, {"getpeername", 368}, {"sendto", 369},
    {"sendmsg", 370}, {"recvfrom", 371}, {"recvmsg", 372}, {"shutdown", 373}, {"semget", 393}, {"semctl", 394},
    {"shmget", 395}, {"shmctl", 396}, {"shmat", 397}, {"shmdt", 398}, {"msgget", 399}, {"msgsnd", 400},
    {"msgrcv", 401}, {"msgctl", 402},
};

#endif
