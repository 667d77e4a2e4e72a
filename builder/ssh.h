/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_SSH_H
#define BUILDER_SSH_H

/*
 * What --ssh gives to RUN --mount=type=ssh: an ssh agent, under an id.
 *
 *   default              the agent of SSH_AUTH_SOCK
 *   git=/run/agent.sock  this agent
 *   git=key[,key…]       these private keys, in an agent of our own: the host's ssh-agent(1),
 * started for the build and ended with it, however the build ends. We do not read keys ourselves,
 * so every kind that the host's OpenSSH knows will do; one with a passphrase will not, for nobody
 * is asked.
 *
 * A step reaches the agent through a socket of its own (runtime/relay.h), never the keys.
 */
#include <stddef.h>

#include "base/err.h"
#include "base/str.h"
#include "base/strv.h"

struct ssh_spec {
    char *id;
    struct strv paths; /* none: SSH_AUTH_SOCK */
};

void ssh_spec_release(struct ssh_spec *spec);
/* Pure. ERR_USAGE. */
int ssh_spec_parse(struct str text, struct ssh_spec *spec, struct err *err);

struct layout;
struct ssh_agent;

struct ssh_agents {
    struct ssh_agent *items;
    size_t count, capacity;
};

/* In the session that will run the steps: agents that are needed for keys are started, their
 * sockets in the store's tmp/. The last of an id wins. layout must stay open until the release. */
int ssh_agents_add(struct ssh_agents *agents, const struct layout *layout, struct str text,
                   struct err *err);
void ssh_agents_release(struct ssh_agents *agents);
/* The path of an agent's socket, borrowed; NULL: none has this id. */
const char *ssh_agents_find(const struct ssh_agents *agents, const char *id);

#endif
