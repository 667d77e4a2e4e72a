/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_PLACES_H
#define REGISTRY_PLACES_H

/*
 * "HOST=URL": which server stands in for a registry host, as users write it. Pure.
 *   HOST  a host of image names: "docker.io" (also "index.docker.io", "registry-1.docker.io"),
 * "localhost:5000" URL   "https://mirror.example/prefix", "http://127.0.0.1:5000" or without
 * scheme: "mirror.example:5000"
 */
#include <stdbool.h>

#include "base/err.h"
#include "base/strv.h"

struct place_url {
    char *scheme; /* "http", "https"; NULL: find out */
    char *host;   /* "mirror.example:5000", lower case */
    char *prefix; /* "" or "/prefix" */
};

void place_url_release(struct place_url *url);
/*
 * ERR_USAGE. A trailing "/" or "/v2" of the URL is dropped; user, query and fragment are refused.
 * *host is for free(). what names the setting in errors: "--registry-mirror".
 */
int place_pair_parse(const char *text, const char *what, char **host, struct place_url *url,
                     struct err *err);
/* The host of image names that Docker Hub's other names stand for; else the text itself, lower
 * case. For free(). */
char *place_host(struct str host);
/* Name without port, port or the empty slice: "[::1]:5000" is "[::1]" and "5000". Borrowed. */
void place_host_cut(struct str host, struct str *name, struct str *port);
/* 127.0.0.0/8, ::1 and localhost. */
bool place_is_loopback(const char *host);
/* Whether list names host, port and all. */
bool place_listed(const struct strv *list, const char *host);
/*
 * May a server of `own` (host[:port]) send us to `other`? Not to an address of a private or
 * link-local network that is not its own kind: such a Location would have us knock at doors behind
 * the firewall for a stranger.
 */
bool place_may_send_to(const char *own, const char *other);

#endif
