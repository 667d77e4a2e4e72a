/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/forward.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/scope.h"
#include "runtime/spawner.h"

#define CHUNK (64 << 10)
#define ROUNDS 16 /* chunks a connection may move before others have their turn */
#define BACKLOG 128
#define EVENTS 64
#define WAITING_MAX                                                                                \
    32 /* for sockets: so few that neither side of the helper's socket can fill and block */

enum source_kind { SOURCE_LISTENER, SOURCE_HELPER, SOURCE_END };

/* What epoll hands back. */
struct source {
    enum source_kind kind;
    int fd;
    struct connection *connection; /* END */
    const struct net_port *port;   /* LISTENER */
};

struct end {
    struct source source;
    bool eof;      /* nothing more comes from it */
    char *pending; /* read from the other end, not yet written here */
    size_t pending_at, pending_size;
};

enum stage { STAGE_SOCKET /* asked init for one */, STAGE_CONNECTING, STAGE_OPEN, STAGE_DEAD };

struct connection {
    enum stage stage;
    int family;
    uint16_t port;
    struct end client, box;
    struct connection *next;         /* all of them */
    struct connection *next_waiting; /* for a socket, first come first served */
    bool more;                       /* stopped by ROUNDS, not by the kernel */
};

struct forward {
    int epoll_fd;
    struct source *listeners;
    size_t listeners_count;
    bool paused; /* out of descriptors, or too many wait for a socket: no more are accepted for now
                  */
    size_t waiting_count;
    struct source helper;
    int helper_theirs;
    struct connection *all;
    struct connection *waiting, **waiting_end;
    char *chunk;
};

static int watch(struct forward *f, struct source *s, uint32_t events)
{
    struct epoll_event e = {.events = events, .data.ptr = s};

    return epoll_ctl(f->epoll_fd, EPOLL_CTL_ADD, s->fd, &e);
}

static void pause_listeners(struct forward *f, bool pause)
{
    for (size_t i = 0; f->paused != pause && i < f->listeners_count; i++) {
        struct epoll_event e = {.events = pause ? 0 : EPOLLIN, .data.ptr = &f->listeners[i]};

        epoll_ctl(f->epoll_fd, EPOLL_CTL_MOD, f->listeners[i].fd, &e);
    }
    f->paused = pause;
}

/* ---- the way to the service ---- */

static void ask_socket(struct forward *f, struct connection *c, int family)
{
    char byte = family == AF_INET6 ? '6' : '4';

    c->stage = STAGE_SOCKET;
    c->family = family;
    c->next_waiting = NULL;
    if (send(f->helper.fd, &byte, 1, MSG_NOSIGNAL) != 1) {
        c->stage = STAGE_DEAD;
        return;
    }
    *f->waiting_end = c;
    f->waiting_end = &c->next_waiting;
    f->waiting_count++;
}

static int connect_box(struct connection *c)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET,
                             .sin_port = htons(c->port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in6 v6 = {
        .sin6_family = AF_INET6, .sin6_port = htons(c->port), .sin6_addr = IN6ADDR_LOOPBACK_INIT};

    if (c->family == AF_INET6)
        return connect(c->box.source.fd, (const struct sockaddr *)&v6, sizeof(v6));
    return connect(c->box.source.fd, (const struct sockaddr *)&v4, sizeof(v4));
}

/* A service may listen on ::1 alone. */
static void refused(struct forward *f, struct connection *c)
{
    scope_close(&c->box.source.fd);
    if (c->family == AF_INET)
        ask_socket(f, c, AF_INET6);
    else
        c->stage = STAGE_DEAD;
}

static void opened(struct forward *f, struct connection *c)
{
    const int on = 1;

    c->stage = STAGE_OPEN;
    setsockopt(c->box.source.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    setsockopt(c->client.source.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (watch(f, &c->client.source, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET) < 0)
        c->stage = STAGE_DEAD;
}

/* 0 when a message was there. */
static int take_socket(struct forward *f)
{
    struct spawner_message message;
    struct err ignored = {0};
    struct connection *c = f->waiting;
    int fd = -1, rc = spawner_receive(f->helper.fd, &message, &fd, &ignored);

    if (rc <= 0 || !c)
        return -1;
    f->waiting = c->next_waiting;
    if (!f->waiting)
        f->waiting_end = &f->waiting;
    f->waiting_count--;
    pause_listeners(f, false);
    c->box.source = (struct source){.kind = SOURCE_END, .fd = fd, .connection = c};
    if (fd < 0 || watch(f, &c->box.source, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET) < 0) {
        c->stage = STAGE_DEAD;
        return 0;
    }
    c->stage = STAGE_CONNECTING;
    if (connect_box(c) == 0)
        opened(f, c);
    else if (errno != EINPROGRESS)
        refused(f, c);
    return 0;
}

static void connected(struct forward *f, struct connection *c)
{
    int code = 0;
    socklen_t size = sizeof(code);

    if (getsockopt(c->box.source.fd, SOL_SOCKET, SO_ERROR, &code, &size) < 0 || code)
        refused(f, c);
    else
        opened(f, c);
}

/* ---- bytes ---- */

/* false: the connection is broken. */
static bool flush(struct end *to)
{
    while (to->pending_at < to->pending_size) {
        ssize_t n = send(to->source.fd, to->pending + to->pending_at,
                         to->pending_size - to->pending_at, MSG_NOSIGNAL);

        if (n < 0)
            return errno == EAGAIN || errno == EINTR;
        to->pending_at += (size_t)n;
    }
    free(to->pending);
    to->pending = NULL;
    to->pending_at = to->pending_size = 0;
    return true;
}

static bool pump(struct forward *f, struct connection *c, struct end *from, struct end *to)
{
    for (int round = 0; round < ROUNDS; round++) {
        ssize_t n, sent;

        if (to->pending && !flush(to))
            return false;
        if (to->pending || from->eof)
            return true;
        n = recv(from->source.fd, f->chunk, CHUNK, 0);
        if (n < 0)
            return errno == EAGAIN || errno == EINTR;
        if (n == 0) {
            from->eof = true;
            shutdown(to->source.fd, SHUT_WR);
            return true;
        }
        sent = send(to->source.fd, f->chunk, (size_t)n, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN)
            return false;
        sent = sent < 0 ? 0 : sent;
        if (sent < n) {
            to->pending = xmemdup(f->chunk + sent, (size_t)(n - sent));
            to->pending_size = (size_t)(n - sent);
        }
    }
    c->more = true;
    return true;
}

static void move(struct forward *f, struct connection *c)
{
    c->more = false;
    if (!pump(f, c, &c->client, &c->box) || !pump(f, c, &c->box, &c->client) ||
        (c->client.eof && c->box.eof && !c->client.pending && !c->box.pending))
        c->stage = STAGE_DEAD;
}

/* ---- coming and going ---- */

static void accept_all(struct forward *f, const struct source *listener)
{
    for (;;) {
        int fd;

        if (f->waiting_count >= WAITING_MAX) {
            pause_listeners(f, true);
            return;
        }
        fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0) {
            if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
                pause_listeners(f, true);
            return;
        }
        struct connection *c = xcalloc(1, sizeof(*c));

        c->port = listener->port->box;
        c->client.source = (struct source){.kind = SOURCE_END, .fd = fd, .connection = c};
        c->box.source.fd = -1;
        c->next = f->all;
        f->all = c;
        ask_socket(f, c, AF_INET);
    }
}

static void free_connection(struct connection *c)
{
    scope_close(&c->client.source.fd);
    scope_close(&c->box.source.fd);
    free(c->client.pending);
    free(c->box.pending);
    free(c);
}

/* After a batch of events, so that none of them points to what is gone. Those that wait for a
 * socket cannot be dead. */
static bool sweep(struct forward *f)
{
    struct connection **at = &f->all;
    bool more = false;

    while (*at) {
        struct connection *c = *at;

        if (c->stage == STAGE_DEAD) {
            *at = c->next;
            free_connection(c);
            pause_listeners(f, false);
            continue;
        }
        more |= c->more;
        at = &c->next;
    }
    return more;
}

static void handle(struct forward *f, struct source *s)
{
    switch (s->kind) {
    case SOURCE_LISTENER:
        accept_all(f, s);
        break;
    case SOURCE_HELPER:
        if (take_socket(f) < 0)
            epoll_ctl(f->epoll_fd, EPOLL_CTL_DEL, f->helper.fd, NULL); /* the sandbox is ending */
        break;
    case SOURCE_END:
        if (s->connection->stage == STAGE_CONNECTING && s == &s->connection->box.source)
            connected(f, s->connection);
        if (s->connection->stage == STAGE_OPEN)
            move(f, s->connection);
        break;
    }
}

bool forward_serve(struct forward *f)
{
    struct epoll_event events[EVENTS];
    int n = epoll_wait(f->epoll_fd, events, EVENTS, 0);

    for (struct connection *c = f->all; c; c = c->next)
        if (c->more && c->stage == STAGE_OPEN)
            move(f, c);
    for (int i = 0; i < n; i++)
        handle(f, events[i].data.ptr);
    return sweep(f) || n == EVENTS;
}

int forward_fd(const struct forward *f)
{
    return f->epoll_fd;
}

int forward_network_fd(const struct forward *f)
{
    return f->helper_theirs;
}

void forward_started(struct forward *f)
{
    scope_close(&f->helper_theirs);
}

/* ---- listeners ---- */

static int bind_to(int fd, const char *address, uint16_t port)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};

    if (inet_pton(AF_INET, address, &v4.sin_addr) == 1)
        return bind(fd, (const struct sockaddr *)&v4, sizeof(v4));
    if (*address && inet_pton(AF_INET6, address, &v6.sin6_addr) != 1) {
        errno = EINVAL;
        return -1;
    }
    return bind(fd, (const struct sockaddr *)&v6, sizeof(v6));
}

/* "" is every address of both families, on one socket; of IPv4 alone where the host has no IPv6. */
static int make_listener(const char *address, uint16_t port)
{
    struct in_addr ignored;
    bool v4 = inet_pton(AF_INET, address, &ignored) == 1;
    const int on = 1, off = 0;
    AUTO_FD int fd = socket(v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0 && !*address && errno == EAFNOSUPPORT)
        return make_listener("0.0.0.0", port);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (!v4)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, *address ? &on : &off, sizeof(on));
    if (bind_to(fd, address, port) < 0) {
        if (!*address && errno == EADDRNOTAVAIL)
            return make_listener("0.0.0.0", port);
        return -1;
    }
    return listen(fd, BACKLOG) < 0 ? -1 : steal_fd(&fd);
}

static uint16_t bound_port(int fd)
{
    struct sockaddr_storage a = {0};
    socklen_t size = sizeof(a);
    uint16_t port = 0;

    if (getsockname(fd, (struct sockaddr *)&a, &size) < 0)
        return 0;
    if (a.ss_family == AF_INET)
        memcpy(&port, (const char *)&a + offsetof(struct sockaddr_in, sin_port), sizeof(port));
    else
        memcpy(&port, (const char *)&a + offsetof(struct sockaddr_in6, sin6_port), sizeof(port));
    return ntohs(port);
}

static int add_listener(struct forward *f, struct net_port *port, struct err *err)
{
    struct source *s = &f->listeners[f->listeners_count];
    int fd = make_listener(port->address, port->host);

    if (fd < 0) {
        err_errno(err, "publish port %u: listen on %s:%u", port->box,
                  *port->address ? port->address : "*", port->host);
        if (err->code == EACCES)
            err_add(err, "; ports below 1024 are root's (sysctl "
                         "net.ipv4.ip_unprivileged_port_start): take another host port");
        return -1;
    }
    port->host = bound_port(fd);
    *s = (struct source){.kind = SOURCE_LISTENER, .fd = fd, .port = port};
    f->listeners_count++;
    if (watch(f, s, EPOLLIN) < 0)
        return err_errno(err, "watch port %u", port->host);
    return 0;
}

static int fill(struct forward *f, struct net_port *ports, size_t count, struct err *err)
{
    int pair[2];

    f->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (f->epoll_fd < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return err_errno(err, "publish ports");
    f->helper = (struct source){.kind = SOURCE_HELPER, .fd = pair[0]};
    f->helper_theirs = pair[1];
    if (watch(f, &f->helper, EPOLLIN) < 0)
        return err_errno(err, "publish ports");
    f->listeners = xcalloc(count, sizeof(*f->listeners));
    for (size_t i = 0; i < count; i++)
        if (add_listener(f, &ports[i], err) < 0)
            return -1;
    return 0;
}

struct forward *forward_open(struct net_port *ports, size_t count, struct err *err)
{
    struct forward *f = xcalloc(1, sizeof(*f));

    f->epoll_fd = f->helper.fd = f->helper_theirs = -1;
    f->waiting_end = &f->waiting;
    f->chunk = xmalloc(CHUNK);
    if (fill(f, ports, count, err) == 0)
        return f;
    forward_free(f);
    return NULL;
}

void forward_free(struct forward *f)
{
    if (!f)
        return;
    while (f->all) {
        struct connection *c = f->all;

        f->all = c->next;
        free_connection(c);
    }
    for (size_t i = 0; i < f->listeners_count; i++)
        scope_close(&f->listeners[i].fd);
    free(f->listeners);
    scope_close(&f->helper.fd);
    scope_close(&f->helper_theirs);
    scope_close(&f->epoll_fd);
    free(f->chunk);
    free(f);
}
