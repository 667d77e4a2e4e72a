/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_GIT_RUN_H
#define BUILDER_GIT_RUN_H

/* The parts of builder/git: running git, and the mirrors. For git*.c alone. */
#include "base/buf.h"
#include "base/err.h"
#include "builder/git.h"

/* What the arguments call the remote of git_call.url: the URL itself, which may hold a password,
 * does not belong on a command line. */
#define GIT_REMOTE "slipway"
#define GIT_OUTPUT_MAX (16 << 20) /* ours: of one command */

/* A mirror in use: its lock is held until released. */
struct git_mirror {
    char *path; /* absolute */
    int lock_fd;
};
#define GIT_MIRROR_CLOSED                                                                          \
    {                                                                                              \
        .lock_fd = -1                                                                              \
    }

/* One command. Members that are NULL are left out. */
struct git_call {
    const char *git_dir, *work_tree, *index;
    const struct giturl *url; /* whose remote is spoken to, with its credentials */
    const char *main_host;    /* the host that GIT_AUTH_TOKEN and GIT_AUTH_HEADER are for */
    bool local;               /* may read a repository of this host: our own mirror */
    /* Stands for git_dir, if that is not given. Its lock lasts until git has ended, even when we
     * are killed before. */
    const struct git_mirror *mirror;
    const char *const *args; /* NULL-ended */
    bool quiet;              /* a failure is an answer: *status tells */
};

/* Appends its output. -1: it could not be run or, unless quiet, failed: what it said is in err. */
int git_run(const struct git *git, const struct git_call *call, struct buf *out, int *status,
            struct err *err);
#define GIT_ARGS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* The mirror of the URL's remote, with the object (a whole hash) in it. */
int git_mirror_open(const struct git *git, const struct giturl *url, const char *main_host,
                    const char *object, struct git_mirror *mirror, struct err *err);
void git_mirror_close(struct git_mirror *mirror);

/* What .gitmodules and the tree of a commit say together. */
struct git_submodule {
    char *path; /* clean, relative to the work tree */
    char commit[GIT_HASH_SIZE];
    struct giturl url;
};
struct git_submodules {
    struct git_submodule *items;
    size_t count, capacity;
};
/* subdir: only those that touch it; NULL: all. */
int git_submodules_list(const struct git *git, const struct git_mirror *mirror,
                        const struct giturl *url, const char *commit, const char *subdir,
                        struct git_submodules *out, struct err *err);
void git_submodules_release(struct git_submodules *list);

#endif
