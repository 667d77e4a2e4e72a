/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/notify.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/scope.h"
#include "runtime/notify_parts.h"
#include "runtime/plan.h"
#include "runtime/seccomp.h"

#define NEW_FILE (O_CREAT | (O_TMPFILE & ~O_DIRECTORY))

const struct notify_name notify_names[] = {
    {.name = "chown", .call = NOTIFY_CHOWN, .narrow = true},
    {.name = "chown32", .call = NOTIFY_CHOWN},
    {.name = "lchown", .call = NOTIFY_LCHOWN, .narrow = true},
    {.name = "lchown32", .call = NOTIFY_LCHOWN},
    {.name = "fchown", .call = NOTIFY_FCHOWN, .narrow = true},
    {.name = "fchown32", .call = NOTIFY_FCHOWN},
    {.name = "fchownat", .call = NOTIFY_FCHOWNAT},
    {.name = "mknod", .call = NOTIFY_MKNOD},
    {.name = "mknodat", .call = NOTIFY_MKNODAT},
    {.name = "stat", .call = NOTIFY_STAT, .native_only = true},
    {.name = "lstat", .call = NOTIFY_LSTAT, .native_only = true},
    {.name = "fstat", .call = NOTIFY_FSTAT, .native_only = true},
    {.name = "newfstatat", .call = NOTIFY_FSTATAT, .native_only = true},
    {.name = "statx", .call = NOTIFY_STATX},
    {.name = "open", .call = NOTIFY_OPEN, .argument = 2, .bits = NEW_FILE},
    {.name = "openat", .call = NOTIFY_OPENAT, .argument = 3, .bits = NEW_FILE},
    {.name = "openat2", .call = NOTIFY_OPENAT2},
    {.name = "creat", .call = NOTIFY_CREAT},
    {.name = "mkdir", .call = NOTIFY_MKDIR},
    {.name = "mkdirat", .call = NOTIFY_MKDIRAT},
    {.name = "symlink", .call = NOTIFY_SYMLINK},
    {.name = "symlinkat", .call = NOTIFY_SYMLINKAT},
    {.name = "execve", .call = NOTIFY_EXECVE},
    {.name = "execveat", .call = NOTIFY_EXECVEAT},
    {.name = "chroot", .call = NOTIFY_CHROOT},
    {.name = "listxattr", .call = NOTIFY_LISTXATTR},
    {.name = "llistxattr", .call = NOTIFY_LLISTXATTR},
    {.name = "flistxattr", .call = NOTIFY_FLISTXATTR},
    {.name = "setuid", .call = NOTIFY_SETUID, .narrow = true},
    {.name = "setuid32", .call = NOTIFY_SETUID},
    {.name = "setgid", .call = NOTIFY_SETGID, .narrow = true},
    {.name = "setgid32", .call = NOTIFY_SETGID},
    {.name = "setreuid", .call = NOTIFY_SETREUID, .narrow = true},
    {.name = "setreuid32", .call = NOTIFY_SETREUID},
    {.name = "setregid", .call = NOTIFY_SETREGID, .narrow = true},
    {.name = "setregid32", .call = NOTIFY_SETREGID},
    {.name = "setresuid", .call = NOTIFY_SETRESUID, .narrow = true},
    {.name = "setresuid32", .call = NOTIFY_SETRESUID},
    {.name = "setresgid", .call = NOTIFY_SETRESGID, .narrow = true},
    {.name = "setresgid32", .call = NOTIFY_SETRESGID},
    {.name = "setfsuid", .call = NOTIFY_SETFSUID, .narrow = true},
    {.name = "setfsuid32", .call = NOTIFY_SETFSUID},
    {.name = "setfsgid", .call = NOTIFY_SETFSGID, .narrow = true},
    {.name = "setfsgid32", .call = NOTIFY_SETFSGID},
    {.name = "setgroups", .call = NOTIFY_SETGROUPS, .native_only = true},
    {.name = "setgroups32", .call = NOTIFY_SETGROUPS},
    {.name = "getuid", .call = NOTIFY_GETUID},
    {.name = "getuid32", .call = NOTIFY_GETUID},
    {.name = "geteuid", .call = NOTIFY_GETEUID},
    {.name = "geteuid32", .call = NOTIFY_GETEUID},
    {.name = "getgid", .call = NOTIFY_GETGID},
    {.name = "getgid32", .call = NOTIFY_GETGID},
    {.name = "getegid", .call = NOTIFY_GETEGID},
    {.name = "getegid32", .call = NOTIFY_GETEGID},
    {.name = "getresuid", .call = NOTIFY_GETRESUID, .native_only = true},
    {.name = "getresuid32", .call = NOTIFY_GETRESUID},
    {.name = "getresgid", .call = NOTIFY_GETRESGID, .native_only = true},
    {.name = "getresgid32", .call = NOTIFY_GETRESGID},
    {.name = "prctl", .call = NOTIFY_KEEPCAPS, .argument = 1, .value = PR_SET_KEEPCAPS},
    {.name = "capset", .call = NOTIFY_CAPSET},
    {.name = "getsockopt", .call = NOTIFY_PEER, .argument = 3, .value = SO_PEERCRED},
    {.name = "setrlimit", .call = NOTIFY_SETRLIMIT, .argument = 1, .value = RLIMIT_LOCKS},
    {.name = "prlimit64", .call = NOTIFY_PRLIMIT, .argument = 2, .value = RLIMIT_LOCKS},
    {.name = "getgroups", .call = NOTIFY_GETGROUPS, .native_only = true},
    {.name = "getgroups32", .call = NOTIFY_GETGROUPS},
};
const size_t notify_names_count = ARRAY_SIZE(notify_names);

/* ---- in the sandbox ---- */

int notify_send(int recorder_fd, int listener_fd, const struct plan *plan, struct err *err)
{
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(2 * sizeof(int))];
    } control = {{0}};
    struct notify_ids ids = {.uid = {plan->uid, plan->uid, plan->uid},
                             .gid = {plan->gid, plan->gid, plan->gid},
                             .caps = plan->uid == 0 ? plan->caps : 0,
                             .permitted = plan->uid == 0 ? plan->caps : 0,
                             .bounding = plan->caps};
    size_t count = plan->links_fd >= 0 ? 2 : 1;
    int fds[2] = {listener_fd, plan->links_fd};
    struct iovec iov = {.iov_base = &ids, .iov_len = sizeof(ids)};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = control.space,
                         .msg_controllen = CMSG_SPACE(count * sizeof(int))};
    struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

    if (plan->groups_count > NOTIFY_GROUPS_MAX)
        return err_set(err, ERR_INPUT, 0, "more than %d supplementary groups with isolation single",
                       NOTIFY_GROUPS_MAX);
    ids.groups_count = (uint32_t)plan->groups_count;
    if (plan->groups_count)
        memcpy(ids.groups, plan->groups, plan->groups_count * sizeof(ids.groups[0]));
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(count * sizeof(int));
    memcpy(CMSG_DATA(c), fds, count * sizeof(int));
    if (sendmsg(recorder_fd, &msg, MSG_NOSIGNAL) != sizeof(ids))
        return err_errno(err, "hand system calls to the recorder");
    return 0;
}

int notify_probe(struct err *err)
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        struct sock_filter allow = {.code = BPF_RET | BPF_K, .k = SECCOMP_RET_ALLOW};
        struct sock_fprog prog = {.len = 1, .filter = &allow};

        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        _exit(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
                      &prog) < 0
                  ? errno
                  : 0);
    }
    if (pid < 0)
        return err_errno(err, "fork");
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    errno = WIFEXITED(status) ? WEXITSTATUS(status) : EPERM;
    return err_errno(err, "listen to system calls (seccomp user notification)");
}

/* ---- the recorder ---- */

#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64)
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP 1ul
#endif

bool notify_read(pid_t tid, uint64_t at, void *out, size_t size)
{
    struct iovec here = {out, size}, there = {(void *)(uintptr_t)at, size};

    return process_vm_readv(tid, &here, 1, &there, 1, 0) == (ssize_t)size;
}

bool notify_write(pid_t tid, uint64_t at, const void *bytes, size_t size)
{
    union {
        const void *in;
        void *out;
    } cast = {.in = bytes};
    struct iovec here = {cast.out, size}, there = {(void *)(uintptr_t)at, size};

    return size == 0 || process_vm_writev(tid, &here, 1, &there, 1, 0) == (ssize_t)size;
}

/* Of a line: of several it is the one that the process itself would see (NSpid). */
static long last_number(const char *text, int base)
{
    long number = -1;

    while (*text == '\t' || *text == ' ') {
        char *end;

        number = strtol(text, &end, base);
        if (end == text)
            return -1;
        text = end;
    }
    return number;
}

long notify_status(const struct notify *n, pid_t tid, const char *name, int base)
{
    char path[32], text[2048];
    const char *line = text;
    size_t length = strlen(name);
    AUTO_FD int fd = -1;
    ssize_t got;

    snprintf(path, sizeof(path), "%d/status", (int)tid);
    fd = openat(n->proc_fd, path, O_RDONLY | O_CLOEXEC);
    got = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    if (got <= 0)
        return -1;
    text[got] = 0;
    while (line && (strncmp(line, name, length) != 0 || line[length] != ':')) {
        line = strchr(line, '\n');
        line = line ? line + 1 : NULL;
    }
    return line ? last_number(line + length + 1, base) : -1;
}

bool notify_is_valid(const struct notify_request *r)
{
    uint64_t id = r->id;

    return ioctl(r->n->listener_fd, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0;
}

/* Each name for each of the machine's architectures. */
struct notify_numbers {
    uint32_t native;
    size_t count;
    struct number {
        uint32_t arch;
        int number;
        const struct notify_name *name;
    } items[2 * ARRAY_SIZE(notify_names)];
};

struct notify_numbers *notify_learn_numbers(void)
{
    struct notify_numbers *numbers = xcalloc(1, sizeof(*numbers));
    uint32_t arches[2];

    if (!seccomp_arches(arches))
        return numbers;
    numbers->native = arches[0];
    for (size_t i = 0; i < ARRAY_SIZE(numbers->items); i++) {
        const struct notify_name *name = &notify_names[i / 2];

        numbers->items[numbers->count++] =
            (struct number){arches[i % 2], seccomp_number(arches[i % 2], name->name), name};
    }
    return numbers;
}

static const struct notify_name *name_of(const struct notify_numbers *numbers,
                                         const struct seccomp_data *data)
{
    for (size_t i = 0; i < numbers->count; i++)
        if (numbers->items[i].number == data->nr && numbers->items[i].arch == data->arch)
            return numbers->items[i].name;
    return NULL;
}

static bool makes_file(enum notify_call call)
{
    return call == NOTIFY_MKNOD || call == NOTIFY_MKNODAT ||
           (call >= NOTIFY_OPEN && call <= NOTIFY_SYMLINKAT);
}

/* -1 in 16 bits is -1; ids stand behind the file, where there is one. */
static void widen(const struct notify_name *name, uint64_t args[static 6])
{
    for (size_t i = name->call < NOTIFY_SETUID ? 1 : 0; i < 3; i++)
        args[i] = (args[i] & 0xffff) == 0xffff ? UINT32_MAX : args[i] & 0xffff;
}

static void answer(struct notify *n, const struct seccomp_notif *in)
{
    const struct notify_name *name = name_of(n->numbers, &in->data);
    uint64_t args[6];
    struct seccomp_notif_resp out = {.id = in->id};
    struct notify_request r = {.n = n, .id = in->id, .tid = (pid_t)in->pid, .args = args};

    memcpy(args, in->data.args, sizeof(args));
    r.native = in->data.arch == n->numbers->native;
    if (name && name->narrow && !r.native)
        widen(name, args);
    /* Before its first exec the sandbox's first process lets nobody look into it. */
    if (n->sandbox_fd < 0 && !notify_settle(&r))
        name = NULL;
    r.go_on = !name;
    if (name) {
        r.call = name->call;
        if (r.call >= NOTIFY_SETUID)
            notify_ids_call(&r);
        else if (makes_file(r.call))
            notify_make_call(&r);
        else
            notify_files_call(&r);
    }
    if (r.sent)
        return;
    if (r.go_on)
        out.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    else if (r.error)
        out.error = -r.error;
    else
        out.val = r.value;
    ioctl(n->listener_fd, SECCOMP_IOCTL_NOTIF_SEND, &out); /* ENOENT: the caller has gone */
}

static bool take_listener(struct notify *n, int socket_fd, struct notify_ids *first)
{
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(2 * sizeof(int))];
    } control;
    struct iovec iov = {.iov_base = first, .iov_len = sizeof(*first)};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = control.space,
                         .msg_controllen = sizeof(control.space)};
    struct cmsghdr *c;
    int fds[2] = {-1, -1};

    if (recvmsg(socket_fd, &msg, MSG_CMSG_CLOEXEC) != sizeof(*first))
        return false;
    c = CMSG_FIRSTHDR(&msg);
    if (!c || c->cmsg_type != SCM_RIGHTS)
        return false;
    memcpy(fds, CMSG_DATA(c), c->cmsg_len - CMSG_LEN(0));
    n->listener_fd = fds[0];
    n->links_fd = fds[1];
    return true;
}

static bool all_ended(const struct notify *n)
{
    struct pollfd p = {.fd = n->listener_fd, .events = POLLIN};

    return poll(&p, 1, 0) > 0 && p.revents & (POLLHUP | POLLERR | POLLNVAL);
}

void notify_main(int socket_fd, const struct notify_numbers *numbers)
{
    struct notify n = {.listener_fd = -1, .links_fd = -1, .sandbox_fd = -1, .numbers = numbers};
    struct notify_ids first;
    struct {
        struct seccomp_notif notif;
        char room[256]; /* the kernel's may have grown */
    } in;

    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    prctl(PR_SET_NAME, "slipway-record", 0, 0, 0);
    n.proc_fd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (n.proc_fd < 0 || !take_listener(&n, socket_fd, &first))
        _exit(1);
    close(socket_fd);
    /* Wakes the other side at once, on the same processor (Linux 6.6); slower without. */
    ioctl(n.listener_fd, SECCOMP_IOCTL_NOTIF_SET_FLAGS, SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP);
    notify_ids_begin(&n, &first);
    notify_files_begin(&n);
    for (;;) {
        memset(&in, 0, sizeof(in));
        if (ioctl(n.listener_fd, SECCOMP_IOCTL_NOTIF_RECV, &in.notif) == 0)
            answer(&n, &in.notif);
        else if (errno != EINTR && errno != ENOENT) /* ENOENT: the caller, or all, have gone */
            _exit(1);
        else if (all_ended(&n))
            _exit(0);
    }
}
