/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RUNTIME_NOTIFY_PARTS_H
#define RUNTIME_NOTIFY_PARTS_H

/* The recorder's parts (runtime/notify.h): what notify.c, notify_ids.c and notify_files.c share. */
#include <limits.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/fs.h"
#include "runtime/notify.h"
#include "runtime/record.h"

#define NOTIFY_GROUPS_MAX 256 /* ours; the kernel's is 65536 */

/* Real, effective, saved: what a process believes to be. */
struct notify_ids {
    uint64_t caps;      /* what it may do, as CAP_* bits: it changes ids and owners by these */
    uint64_t permitted; /* what it may come to again */
    uint64_t bounding;  /* what root of this sandbox may */
    uint32_t uid[3], gid[3];
    uint32_t keeps; /* PR_SET_KEEPCAPS: caps stay when uid 0 is given up */
    uint32_t groups_count;
    uint32_t groups[NOTIFY_GROUPS_MAX];
};

struct notify_link {
    uint64_t dev, ino;
    uint32_t uid, gid;
};

struct notify {
    int listener_fd, links_fd;
    int proc_fd;    /* outside of the sandbox; the working directory */
    int sandbox_fd; /* the sandbox's root and ours; -1 until it is seen */
    bool chrooted;  /* somebody may have another root than that */
    const struct notify_numbers *numbers;
    struct notify_ids **known; /* notify_ids.c: by token; the first are those of the beginning */
    size_t known_count, known_capacity;
    struct record_items below; /* links and pipes of the root, as it was in the beginning */
    uint64_t root_dev;         /* 0: not known yet */
    struct notify_link *links; /* of what carries no attributes; few */
    size_t links_count, links_capacity;
};

/* One call and what becomes of it. */
struct notify_request {
    struct notify *n;
    uint64_t id;
    pid_t tid;
    bool native;
    enum notify_call call;
    const uint64_t *args;
    bool go_on; /* the kernel carries it out */
    int error;  /* errno, or 0 and: */
    int64_t value;
    bool sent; /* answered already */
};

/* notify_ids.c. ids: of a process, by any of its threads; valid until the end. */
void notify_ids_begin(struct notify *n, const struct notify_ids *first);
const struct notify_ids *notify_ids_of(const struct notify *n, pid_t tid);
bool notify_ids_all_first(const struct notify *n); /* nobody has changed */
void notify_ids_call(struct notify_request *r);
/* A process executes a file with set-id bits: what it becomes. */
void notify_ids_exec(struct notify_request *r, bool set_uid, uint32_t uid, bool set_gid,
                     uint32_t gid);

/*
 * notify_files.c. begin: what is in links_fd already is of the layers below. record: of an open
 * file (O_PATH will do), false: it has none. has_link: among those that carry no attribute.
 */
void notify_files_begin(struct notify *n);
void notify_files_call(struct notify_request *r);
bool notify_get_record(struct notify *n, int fd, const struct stat *st, struct record *record);
void notify_put_record(struct notify *n, int fd, const struct stat *st,
                       const struct record *record);
bool notify_has_link(struct notify *n, const struct stat *st);

/* notify_make.c: calls that make files. */
void notify_make_call(struct notify_request *r);

/*
 * notify_view.c: files as the caller sees them. path: a string of the caller's, read page by page,
 * for what follows it may not be mapped. settle: into the root of the first caller. enter: into the
 * caller's root and the directory dirfd, as far as path needs them; false and errno: not to be had;
 * else leave() must follow, and no fd_path() can be used before. find: an O_PATH
 * descriptor of what the caller names, -1 and errno. open_fd: of what its descriptor is.
 */
bool notify_path(const struct notify_request *r, uint64_t at, char out[static PATH_MAX]);
bool notify_settle(const struct notify_request *r);
bool notify_enter(const struct notify_request *r, int dirfd, const char *path);
void notify_leave(const struct notify_request *r);
int notify_find(const struct notify_request *r, int dirfd, const char *path, bool follow);
int notify_open_fd(const struct notify_request *r, int fd);
/* A path of a descriptor of ours. */
const char *notify_fd_path(int fd, char out[static FS_FD_PATH_MAX]);
/* The directory that the last name of path is, or will be, in. */
int notify_find_parent(const struct notify_request *r, int dirfd, const char *path);

/* notify.c: the caller's memory. */
bool notify_read(pid_t tid, uint64_t at, void *out, size_t size);
bool notify_write(pid_t tid, uint64_t at, const void *bytes, size_t size);
/* A line "Name:\tNUMBER..." of /proc/TID/status, its last number; octal ones by base. -1: not
 * there.
 */
long notify_status(const struct notify *n, pid_t tid, const char *name, int base);
bool notify_is_valid(const struct notify_request *r);

#endif
