/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RUNTIME_USERNS_H
#define RUNTIME_USERNS_H

/* Which ids a user namespace gets, and how they are written (user_namespaces(7), subuid(5),
 * newuidmap(1)). */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/str.h"

#define USERNS_RANGES_MAX 340 /* user_namespaces(7): lines of a map */

struct userns_range {
    uint32_t inside, outside, count;
};

struct userns_map {
    struct userns_range ranges[USERNS_RANGES_MAX];
    size_t count;
};

/*
 * Pure: appends the ranges that a /etc/subuid text gives to a user, named by name or number, in the
 * order of the lines, `inside` counting up from *next. A line that is wrong is ERR_INPUT with its
 * number. Lines of others are not looked at.
 */
int userns_parse_sub(struct str text, const char *name, uint32_t id, uint32_t *next,
                     struct userns_map *map, struct err *err);
/* Pure: /proc/self/uid_map turned into an identity map of all ids it holds. */
int userns_parse_identity(struct str text, struct userns_map *map, struct err *err);

/* Whether this process's own user namespace has that many ids. */
int userns_check_ids(uint64_t want, struct err *err);
/* For a child that has just made its user namespace: every id we have stands for itself. Needs
 * CAP_SETUID, CAP_SETGID. */
int userns_write_identity(pid_t child, struct err *err);
/* One id, the one we are, as 0. Needs nothing; setgroups(2) is denied in it. */
int userns_write_single(pid_t child, struct err *err);
/*
 * The ordinary user's maps: 0 is the user, 1 and up their subordinate ids, through newuidmap and
 * newgidmap. ERR_SYSTEM and ENOENT when ids or helpers are missing. userns_find_sub() only looks
 * (before anything is forked).
 */
struct userns_sub {
    struct userns_map uids, gids;
};
int userns_find_sub(uid_t uid, gid_t gid, struct userns_sub *sub, struct err *err);
int userns_write_sub(pid_t child, const struct userns_sub *sub, struct err *err);

#endif
