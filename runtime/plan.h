/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RUNTIME_PLAN_H
#define RUNTIME_PLAN_H

/*
 * Everything one sandbox will do, as data. Begin with PLAN_INIT, fill, hand to run_start(). Strings
 * and vectors are owned by the plan; descriptors are borrowed and must stay open until run_start()
 * returns.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/strv.h"
#include "runtime/limits.h"

enum plan_network {
    PLAN_NETWORK_HOST,    /* the host's */
    PLAN_NETWORK_NONE,    /* a namespace with nothing but lo */
    PLAN_NETWORK_PRIVATE, /* the same namespace; ports and uplink are runtime/net.h's work */
};

#define PLAN_CGROUPS_MAX 5 /* version 2, and four hierarchies of version 1 */

enum plan_mount_kind {
    PLAN_MOUNT_BIND,  /* what source_fd names, with all that is mounted below it */
    PLAN_MOUNT_TMPFS, /* fresh, size bytes at most (0: no limit of its own) */
    PLAN_MOUNT_FILE,  /* a file in memory with these bytes: secrets, generated configuration */
    PLAN_MOUNT_MOVE,  /* of a plain root alone: what lies at source_fd/source_name, moved there and
                         back again */
};

struct plan_mount {
    enum plan_mount_kind kind;
    char *target;  /* absolute path in the sandbox; links are followed inside its root */
    int source_fd; /* BIND: any descriptor of the directory or file (O_PATH serves), or a detached
                      mount */
    char *source_name; /* MOVE: owned */
    bool detached;  /* source_fd is a detached mount (overlay_mount, open_tree): it moves into the
                       sandbox */
    bool is_dir;    /* BIND: set by plan_add_bind() */
    bool read_only; /* with everything below */
    bool no_suid, no_exec; /* BIND: the same; applied by run_start(), so they do not travel */
    uint64_t size;         /* TMPFS */
    uint32_t mode;         /* TMPFS, FILE; 0 means 0755 and 0644 */
    uint32_t uid, gid;     /* TMPFS, FILE */
    struct buf content;    /* FILE */
};

struct plan {
    int root_fd;   /* detached mount, from overlay_mount(); it moves into the sandbox; plain: a
                      directory */
    bool plain;    /* no namespace and no mount: the root is a directory (runtime/places.h) */
    bool in_place; /* plain, and the root is "/" as it is: nothing but mounts is put into it */
    int aside_fd;  /* plain: an empty directory on its file system, for what is covered; else -1 */
    struct strv argv; /* argv[0] without a slash is looked up in PATH of env, in the sandbox */
    struct strv env;
    char *cwd; /* NULL: "/"; made when missing (owner 0:0) */
    uint32_t uid, gid;
    uint32_t *groups; /* supplementary */
    size_t groups_count;
    char *hostname; /* NULL: "localhost" */
    char *hosts; /* bytes of /etc/hosts, /etc/resolv.conf and /etc/hostname; NULL: the image's own
                    stay */
    char *resolv_conf;
    char *hostname_file;
    enum plan_network network;
    uint64_t caps;   /* bounding set, and the effective set of uid 0; PLAN_INIT: CAPS_DEFAULT */
    bool unconfined; /* no seccomp filter, no masked paths */
    bool no_filter;  /* no seccomp filter; masked paths stay */
    bool no_new_privs;
    bool read_only; /* the root, not the mounts */
    bool tty; /* a terminal of its own; run_start() gives its master, fds below are not used */
    uint16_t tty_rows, tty_columns;
    int stdin_fd, stdout_fd, stderr_fd; /* -1: /dev/null */
    bool hold;       /* run.netns_fd comes with run_start(), the command waits for run_go() */
    int network_fd;  /* -1, or where init answers for sockets of its network (runtime/forward.h) */
    bool record;     /* set by run_start(): owners are recorded (runtime/notify.h) */
    int links_fd;    /* -1, or a file for the owners of links (struct record_item) */
    int recorder_fd; /* in the sandbox alone: the recorder's socket */
    int cgroup_fds[PLAN_CGROUPS_MAX]; /* cgroup.procs, which the command enters (runtime/cgroup.h)
                                       */
    size_t cgroups_count;
    uint32_t umask;    /* PLAN_INIT: 022 */
    uint64_t shm_size; /* bytes of /dev/shm; 0: Docker's 64 MiB */
    struct limits limits;
    const char *arch; /* borrowed: OCI name of the image's architecture, for the words of errors;
                         NULL: unknown */
    struct plan_mount *mounts; /* in this order */
    size_t mounts_count, mounts_capacity;
    char *arch_parsed; /* owned, by plan_parse() */
};

#define PLAN_CAPS_DEFAULT UINT64_C(0xa80425fb) /* Docker's fourteen: see runtime/caps.h */
#define PLAN_INIT                                                                                  \
    {                                                                                              \
        .root_fd = -1, .caps = PLAN_CAPS_DEFAULT, .stdin_fd = -1, .stdout_fd = -1,                 \
        .stderr_fd = -1, .network_fd = -1, .aside_fd = -1, .links_fd = -1, .recorder_fd = -1,      \
        .umask = 022                                                                               \
    }

void plan_release(struct plan *plan);
/* The new mount, to be adjusted; valid until the next plan_add. plan_add_bind() looks whether
 * source_fd is a directory. */
struct plan_mount *plan_add_bind(struct plan *plan, int source_fd, const char *target,
                                 bool read_only);
struct plan_mount *plan_add_tmpfs(struct plan *plan, const char *target, uint64_t size,
                                  uint32_t mode);
struct plan_mount *plan_add_file(struct plan *plan, const char *target, struct str content,
                                 uint32_t mode);
/* What is at dir_fd/name, which is borrowed until the command has ended. */
struct plan_mount *plan_add_move(struct plan *plan, int dir_fd, const char *name,
                                 const char *target);
/* Refuses what no sandbox can do: no argv, relative targets, a mount on "/", NUL bytes, too many
 * mounts. ERR_INPUT. */
int plan_check(const struct plan *plan, struct err *err);

/* The form in which a plan travels to the spawner: bytes, and the descriptors beside them. */
#define PLAN_FDS_MAX 240 /* SCM_MAX_FD is 253 (net/scm.h) */
#define PLAN_TEXT_MAX (64u << 20)
void plan_print(const struct plan *plan, struct buf *out);
/* descriptors: in the order of plan_fds(). Refuses anything that plan_print() did not write. */
int plan_parse(struct str text, const int *fds, size_t fds_count, struct plan *plan,
               struct err *err);
/* root, aside, stdin, stdout, stderr, network, links (those not -1), cgroups, then those of the
 * mounts; returns how many.
 */
size_t plan_fds(const struct plan *plan, int fds[static PLAN_FDS_MAX]);

#endif
