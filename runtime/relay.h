/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RUNTIME_RELAY_H
#define RUNTIME_RELAY_H

/*
 * A local socket of ours whose connections are carried to another one: how a sandbox reaches an ssh
 * agent. Ours may have any owner and mode; the agent sees us, not the sandbox. No thread of its
 * own: whoever waits for the sandbox polls relay_fd() for POLLIN and calls relay_serve().
 */
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

struct relay;

/* Makes the socket dir_fd/name. path: where to; it is connected to once somebody connects here.
 * NULL on failure. */
struct relay *relay_open(int dir_fd, const char *name, mode_t mode, uid_t uid, gid_t gid,
                         const char *path, struct err *err);
void relay_close(struct relay *r); /* the socket's name stays; NULL is fine */
int relay_fd(const struct relay *r);
void relay_serve(struct relay *r);

#endif
