/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RUNTIME_NOTIFY_PARTS_H
#define RUNTIME_NOTIFY_PARTS_H

/* The recorder's parts (runtime/notify.h): what notify.c, notify_ids.c and notify_files.c share. */
#include <limits.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "runtime/notify.h"
#include "runtime/record.h"

#define NOTIFY_GROUPS_MAX 256 /* ours; the kernel's is 65536 */

/* Real, effective, saved: what a process believes to be. */
struct notify_ids {
    uint32_t uid[3], gid[3];
    bool powerful; /* may change ids and owners: what CAP_SETUID, SETGID, CHOWN would say */
    bool keeps;    /* PR_SET_KEEPCAPS: it stays so when uid 0 is given up */
    uint32_t groups[NOTIFY_GROUPS_MAX];
    uint32_t groups_count;
};

/* A process whose ids are not those the sandbox began with, or whose forebear's are not. */
struct notify_process {
    pid_t pid;
    int pidfd;
    struct notify_ids ids;
};

struct notify_link {
    uint64_t dev, ino;
    uint32_t uid, gid;
};

struct number;

struct notify {
    int listener_fd, links_fd, proc_fd, root_fd;
    int sandbox_fd;         /* the sandbox's root; -1 until it is seen */
    bool chrooted;          /* somebody may have another root than that */
    struct number *numbers; /* notify.c: of the calls */
    size_t numbers_count;
    uint32_t arch; /* the native one */
    struct notify_ids first;
    struct notify_process *processes;
    size_t processes_count, processes_capacity;
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

/* notify_ids.c. ids: of the caller, valid until the next call. */
struct notify_ids *notify_ids_of(struct notify *n, pid_t tid);
void notify_ids_call(struct notify_request *r);
/* A process executes a file with set-id bits: what it becomes. */
void notify_ids_exec(struct notify_request *r, bool set_uid, uint32_t uid, bool set_gid,
                     uint32_t gid);

/* notify_files.c. begin: what is in links_fd already is of the layers below. */
void notify_files_begin(struct notify *n);
void notify_files_call(struct notify_request *r);

/*
 * notify_view.c: files as the caller sees them. path: a string of the caller's, read page by page,
 * for what follows it may not be mapped. enter: into the caller's root and the directory dirfd;
 * false: it is not to be had; else leave() must follow. find: an O_PATH descriptor of what the
 * caller names, -1 and errno. open_fd: of what its descriptor is.
 */
bool notify_path(pid_t tid, uint64_t at, char out[static PATH_MAX]);
bool notify_enter(const struct notify_request *r, int dirfd);
void notify_leave(const struct notify_request *r);
int notify_find(const struct notify_request *r, int dirfd, const char *path, bool follow);
int notify_open_fd(const struct notify_request *r, int fd);

/* notify.c: the caller's memory. */
bool notify_read(pid_t tid, uint64_t at, void *out, size_t size);
bool notify_write(pid_t tid, uint64_t at, const void *bytes, size_t size);
/* A line "Name:\tNUMBER" of /proc/TID/status; octal numbers by base. -1: not there. */
long notify_status(const struct notify *n, pid_t tid, const char *name, int base);
bool notify_is_valid(const struct notify_request *r);

#endif
