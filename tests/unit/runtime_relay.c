/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/relay.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/scope.h"
#include "tests/tap.h"

#define SIZE 300000 /* more than the relay and the sockets hold */

static int unix_socket(const char *path, bool listening)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    if (listening ? bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 8) < 0
                  : connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        return -1;
    return fd;
}

struct scene {
    char dir[40], agent[64], ours[64];
    int dir_fd, agent_fd;
    struct relay *relay;
};

static bool begin(struct scene *s)
{
    struct err err = {0};

    snprintf(s->dir, sizeof(s->dir), "/tmp/slipway-relay-XXXXXX");
    if (!mkdtemp(s->dir))
        return false;
    snprintf(s->agent, sizeof(s->agent), "%s/agent", s->dir);
    snprintf(s->ours, sizeof(s->ours), "%s/ours", s->dir);
    s->dir_fd = open(s->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    s->agent_fd = unix_socket(s->agent, true);
    s->relay = relay_open(s->dir_fd, "ours", 0640, getuid(), getgid(), s->agent, &err);
    OKF(s->relay != NULL, "%s", err.text);
    return s->relay != NULL;
}

static void end(struct scene *s)
{
    relay_close(s->relay);
    close(s->agent_fd);
    close(s->dir_fd);
    unlink(s->agent);
    unlink(s->ours);
    rmdir(s->dir);
}

static bool ready(const struct scene *s)
{
    struct pollfd p = {.fd = relay_fd(s->relay), .events = POLLIN};

    return poll(&p, 1, 0) > 0;
}

/* SIZE bytes from one end to the other. */
static void carry(struct scene *s, int from, int to)
{
    char *sent = malloc(SIZE), *got = malloc(SIZE);
    size_t out = 0, in = 0;

    for (size_t i = 0; i < SIZE; i++)
        sent[i] = (char)(i * 7 + i / 251);
    for (int turns = 0; in < SIZE && turns < 100000; turns++) {
        ssize_t n = out < SIZE ? send(from, sent + out, SIZE - out, MSG_NOSIGNAL) : 0;

        out += n > 0 ? (size_t)n : 0;
        if (ready(s))
            relay_serve(s->relay);
        n = recv(to, got + in, SIZE - in, 0);
        in += n > 0 ? (size_t)n : 0;
    }
    EQ_INT(in, SIZE);
    OK(in == SIZE && memcmp(sent, got, SIZE) == 0);
    free(sent);
    free(got);
}

static void both_ways(void)
{
    struct scene s;
    struct stat st;
    char byte;

    if (!begin(&s))
        return;
    OK(stat(s.ours, &st) == 0 && S_ISSOCK(st.st_mode) && (st.st_mode & 0777) == 0640);
    int client = unix_socket(s.ours, false);
    OK(client >= 0 && ready(&s));
    relay_serve(s.relay);
    int agent = accept4(s.agent_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    OK(agent >= 0);
    carry(&s, client, agent);
    carry(&s, agent, client);
    /* The end of one direction leaves the other open; the end of both ends the connection. */
    shutdown(client, SHUT_WR);
    relay_serve(s.relay);
    OK(recv(agent, &byte, 1, 0) == 0);
    carry(&s, agent, client);
    close(agent);
    relay_serve(s.relay);
    OK(recv(client, &byte, 1, 0) == 0);
    close(client);
    end(&s);
}

static void many(void)
{
    int clients[40];
    struct scene s;
    int served = 0, refused = 0;

    if (!begin(&s))
        return;
    /* Our queue holds 16 at once. */
    for (int i = 0; i < 40; i++) {
        clients[i] = unix_socket(s.ours, false);
        relay_serve(s.relay);
        int agent = accept4(s.agent_fd, NULL, NULL, SOCK_CLOEXEC);
        char byte;

        if (agent < 0) {
            refused += recv(clients[i], &byte, 1, 0) == 0;
            continue;
        }
        /* Left open: the agent's side counts with the client's. */
        served++;
        OK(send(agent, "x", 1, 0) == 1);
        relay_serve(s.relay);
        OK(recv(clients[i], &byte, 1, 0) == 1 && byte == 'x');
        close(agent);
    }
    EQ_INT(served + refused, 40);
    OK(served >= 32);
    for (int i = 0; i < 40; i++)
        close(clients[i]);
    end(&s);
}

static void no_agent(void)
{
    struct scene s;
    char byte;

    if (!begin(&s))
        return;
    close(s.agent_fd);
    unlink(s.agent);
    int client = unix_socket(s.ours, false);
    relay_serve(s.relay);
    OK(recv(client, &byte, 1, 0) == 0);
    close(client);
    s.agent_fd = -1;
    end(&s);
}

TAP_MAIN({"both ways", both_ways}, {"many", many}, {"no agent", no_agent})
