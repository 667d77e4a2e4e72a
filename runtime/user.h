/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RUNTIME_USER_H
#define RUNTIME_USER_H

/*
 * USER of an image: "name", "uid", "name:group", "uid:gid" and mixtures, answered from the image's
 * own /etc/passwd and /etc/group (passwd(5), group(5)). A number that has no entry stands for
 * itself; a name that has none is an error.
 */
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

#define USER_FILE_MAX (4u << 20)
#define USER_GROUPS_MAX 65536 /* NGROUPS_MAX */

struct user {
    uint32_t uid, gid;
    uint32_t *groups; /* supplementary, gid first; no others when the text names a group */
    size_t groups_count, groups_capacity;
    char *home; /* NULL: no entry */
};

void user_release(struct user *user);
/* Pure. text empty means 0:0 ("root" of passwd, if it is there, gives home and groups). */
int user_parse(struct str text, struct str passwd, struct str group, struct user *user,
               struct err *err);
/* The same, with both files read beneath a mounted root; a missing file is an empty one. */
int user_lookup(int root_fd, const char *text, struct user *user, struct err *err);

#endif
