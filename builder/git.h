/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_GIT_H
#define BUILDER_GIT_H

/*
 * Commits of git repositories as directories, by the host's git program. Each remote has a bare
 * mirror in the store, cache/git/<hex>, locked while it is used: a commit that it has costs no
 * network, another one only what is new. What a mirror holds for sure has a ref,
 * refs/slipway/<object>, written by git after its connectivity check; kill -9 leaves none.
 *
 * git is run without the user's and the system's configuration, without hooks, prompts and
 * credential helpers, by http, https, ssh and git protocols only (so no repository can reach files
 * of this host, or run a program, through a submodule). ssh is the host's own: SSH_AUTH_SOCK, the
 * user's keys and known hosts; GIT_SSH_COMMAND is honoured. Over http and https the secrets
 * GIT_AUTH_HEADER.<host>, GIT_AUTH_TOKEN.<host>, GIT_AUTH_HEADER and GIT_AUTH_TOKEN are sent, the
 * latter two to the host of the URL alone; a server that was sent one may not redirect. They reach
 * git in its environment, never on a command line.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "builder/giturl.h"

struct layout;
struct remote;
struct secret_source;

struct git {
    const struct layout *layout;
    const struct remote *remote; /* --ca-file and --insecure are for git too; NULL: neither */
    const struct secret_source *secrets; /* NULL: none */
    const char *ssh_socket; /* the agent that ssh asks, instead of SSH_AUTH_SOCK; NULL: none */
};

struct git_commit {
    char commit[GIT_HASH_SIZE];
    char object[GIT_HASH_SIZE]; /* what the ref names: the commit, or a tag that leads to it */
    char *ref;                  /* in full ("refs/heads/main"); NULL: it was named by its hash */
};

/* Asks the remote which commit the URL means; nothing is asked when it is named by its whole hash.
 * checksum: the beginning of the hash that it (or its tag) must have, beside the URL's own; NULL:
 * any. */
int git_resolve(const struct git *git, const struct giturl *url, const char *checksum,
                struct git_commit *out, struct err *err);
void git_commit_release(struct git_commit *commit);

/*
 * Writes the commit's files, submodules among them unless url->submodules is GITURL_NO, into the
 * empty directory `dir` (absolute). Of a URL with a subdir submodules outside it are left out.
 * keep_git_dir: with a .git that has this one commit, its ref, and the remote as origin.
 * *commit_time: when it was committed, seconds.
 */
int git_checkout(const struct git *git, const struct giturl *url, const struct git_commit *commit,
                 bool keep_git_dir, const char *dir, int64_t *commit_time, struct err *err);

#endif
