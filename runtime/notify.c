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

const struct notify_name notify_names[] = {
    {"chown", NOTIFY_CHOWN, false},
    {"chown32", NOTIFY_CHOWN, false},
    {"lchown", NOTIFY_LCHOWN, false},
    {"lchown32", NOTIFY_LCHOWN, false},
    {"fchown", NOTIFY_FCHOWN, false},
    {"fchown32", NOTIFY_FCHOWN, false},
    {"fchownat", NOTIFY_FCHOWNAT, false},
    {"mknod", NOTIFY_MKNOD, false},
    {"mknodat", NOTIFY_MKNODAT, false},
    {"stat", NOTIFY_STAT, true},
    {"lstat", NOTIFY_LSTAT, true},
    {"fstat", NOTIFY_FSTAT, true},
    {"newfstatat", NOTIFY_FSTATAT, true},
    {"statx", NOTIFY_STATX, false},
    {"open", NOTIFY_OPEN, false},
    {"openat", NOTIFY_OPENAT, false},
    {"creat", NOTIFY_CREAT, false},
    {"mkdir", NOTIFY_MKDIR, false},
    {"mkdirat", NOTIFY_MKDIRAT, false},
    {"symlink", NOTIFY_SYMLINK, false},
    {"symlinkat", NOTIFY_SYMLINKAT, false},
    {"execve", NOTIFY_EXECVE, false},
    {"chroot", NOTIFY_CHROOT, false},
    {"setuid", NOTIFY_SETUID, false},
    {"setuid32", NOTIFY_SETUID, false},
    {"setgid", NOTIFY_SETGID, false},
    {"setgid32", NOTIFY_SETGID, false},
    {"setreuid", NOTIFY_SETREUID, false},
    {"setreuid32", NOTIFY_SETREUID, false},
    {"setregid", NOTIFY_SETREGID, false},
    {"setregid32", NOTIFY_SETREGID, false},
    {"setresuid", NOTIFY_SETRESUID, false},
    {"setresuid32", NOTIFY_SETRESUID, false},
    {"setresgid", NOTIFY_SETRESGID, false},
    {"setresgid32", NOTIFY_SETRESGID, false},
    {"setfsuid", NOTIFY_SETFSUID, false},
    {"setfsuid32", NOTIFY_SETFSUID, false},
    {"setfsgid", NOTIFY_SETFSGID, false},
    {"setfsgid32", NOTIFY_SETFSGID, false},
    {"setgroups", NOTIFY_SETGROUPS, true},
    {"setgroups32", NOTIFY_SETGROUPS, false},
    {"getuid", NOTIFY_GETUID, false},
    {"getuid32", NOTIFY_GETUID, false},
    {"geteuid", NOTIFY_GETEUID, false},
    {"geteuid32", NOTIFY_GETEUID, false},
    {"getgid", NOTIFY_GETGID, false},
    {"getgid32", NOTIFY_GETGID, false},
    {"getegid", NOTIFY_GETEGID, false},
    {"getegid32", NOTIFY_GETEGID, false},
    {"getresuid", NOTIFY_GETRESUID, true},
    {"getresuid32", NOTIFY_GETRESUID, false},
    {"getresgid", NOTIFY_GETRESGID, true},
    {"getresgid32", NOTIFY_GETRESGID, false},
    {"prctl", NOTIFY_KEEPCAPS, false},
    {"getgroups", NOTIFY_GETGROUPS, true},
    {"getgroups32", NOTIFY_GETGROUPS, false},
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
                             .powerful = plan->uid == 0};
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
    while (line) {
        if (strncmp(line, name, length) == 0 && line[length] == ':')
            return strtol(line + length + 1, NULL, base);
        line = strchr(line, '\n');
        line = line ? line + 1 : NULL;
    }
    return -1;
}

bool notify_is_valid(const struct notify_request *r)
{
    uint64_t id = r->id;

    return ioctl(r->n->listener_fd, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0;
}

/* Each name for each of the machine's architectures. */
struct number {
    uint32_t arch;
    int number;
    const struct notify_name *name;
};

static void learn_numbers(struct notify *n)
{
    uint32_t arches[2];

    n->numbers = xcalloc(2 * ARRAY_SIZE(notify_names), sizeof(*n->numbers));
    if (!seccomp_arches(arches))
        return;
    for (size_t i = 0; i < 2 * ARRAY_SIZE(notify_names); i++) {
        const struct notify_name *name = &notify_names[i / 2];

        n->numbers[n->numbers_count++] =
            (struct number){arches[i % 2], seccomp_number(arches[i % 2], name->name), name};
    }
    n->arch = arches[0];
}

static const struct notify_name *name_of(const struct notify *n, const struct seccomp_data *data)
{
    for (size_t i = 0; i < n->numbers_count; i++)
        if (n->numbers[i].arch == data->arch && n->numbers[i].number == data->nr)
            return n->numbers[i].name;
    return NULL;
}

static void answer(struct notify *n, const struct seccomp_notif *in)
{
    const struct notify_name *name = name_of(n, &in->data);
    uint64_t args[6];
    struct seccomp_notif_resp out = {.id = in->id};
    struct notify_request r = {.n = n, .id = in->id, .tid = (pid_t)in->pid, .args = args};

    memcpy(args, in->data.args, sizeof(args));
    r.native = in->data.arch == n->arch;
    r.go_on = !name;
    if (name) {
        r.call = name->call;
        if (r.call >= NOTIFY_SETUID)
            notify_ids_call(&r);
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

static bool take_listener(struct notify *n, int socket_fd)
{
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(2 * sizeof(int))];
    } control;
    struct iovec iov = {.iov_base = &n->first, .iov_len = sizeof(n->first)};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = control.space,
                         .msg_controllen = sizeof(control.space)};
    struct cmsghdr *c;
    int fds[2] = {-1, -1};

    if (recvmsg(socket_fd, &msg, MSG_CMSG_CLOEXEC) != sizeof(n->first))
        return false;
    c = CMSG_FIRSTHDR(&msg);
    if (!c || c->cmsg_type != SCM_RIGHTS)
        return false;
    memcpy(fds, CMSG_DATA(c), c->cmsg_len - CMSG_LEN(0));
    n->listener_fd = fds[0];
    n->links_fd = fds[1];
    return true;
}

void notify_main(int socket_fd)
{
    struct notify n = {.listener_fd = -1, .links_fd = -1, .proc_fd = -1, .sandbox_fd = -1};
    struct {
        struct seccomp_notif notif;
        char room[256]; /* the kernel's may have grown */
    } in;

    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    prctl(PR_SET_NAME, "slipway-record", 0, 0, 0);
    n.root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    n.proc_fd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (n.root_fd < 0 || n.proc_fd < 0 || !take_listener(&n, socket_fd))
        _exit(1);
    close(socket_fd);
    /* Wakes the other side at once, on the same processor (Linux 6.6); slower without. */
    ioctl(n.listener_fd, SECCOMP_IOCTL_NOTIF_SET_FLAGS, SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP);
    learn_numbers(&n);
    notify_files_begin(&n);
    for (;;) {
        struct pollfd p = {.fd = n.listener_fd, .events = POLLIN};

        if (poll(&p, 1, -1) < 0 && errno != EINTR)
            _exit(1);
        if (p.revents & (POLLHUP | POLLERR | POLLNVAL))
            _exit(0);
        if (!(p.revents & POLLIN))
            continue;
        memset(&in, 0, sizeof(in));
        if (ioctl(n.listener_fd, SECCOMP_IOCTL_NOTIF_RECV, &in.notif) == 0)
            answer(&n, &in.notif);
    }
}
