/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RUNTIME_BOX_H
#define RUNTIME_BOX_H

/*
 * What the command line may change about a sandbox, in Docker's words, for build and run alike:
 * --cap-add, --cap-drop, --security-opt, --shm-size, --ulimit, --dns, --dns-search, --dns-option.
 * Pure.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/strv.h"
#include "runtime/limits.h"
#include "runtime/resources.h"

struct plan;

struct box {
    uint64_t dropped, added; /* capabilities: those of a plan, less these, with these */
    bool no_filter;          /* seccomp=unconfined */
    bool no_new_privs;       /* set-user-id programs gain nothing */
    uint64_t shm_size;       /* of /dev/shm; 0: the default */
    struct limits limits;
    struct strv dns;                     /* addresses of servers */
    struct strv dns_search, dns_options; /* "." alone: none */
    struct resources resources;
};

void box_release(struct box *box);
/*
 * "NET_ADMIN", "cap_net_admin", "ALL". As Docker: with ALL added, all but the dropped ones; with
 * ALL dropped, the added ones alone; else the default ones, dropped first and then added.
 * ERR_USAGE.
 */
int box_set_caps(struct box *box, const struct strv *add, const struct strv *drop, struct err *err);
/*
 * "no-new-privileges[=true|false]", "seccomp=unconfined" or "builtin"; "apparmor=unconfined" and
 * "label=disable", which is how it is here. ":" may stand for "=". What else Docker has is an error
 * that names it. ERR_USAGE.
 */
int box_add_security(struct box *box, const char *text, struct err *err);
/* A server's numeric address; a domain to search in; an option of resolv.conf(5). ERR_USAGE. */
int box_add_dns(struct box *box, const char *text, struct err *err);
int box_add_dns_search(struct box *box, const char *text, struct err *err);
int box_add_dns_option(struct box *box, const char *text, struct err *err);

uint64_t box_caps(const struct box *box); /* the bounding set */
/* Capabilities, filter, no_new_privs, /dev/shm and limits into a plan. */
void box_put(const struct box *box, struct plan *plan);
/* A resolv.conf in which lines of a kind that was given are replaced: nameserver, search (and
 * domain), options. */
void box_print_resolv_conf(const struct box *box, struct str text, struct buf *out);

#endif
