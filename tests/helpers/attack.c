/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a hostile RUN step would try, from inside: attack NAME [ARGUMENT…]. 0: it was held off; 1:
 * it came through, and how. Needs nothing beside it: 48-attacks.sh links it statically and copies
 * it into an image.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

static int broken;

#define THROUGH(...) (printf("came through: " __VA_ARGS__), putchar('\n'), broken = 1)

/* None but 0 to 2, and these are no way to anything: a pipe or /dev/null. */
static void descriptors(char **args)
{
    (void)args;
    for (int fd = 0; fd < 4096; fd++) {
        struct stat st;

        if (fstat(fd, &st) < 0)
            continue;
        if (fd > 2)
            THROUGH("descriptor %d is open (mode %o)", fd, st.st_mode);
        else if (S_ISDIR(st.st_mode) || S_ISREG(st.st_mode) || S_ISBLK(st.st_mode) ||
                 S_ISSOCK(st.st_mode))
            THROUGH("descriptor %d is of mode %o", fd, st.st_mode);
    }
}

static pid_t last_pid(void)
{
    return getpid() + 2000;
}

/* Whom we could signal: ourselves, and process 1 where it is our own init. Nothing is sent: if a
 * sandbox should ever be broken, this must not be what kills the machine. */
static void signals(char **args)
{
    int others = 0;

    (void)args;
    for (pid_t pid = 2; pid < last_pid(); pid++)
        if (pid != getpid() && kill(pid, 0) == 0 && getpgid(pid) != getpgid(0) && others++ < 5)
            THROUGH("process %d can be signalled", pid);
}

static void trace(char **args)
{
    char word[8];

    (void)args;
    for (pid_t pid = 1; pid < last_pid(); pid++) {
        struct iovec to = {word, sizeof(word)}, from = {(void *)0x400000, sizeof(word)};

        if (pid == getpid())
            continue;
        if (ptrace(PTRACE_SEIZE, pid, 0, 0) == 0) /* it is let go when we end */
            THROUGH("process %d can be traced", pid);
        if (process_vm_readv(pid, &to, 1, &from, 1, 0) >= 0 || errno == EFAULT)
            THROUGH("the memory of process %d can be read", pid);
        if (syscall(SYS_kcmp, pid, getpid(), 2, 0, 0) >= 0)
            THROUGH("process %d can be compared (kcmp)", pid);
    }
}

static bool file_has(const char *path, const char *text)
{
    static char bytes[1 << 20];
    int fd = open(path, O_RDONLY);
    ssize_t n = fd < 0 ? -1 : read(fd, bytes, sizeof(bytes) - 1);

    if (fd >= 0)
        close(fd);
    return n > 0 && memmem(bytes, (size_t)n, text, strlen(text));
}

/* args: a text in the builder's environment, a file outside of the root. */
static void proc(char **args)
{
    static const char *const ways[] = {"root", "cwd"};
    char path[512];

    for (pid_t pid = 1; pid < last_pid(); pid++) {
        if (pid == getpid())
            continue;
        snprintf(path, sizeof(path), "/proc/%d/environ", pid);
        if (file_has(path, args[0]))
            THROUGH("%s tells the builder's environment", path);
        snprintf(path, sizeof(path), "/proc/%d/mem", pid);
        int fd = open(path, O_RDWR);
        if (fd >= 0)
            THROUGH("%s can be opened", path);
        for (fd = 0; fd < 64; fd++) {
            snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, fd);
            if (access(path, F_OK) == 0 && open(path, O_RDONLY | O_NONBLOCK) >= 0)
                THROUGH("%s can be opened", path);
        }
        for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
            snprintf(path, sizeof(path), "/proc/%d/%s%s", pid, ways[i], args[1]);
            if (access(path, F_OK) == 0)
                THROUGH("%s can be seen", path);
        }
    }
}

/* Isolation chroot has copies where others have the kernel's files: these may be written. */
static bool is_kernels(int fd)
{
    static const long kinds[] = {0x9fa0, 0x62656572, 0x27e0eb, 0x63677270, 0x42494e4d};
    struct statfs fs;
    struct stat st;

    if (fstatfs(fd, &fs) < 0 || fstat(fd, &st) < 0 || S_ISCHR(st.st_mode))
        return true;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (fs.f_type == kinds[i])
            return true;
    return false;
}

static void sysctls(char **args)
{
    static const char *const files[] = {"/proc/sys/kernel/core_pattern",
                                        "/proc/sys/kernel/modprobe",
                                        "/proc/sys/kernel/hostname",
                                        "/proc/sys/vm/drop_caches",
                                        "/proc/sys/fs/binfmt_misc/register",
                                        "/proc/sysrq-trigger",
                                        "/proc/irq/default_smp_affinity",
                                        "/proc/bus/pci/00/00.0",
                                        "/sys/kernel/uevent_helper",
                                        "/sys/power/state",
                                        "/sys/fs/cgroup/cgroup.procs",
                                        "/sys/fs/cgroup/memory/release_agent",
                                        "/dev/mem",
                                        "/dev/kmsg"};

    (void)args;
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        int fd = open(files[i], O_WRONLY);

        if (fd >= 0 && is_kernels(fd))
            THROUGH("%s can be written", files[i]);
    }
}

static void calls(char **args)
{
    static const int flags[] = {CLONE_NEWUSER, CLONE_NEWNS,  CLONE_NEWPID,
                                CLONE_NEWNET,  CLONE_NEWIPC, CLONE_NEWUTS};
    char payload[] = "x";

    (void)args;
    if (syscall(SYS_keyctl, 0, -3, 1) >= 0)
        THROUGH("keyctl tells the session keyring");
    if (syscall(SYS_add_key, "user", "x", payload, 1, -3) >= 0)
        THROUGH("add_key adds to the session keyring");
    if (syscall(SYS_request_key, "user", "x", NULL, -3) >= 0 || errno == ENOKEY)
        THROUGH("request_key searches");
    if (syscall(SYS_bpf, 0, NULL, 0) >= 0 || errno == EINVAL || errno == EFAULT)
        THROUGH("bpf is not refused");
    if (syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0) >= 0 || errno == EFAULT)
        THROUGH("perf_event_open is not refused");
    if (syscall(SYS_userfaultfd, 0) >= 0)
        THROUGH("userfaultfd");
    if (syscall(SYS_io_uring_setup, 1, NULL) >= 0 || errno == EFAULT)
        THROUGH("io_uring_setup is not refused");
    if (mount("t", "/no such place", "tmpfs", 0, NULL) == 0 || errno != EPERM)
        THROUGH("mount is not refused");
    if (syscall(SYS_sethostname, NULL, 1) == 0 || errno != EPERM)
        THROUGH("sethostname is not refused");
    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
        if (unshare(flags[i]) == 0)
            THROUGH("unshare(%x)", flags[i]);
    if (open("/dev/tty", O_RDWR) >= 0)
        THROUGH("there is a terminal");
}

/* The oldest way out of a chroot; args: a file outside. */
static void breakout(char **args)
{
    int up = open("/", O_RDONLY | O_DIRECTORY);
    char path[1024] = "";
    struct stat st;

    if (access(args[0], F_OK) == 0 && open(args[0], O_RDONLY) >= 0)
        THROUGH("%s can be read", args[0]);
    mkdir("/sub", 0700);
    if (chroot("/sub") < 0 || fchdir(up) < 0)
        return;
    for (int i = 0; i < 40; i++)
        (void)!chdir("..");
    snprintf(path, sizeof(path), "%s", args[0] + 1);
    if (open(path, O_RDONLY) >= 0)
        THROUGH("out of the root: %s can be read", args[0]);
    snprintf(path, sizeof(path), "%s-new", args[0] + 1);
    if (open(path, O_WRONLY | O_CREAT, 0600) >= 0)
        THROUGH("out of the root: %s-new can be made", args[0]);
    if (open(args[0] + 1, O_WRONLY) >= 0)
        THROUGH("out of the root: %s can be written", args[0]);
    if (stat(args[0] + 1, &st) == 0 && chmod(args[0] + 1, st.st_mode & 07777) == 0)
        THROUGH("out of the root: the mode of %s can be changed", args[0]);
}

/* The disk that a file lies on, as a device of our own; args: major, minor. */
static void disk(char **args)
{
    dev_t dev = makedev((unsigned)strtoul(args[0], NULL, 10), (unsigned)strtoul(args[1], NULL, 10));

    char byte;
    int fd;

    if (mknod("/disk", S_IFBLK | 0600, dev) < 0)
        return;
    fd = open("/disk", O_RDONLY); /* isolation single: a placeholder, which is empty */
    if (fd >= 0 && read(fd, &byte, 1) == 1)
        THROUGH("the host's disk can be read");
    unlink("/disk");
}

static void core(char **args)
{
    struct rlimit limit;
    pid_t pid;
    int status;
    char bytes[64];

    (void)args;
    if (getrlimit(RLIMIT_CORE, &limit) == 0 && limit.rlim_cur != 0)
        THROUGH("cores are written (limit %llu)", (unsigned long long)limit.rlim_cur);
    pid = fork();
    if (pid == 0) {
        (void)!chdir("/");
        abort();
    }
    waitpid(pid, &status, 0);
    snprintf(bytes, sizeof(bytes), "/core.%d", pid);
    if (WCOREDUMP(status) || access("/core", F_OK) == 0 || access(bytes, F_OK) == 0)
        THROUGH("a core was written");
}

static const struct {
    const char *name;
    void (*run)(char **args);
    int args;
} attacks[] = {
    {"descriptors", descriptors, 0},
    {"signals", signals, 0},
    {"trace", trace, 0},
    {"proc", proc, 2},
    {"sysctls", sysctls, 0},
    {"calls", calls, 0},
    {"breakout", breakout, 1},
    {"disk", disk, 2},
    {"core", core, 0},
};

int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < sizeof(attacks) / sizeof(attacks[0]); i++)
        if (strcmp(argv[1], attacks[i].name) == 0 && argc == 2 + attacks[i].args) {
            attacks[i].run(argv + 2);
            return broken;
        }
    fprintf(stderr, "attack: unknown\n");
    return 2;
}
