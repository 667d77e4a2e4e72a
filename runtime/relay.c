/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/scope.h"

#define PAIRS_MAX 32
#define ROOM 16384
#define EVENTS_MAX 16

/* One direction: what was read at one end and not yet written at the other. */
struct way {
    char bytes[ROOM];
    size_t begin, end;
    bool ended; /* nothing more will be read */
};

struct pair {
    int fds[2]; /* the sandbox's connection, ours to the agent; -1: a free place */
    struct way ways[2];
};

struct relay {
    int listen_fd, epoll_fd;
    char *path;
    struct pair *pairs[PAIRS_MAX]; /* made when first used */
};

static void pair_end(struct pair *p)
{
    scope_close(&p->fds[0]);
    scope_close(&p->fds[1]);
    p->ways[0] = p->ways[1] = (struct way){0};
}

void relay_close(struct relay *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < PAIRS_MAX; i++) {
        if (r->pairs[i])
            pair_end(r->pairs[i]);
        free(r->pairs[i]);
    }
    scope_close(&r->listen_fd);
    scope_close(&r->epoll_fd);
    free(r->path);
    free(r);
}

int relay_fd(const struct relay *r)
{
    return r->epoll_fd;
}

static int set_address(const char *path, struct sockaddr_un *address, struct err *err)
{
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(address->sun_path))
        return err_set(err, ERR_INPUT, ENAMETOOLONG,
                       "socket %.200s: its path is longer than %zu bytes", path,
                       sizeof(address->sun_path) - 1);
    memcpy(address->sun_path, path, strlen(path));
    return 0;
}

static int bind_socket(struct relay *r, int dir_fd, const char *name, mode_t mode, uid_t uid,
                       gid_t gid, struct err *err)
{
    char dir[FS_FD_PATH_MAX], path[100];
    struct sockaddr_un address;

    snprintf(path, sizeof(path), "%s/%s", fs_fd_path(dir_fd, dir), name);
    if (set_address(path, &address, err) < 0)
        return -1;
    r->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (r->listen_fd < 0 ||
        bind(r->listen_fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
        fchownat(dir_fd, name, uid, gid, AT_SYMLINK_NOFOLLOW) < 0 ||
        fchmodat(dir_fd, name, mode, 0) < 0 || listen(r->listen_fd, 16) < 0)
        return err_errno(err, "make a socket");
    return 0;
}

struct relay *relay_open(int dir_fd, const char *name, mode_t mode, uid_t uid, gid_t gid,
                         const char *path, struct err *err)
{
    struct relay *r = xcalloc(1, sizeof(*r));
    struct epoll_event event = {.events = EPOLLIN};
    struct sockaddr_un address;

    r->listen_fd = -1;
    r->path = xstrdup(path);
    r->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (r->epoll_fd < 0) {
        err_errno(err, "watch sockets");
    } else if (set_address(path, &address, err) == 0 &&
               bind_socket(r, dir_fd, name, mode, uid, gid, err) == 0) {
        event.data.u32 = PAIRS_MAX * 2;
        if (epoll_ctl(r->epoll_fd, EPOLL_CTL_ADD, r->listen_fd, &event) == 0)
            return r;
        err_errno(err, "watch sockets");
    }
    relay_close(r);
    return NULL;
}

static int connect_agent(struct relay *r, struct err *err)
{
    AUTO_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct sockaddr_un address;

    if (set_address(r->path, &address, err) < 0)
        return -1;
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
        return err_errno(err, "connect to %s", r->path);
    return steal_fd(&fd);
}

static uint32_t wanted(const struct pair *p, int side)
{
    const struct way *out = &p->ways[side], *in = &p->ways[!side];

    return (!out->ended && out->begin == out->end ? EPOLLIN : 0u) |
           (in->begin < in->end ? EPOLLOUT : 0u);
}

static void watch(struct relay *r, size_t i, int operation)
{
    struct pair *p = r->pairs[i];

    for (int side = 0; side < 2; side++) {
        struct epoll_event event = {.events = wanted(p, side)};

        event.data.u32 = (uint32_t)i * 2 + (uint32_t)side;
        if (p->fds[side] >= 0)
            epoll_ctl(r->epoll_fd, operation, p->fds[side], &event);
    }
}

static void take_connection(struct relay *r)
{
    AUTO_FD int fd = accept4(r->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK), agent = -1;
    struct err err = {0};
    size_t i = 0;

    if (fd < 0)
        return;
    while (i < PAIRS_MAX && r->pairs[i] && r->pairs[i]->fds[0] >= 0)
        i++;
    if (i == PAIRS_MAX) {
        log_warn("more than %d connections to an ssh agent at once: one is refused", PAIRS_MAX);
        return;
    }
    agent = connect_agent(r, &err);
    if (agent < 0) {
        log_warn("ssh agent: %s", err.text);
        return;
    }
    if (!r->pairs[i])
        r->pairs[i] = xcalloc(1, sizeof(*r->pairs[i]));
    r->pairs[i]->fds[0] = steal_fd(&fd);
    r->pairs[i]->fds[1] = steal_fd(&agent);
    watch(r, i, EPOLL_CTL_ADD);
}

/* false: the connection is of no use any more. */
static bool read_side(struct pair *p, int side)
{
    struct way *w = &p->ways[side];
    ssize_t n;

    if (w->ended || w->begin < w->end)
        return true;
    n = recv(p->fds[side], w->bytes, ROOM, 0);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    w->begin = 0;
    w->end = (size_t)n;
    w->ended = n == 0;
    if (n == 0)
        shutdown(p->fds[!side], SHUT_WR);
    return !p->ways[0].ended || !p->ways[1].ended;
}

static bool write_side(struct pair *p, int side)
{
    struct way *w = &p->ways[!side];
    ssize_t n;

    if (w->begin == w->end)
        return true;
    n = send(p->fds[side], w->bytes + w->begin, w->end - w->begin, MSG_NOSIGNAL);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    w->begin += (size_t)n;
    return true;
}

static void serve_pair(struct relay *r, size_t i, int side, uint32_t events)
{
    struct pair *p = r->pairs[i];
    bool fine = true;

    if (!p || p->fds[side] < 0)
        return;
    if (events & EPOLLOUT)
        fine = write_side(p, side);
    if (fine && events & EPOLLIN)
        fine = read_side(p, side) && write_side(p, !side);
    if (events & EPOLLERR || (events & EPOLLHUP && !(events & EPOLLIN)))
        fine = false;
    if (!fine)
        pair_end(p);
    else
        watch(r, i, EPOLL_CTL_MOD);
}

void relay_serve(struct relay *r)
{
    struct epoll_event events[EVENTS_MAX];
    int n = epoll_wait(r->epoll_fd, events, EVENTS_MAX, 0);

    for (int i = 0; i < n; i++) {
        uint32_t at = events[i].data.u32;

        if (at == PAIRS_MAX * 2)
            take_connection(r);
        else
            serve_pair(r, at / 2, (int)(at % 2), events[i].events);
    }
}
