/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RUNTIME_NET_H
#define RUNTIME_NET_H

/* A sandbox's network: loopback, generated resolv.conf and hosts, published ports, the way out. */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "base/strv.h"

/* In a new network namespace: lo up. */
int net_raise_loopback(struct err *err);

/*
 * Pure: a container's resolv.conf from the host's text. In a private network loopback servers
 * cannot be reached, so those lines go and the bytes of `upstream` (systemd-resolved's list; may be
 * empty) take their place; with nothing left, no nameserver line remains.
 */
void net_print_resolv_conf(struct str host, struct str upstream, bool private_network,
                           struct buf *out);
/* The host's files, read. Missing ones are empty. */
int net_resolv_conf(bool private_network, struct buf *out, struct err *err);
/* localhost lines, hostname (NULL: none) on 127.0.0.1, and extra "NAME:ADDRESS" entries. */
int net_hosts(const char *hostname, const struct strv *extra, struct buf *out, struct err *err);

/* "8080:80", "127.0.0.1:8080:80", "[::1]:8080:80/tcp", "80" (any free port of the host). */
struct net_port {
    char address[48]; /* numeric; "" means every address */
    uint16_t host, box;
};
int net_parse_port(struct str text, struct net_port *port, struct err *err);

#endif
