/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starts a command as a host that allows less would: hostile SPEC COMMAND [ARG…]
 *
 * SPEC is traits and presets (sets of traits), joined by '+': "docker-default", "single+nnp".
 *     container          mount, pid, ipc and uts namespaces of its own; the command is process 1;
 * /sys is read-only caps               Docker's 14 capabilities and no way to more no-caps none at
 * all seccomp            refuses what Docker's default profile refuses to these capabilities nnp
 * no_new_privs proc               a /proc with Docker's masked and read-only paths, and no other in
 * sight no-userns          max_user_namespaces is 0, in a user namespace of all ids: the host's own
 * number stays one-id             a user namespace that maps id 0 and nothing else user[=NAME|UID]
 * an ordinary user; 4321, whom no file of the system knows, unless said otherwise overlay=DIR DIR
 * lies on an overlay; what is written to it is kept in DIR.upper no-tun             /dev/net/tun is
 * there and cannot be opened no-newuidmap       newuidmap and newgidmap are not installed apparmor
 * as where AppArmor restricts user namespaces: they can be made, but ids cannot be mapped and
 * nothing mounted (by Landlock; the errno of the first is EACCES) Nothing outlives the command. To
 * be started by root. Exit status: the command's; 125 for our own failures.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <pwd.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/scope.h"
#include "base/str.h"

#define DOCKER_CAPS 0xa80425fbu
#define STRANGER 4321

enum trait {
    CONTAINER = 1 << 0,
    CAPS = 1 << 1,
    NO_CAPS = 1 << 2,
    SECCOMP = 1 << 3,
    NNP = 1 << 4,
    PROC = 1 << 5,
    NO_USERNS = 1 << 6,
    ONE_ID = 1 << 7,
    USER = 1 << 8,
    OVERLAY = 1 << 9,
    NO_TUN = 1 << 10,
    NO_NEWUIDMAP = 1 << 11,
    APPARMOR = 1 << 12,
};

static const struct {
    const char *name;
    unsigned traits;
} words[] = {
    {"container", CONTAINER},
    {"caps", CAPS},
    {"no-caps", NO_CAPS},
    {"seccomp", SECCOMP},
    {"nnp", NNP},
    {"proc", CONTAINER | PROC},
    {"no-userns", NO_USERNS},
    {"one-id", ONE_ID},
    {"user", USER},
    {"overlay", OVERLAY},
    {"no-tun", NO_TUN},
    {"no-newuidmap", NO_NEWUIDMAP},
    {"apparmor", APPARMOR},
    /* hosts one meets */
    {"docker-default", CONTAINER | CAPS | SECCOMP | PROC | NO_TUN},
    {"docker-default-user", CONTAINER | CAPS | SECCOMP | PROC | NO_TUN | USER},
    {"kubernetes", CONTAINER | CAPS | PROC | NO_TUN},
    {"kubernetes-user", CONTAINER | CAPS | PROC | NO_TUN | USER},
    {"restricted", CONTAINER | NO_CAPS | SECCOMP | NNP | PROC | NO_TUN | USER},
    {"single", USER},
    {"single-root", CONTAINER | ONE_ID},
    {"user-no-userns", NO_USERNS | USER},
    {"user-container", CONTAINER | USER},
    {"user-nnp", NNP | USER},
    {"user-no-newuidmap", NO_NEWUIDMAP | USER},
    {"ubuntu-apparmor", APPARMOR | USER},
};

struct host {
    unsigned traits;
    uid_t uid;
    gid_t gid;
    const char *account; /* NULL: no account, no groups */
    const char *overlay; /* directory */
};

/* Leaks are looked for by ptrace, of which our hosts have none; read by the sanitizer before main.
 */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}

__attribute__((format(printf, 1, 2), noreturn)) static void die(const char *fmt, ...)
{
    int code = errno;
    va_list args;

    fprintf(stderr, "hostile: ");
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fprintf(stderr, ": %s\n", strerror(code));
    _exit(125);
}

/* ---- the command line ---- */

static void take_user(struct host *h, const char *value)
{
    uint64_t number;
    struct passwd *pw;

    h->uid = h->gid = STRANGER;
    if (!value)
        return;
    if (str_u64(str_of(value), &number)) {
        h->uid = h->gid = (uid_t)number;
        return;
    }
    errno = ENOENT;
    pw = getpwnam(value);
    if (!pw)
        die("user %s", value);
    h->uid = pw->pw_uid;
    h->gid = pw->pw_gid;
    h->account = value;
}

static void take_word(struct host *h, const char *word, const char *value)
{
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        if (strcmp(word, words[i].name) != 0)
            continue;
        h->traits |= words[i].traits;
        if ((words[i].traits & USER) && (value || !h->uid))
            take_user(h, value);
        if (words[i].traits & OVERLAY)
            h->overlay = value;
        return;
    }
    errno = EINVAL;
    die("unknown trait \"%s\"", word);
}

static void take_spec(struct host *h, char *spec)
{
    char *word;

    while ((word = strsep(&spec, "+"))) {
        char *value = word;

        word = strsep(&value, "=");
        take_word(h, word, value);
    }
    errno = EINVAL;
    if ((h->traits & OVERLAY) && (!h->overlay || h->overlay[0] != '/'))
        die("overlay wants an absolute directory");
}

/* ---- mounts ---- */

static void xmount(const char *source, const char *target, const char *type, unsigned long flags,
                   const char *data)
{
    if (mount(source, target, type, flags, data) < 0)
        die("mount %s on %s", source ? source : "nothing", target);
}

static void read_only(const char *path)
{
    struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY};

    if (syscall(SYS_mount_setattr, AT_FDCWD, path, AT_RECURSIVE, &attr, sizeof(attr)) < 0)
        die("make %s read-only", path);
}

static bool exists(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0;
}

static void mask(const char *path)
{
    struct stat st;

    if (stat(path, &st) < 0)
        return;
    if (S_ISDIR(st.st_mode))
        xmount("tmpfs", path, "tmpfs", MS_RDONLY, "size=0");
    else
        xmount("/dev/null", path, NULL, MS_BIND, NULL);
}

/* The old one goes first: as long as a whole /proc is in the namespace, another may be mounted. */
static void mask_proc(void)
{
    static const char *const masked[] = {"/proc/acpi",        "/proc/asound", "/proc/interrupts",
                                         "/proc/kcore",       "/proc/keys",   "/proc/timer_list",
                                         "/proc/sched_debug", "/proc/scsi",   "/sys/firmware"};
    static const char *const fixed[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
                                        "/proc/sysrq-trigger"};

    for (size_t i = 0; i < ARRAY_SIZE(masked); i++)
        mask(masked[i]);
    for (size_t i = 0; i < ARRAY_SIZE(fixed); i++) {
        if (!exists(fixed[i]))
            continue;
        xmount(fixed[i], fixed[i], NULL, MS_BIND | MS_REC, NULL);
        read_only(fixed[i]);
    }
}

static void new_proc(void)
{
    while (umount2("/proc", MNT_DETACH) == 0)
        ;
    xmount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
}

static void hide_tun(void)
{
    if (!exists("/dev/net"))
        return;
    xmount("tmpfs", "/dev/net", "tmpfs", MS_NODEV, "size=64k,mode=755");
    if (mknod("/dev/net/tun", S_IFCHR | 0666, 10 << 8 | 200) < 0)
        die("make /dev/net/tun");
}

/* An overlay whose upper directory is in memory, and then truly removed. */
static void remove_newuidmap(void)
{
    xmount("tmpfs", "/mnt", "tmpfs", 0, "size=1m");
    if (mkdir("/mnt/upper", 0755) < 0 || mkdir("/mnt/work", 0755) < 0)
        die("make directories");
    xmount("overlay", "/usr/bin", "overlay", 0,
           "lowerdir=/usr/bin,upperdir=/mnt/upper,workdir=/mnt/work");
    umount2("/mnt", MNT_DETACH);
    if (unlink("/usr/bin/newuidmap") < 0 || unlink("/usr/bin/newgidmap") < 0)
        die("remove newuidmap");
}

static void put_on_overlay(const struct host *h)
{
    char options[3 * 4096 + 64], upper[4096], work[4096];

    snprintf(upper, sizeof(upper), "%s.upper", h->overlay);
    snprintf(work, sizeof(work), "%s.work", h->overlay);
    if ((mkdir(upper, 0755) < 0 || chown(upper, h->uid, h->gid) < 0) && errno != EEXIST)
        die("make %s", upper);
    if (mkdir(work, 0755) < 0 && errno != EEXIST)
        die("make %s", work);
    snprintf(options, sizeof(options), "lowerdir=%s,upperdir=%s,workdir=%s,index=off,metacopy=off",
             h->overlay, upper, work);
    xmount("overlay", h->overlay, "overlay", 0, options);
}

static void arrange_mounts(const struct host *h)
{
    xmount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
    if (h->traits & CONTAINER)
        new_proc();
    if (h->traits & OVERLAY)
        put_on_overlay(h);
    if (h->traits & NO_TUN)
        hide_tun();
    if (h->traits & NO_NEWUIDMAP)
        remove_newuidmap();
    if (h->traits & PROC)
        mask_proc();
    if (h->traits & CONTAINER)
        read_only("/sys");
}

/* ---- user namespaces ---- */

static void write_text(int dir_fd, const char *path, const char *text)
{
    int fd = openat(dir_fd, path, O_WRONLY | O_CLOEXEC);

    if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
        die("write %s", path);
    close(fd);
}

/* Only one outside the new namespace can map more than one id: a child that stays behind. */
static void new_user(const char *map)
{
    int ready[2], status;
    char path[64];
    pid_t outside, me = getpid();
    char byte;

    if (pipe2(ready, O_CLOEXEC) < 0)
        die("pipe");
    outside = fork();
    if (outside < 0)
        die("fork");
    if (outside == 0) {
        close(ready[1]);
        if (read(ready[0], &byte, 1) != 1)
            _exit(125);
        snprintf(path, sizeof(path), "/proc/%d/uid_map", me);
        write_text(AT_FDCWD, path, map);
        snprintf(path, sizeof(path), "/proc/%d/gid_map", me);
        write_text(AT_FDCWD, path, map);
        _exit(0);
    }
    if (setgroups(0, NULL) < 0 || unshare(CLONE_NEWUSER) < 0)
        die("make a user namespace");
    if (write(ready[1], "", 1) != 1 || waitpid(outside, &status, 0) < 0 || status != 0)
        _exit(125);
    close(ready[0]);
    close(ready[1]);
    if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
        die("become root of the user namespace");
    if (unshare(CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS) < 0)
        die("make namespaces below the user namespace");
}

/* A whole /proc that no path leads to, for the sysctl that belongs to a user namespace. */
static int detached_proc(void)
{
    int fs = (int)syscall(SYS_fsopen, "proc", 1);
    int fd = fs < 0 || syscall(SYS_fsconfig, fs, 6, NULL, NULL, 0) < 0
                 ? -1
                 : (int)syscall(SYS_fsmount, fs, 1, 0);

    if (fd < 0)
        die("mount proc");
    close(fs);
    return fd;
}

/* ---- what the process may ---- */

/* held: what the process keeps for the moment; bound: what anything it starts can have. */
static void keep_caps(uint64_t held, uint64_t bound)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {0};

    for (unsigned cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
        if (!(bound >> cap & 1) && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
            die("drop capability %u", cap);
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    data[0].effective = data[0].permitted = (uint32_t)held;
    data[1].effective = data[1].permitted = (uint32_t)(held >> 32);
    if (syscall(SYS_capset, &head, data) < 0)
        die("set capabilities");
}

static const char refused[] =
    "mount umount umount2 pivot_root setns unshare fsopen fsconfig fsmount fspick open_tree "
    "move_mount mount_setattr open_by_handle_at keyctl add_key request_key bpf perf_event_open "
    "fanotify_init io_uring_setup io_uring_enter io_uring_register userfaultfd pidfd_getfd "
    "lookup_dcookie quotactl quotactl_fd sethostname setdomainname swapon swapoff syslog vhangup "
    "reboot kexec_load kexec_file_load init_module finit_module delete_module acct settimeofday "
    "clock_settime stime iopl ioperm mbind set_mempolicy get_mempolicy move_pages migrate_pages "
    "uselib ustat sysfs nfsservctl vm86 vm86old";
static const char unknown[] = "clone3 statmount listmount open_tree_attr";
static const uint32_t clone_namespaces[] = {0x20000,    0x2000000,  0x4000000, 0x8000000,
                                            0x10000000, 0x20000000, 0x40000000};

static void refuse(scmp_filter_ctx ctx, const char *names, int code)
{
    char copy[1024], *rest = copy, *name;

    snprintf(copy, sizeof(copy), "%s", names);
    while ((name = strsep(&rest, " "))) {
        int nr = seccomp_syscall_resolve_name(name);

        if (nr == __NR_SCMP_ERROR) /* a libseccomp that does not know it yet */
            continue;
        errno = -seccomp_rule_add(ctx, SCMP_ACT_ERRNO((uint32_t)code), nr, 0);
        if (errno)
            die("refuse %s", name);
    }
}

static void refuse_calls(void)
{
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);

    if (!ctx || seccomp_attr_set(ctx, SCMP_FLTATR_CTL_NNP, 0) < 0)
        die("begin a filter");
#ifdef __x86_64__
    if (seccomp_arch_add(ctx, SCMP_ARCH_X86) < 0)
        die("filter 32-bit calls");
#endif
    refuse(ctx, refused, EPERM);
    refuse(ctx, unknown, ENOSYS);
    for (size_t i = 0; i < ARRAY_SIZE(clone_namespaces); i++) {
        uint64_t flag = clone_namespaces[i];

        errno = -seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
                                  SCMP_A0(SCMP_CMP_MASKED_EQ, flag, flag));
        if (errno)
            die("refuse clone");
    }
    errno = -seccomp_load(ctx);
    if (errno)
        die("load the filter");
    seccomp_release(ctx);
}

/* Files may be written below every directory of / but /proc; a Landlock domain cannot mount. */
static void restrict_like_apparmor(void)
{
    struct landlock_ruleset_attr attr = {.handled_access_fs = LANDLOCK_ACCESS_FS_WRITE_FILE |
                                                              LANDLOCK_ACCESS_FS_REFER};
    int set = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
    DIR *root = opendir("/");
    struct dirent *entry;

    if (set < 0 || !root)
        die("Landlock");
    while ((entry = readdir(root))) {
        struct landlock_path_beneath_attr rule = {.allowed_access = attr.handled_access_fs};

        if (entry->d_name[0] == '.' || strcmp(entry->d_name, "proc") == 0)
            continue;
        rule.parent_fd = openat(dirfd(root), entry->d_name, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (rule.parent_fd < 0)
            continue;
        if (syscall(SYS_landlock_add_rule, set, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0)
            die("Landlock rule for /%s", entry->d_name);
        close(rule.parent_fd);
    }
    closedir(root);
    if (syscall(SYS_landlock_restrict_self, set, 0) < 0)
        die("Landlock");
    close(set);
}

static void become_user(const struct host *h)
{
    if (h->account ? initgroups(h->account, h->gid) < 0 : setgroups(0, NULL) < 0)
        die("set groups");
    if (setresgid(h->gid, h->gid, h->gid) < 0 || setresuid(h->uid, h->uid, h->uid) < 0)
        die("become user %u", h->uid);
}

static void run(const struct host *h, char **argv)
{
    int proc = -1;

    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (h->traits & NO_USERNS)
        proc = detached_proc();
    arrange_mounts(h);
    if (h->traits & ONE_ID)
        new_user("0 0 1");
    if (h->traits & NO_USERNS) {
        new_user("0 0 4294967295");
        write_text(proc, "sys/user/max_user_namespaces", "0");
        close(proc);
    }
    if (h->traits & APPARMOR)
        restrict_like_apparmor();
    if (h->traits & SECCOMP)
        refuse_calls();
    if (h->traits & (CAPS | NO_CAPS)) {
        uint64_t bound = h->traits & NO_CAPS ? 0 : DOCKER_CAPS;

        keep_caps(h->traits & USER ? bound | 1 << CAP_SETUID | 1 << CAP_SETGID : bound, bound);
    }
    if (h->traits & USER)
        become_user(h);
    if (h->traits & NNP)
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0); /* another user has none of the old one */
    execvp(argv[0], argv);
    die("%s", argv[0]);
}

static volatile pid_t child;

static void pass_on(int number)
{
    if (child > 0)
        kill(child, number);
}

int main(int argc, char **argv)
{
    struct host h = {0};
    int status;

    if (argc < 3) {
        fprintf(stderr, "usage: hostile SPEC COMMAND [ARG...]\n");
        return 125;
    }
    take_spec(&h, argv[1]);
    if (unshare(CLONE_NEWNS |
                (h.traits & CONTAINER ? CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS : 0)) < 0)
        die("make namespaces");
    child = fork();
    if (child < 0)
        die("fork");
    if (child == 0)
        run(&h, argv + 2);
    signal(SIGTERM, pass_on);
    signal(SIGINT, pass_on);
    signal(SIGHUP, pass_on);
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            die("wait");
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
