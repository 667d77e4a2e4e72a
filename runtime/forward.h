/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RUNTIME_FORWARD_H
#define RUNTIME_FORWARD_H

/*
 * Published ports: listeners in the host's network, connections on into a sandbox's private one.
 * The sandbox's init makes the sockets there and hands them over (plan.network_fd), so no privilege
 * and no helper process is needed. One thread, one epoll descriptor: poll forward_fd() for reading
 * among whatever else there is, then forward_serve(). Half-closed connections stay half-closed; a
 * slow reader costs one buffer of 64 KiB.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "runtime/net.h"

struct forward;

/* Binds and listens; a host port of 0 is chosen and written back. ports must live as long as the
 * forward. */
struct forward *forward_open(struct net_port *ports, size_t count, struct err *err);
void forward_free(struct forward *f);
/* For plan.network_fd; forward_started() closes our copy after run_start(). */
int forward_network_fd(const struct forward *f);
void forward_started(struct forward *f);
int forward_fd(const struct forward *f);
/* Does what is ready. true: there is more to do at once. */
bool forward_serve(struct forward *f);

#endif
