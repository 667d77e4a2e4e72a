/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RUNTIME_UPLINK_H
#define RUNTIME_UPLINK_H

/*
 * The way out of a private network: pasta (passt(1)), where it is installed, run beside the sandbox
 * on the network namespace that init hands over. Without it the network has nothing but lo and
 * published ports.
 */
#include <sys/types.h>

#include "base/err.h"

struct uplink {
    pid_t pid;     /* of pasta's keeper; 0: none */
    int socket_fd; /* to it; its closing ends both */
};
#define UPLINK_CLOSED                                                                              \
    {                                                                                              \
        .socket_fd = -1                                                                            \
    }

/* Whether there could be one: pasta in PATH, and /dev/net/tun open to us. */
int uplink_check_program(struct err *err);
int uplink_check_tun(struct err *err);
/* netns_fd: the sandbox's network namespace. Comes back when the interface is up. -1 with why there
 * is none. */
int uplink_begin(struct uplink *uplink, int netns_fd, struct err *err);
void uplink_end(struct uplink *uplink);

#endif
