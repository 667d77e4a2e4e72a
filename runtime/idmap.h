/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RUNTIME_IDMAP_H
#define RUNTIME_IDMAP_H

/*
 * A directory or file that shows one owner as another: an idmapped mount (mount_setattr(2)). The
 * kernel lets only the host's root have one, and not on every file system.
 */
#include <sys/types.h>

#include "base/err.h"

/* A detached mount of what fd names, without what is mounted below it, on which uid and gid are 0.
 * All other ids are nobody's there. */
int idmap_to_root(int fd, uid_t uid, gid_t gid, struct err *err);

#endif
