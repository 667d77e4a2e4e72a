/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_GITURL_H
#define BUILDER_GITURL_H

/*
 * What names a git repository in ADD, as a build context and as a named context (docker's "Git
 * repositories" page; BuildKit's dfgitutil decides where that is silent):
 *
 *     https://host/path.git  http://host/path.git    only when the path ends in ".git"
 *     ssh://[user@]host/path  git://host/path  user@host:path
 * each with  #REF[:SUBDIR]  or  ?ref=|tag=|branch=|subdir=|checksum=|commit=|keep-git-dir=|
 * submodules=|mtime=|fetch-by-commit=  behind it, or both when they agree. Pure.
 *
 * Nothing that comes out of here can be taken for an option by git or ssh: a host, a path behind
 * "user@host:" and a ref never begin with "-", and refs hold only what git-check-ref-format(1)
 * allows.
 */
#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#define GITURL_MAX 4096  /* ours: longer is no URL */
#define GIT_HASH_SIZE 65 /* hex of SHA-1 (40) or SHA-256 (64), and the NUL */

enum giturl_choice { GITURL_UNSAID, GITURL_NO, GITURL_YES };

struct giturl {
    char *remote;   /* for git: the URL without query and fragment */
    char *host;     /* with port, as written; for the names of secrets */
    bool ssh;       /* … or user@host:path */
    char *ref;      /* branch, tag, "refs/…" or commit; NULL: the remote's HEAD */
    char *subdir;   /* clean and relative, NULL: all of the repository */
    char *checksum; /* lower hex, the beginning of the commit it must be; NULL: any */
    enum giturl_choice keep_git_dir, submodules;
    bool mtime_commit;    /* files have the time of the commit */
    bool fetch_by_commit; /* the checksum, a whole one, is fetched; the remote's refs are not asked
                           */
};

/* Does text name a git repository? 1: yes, and *out says which. 0: no, it is something else. -1: it
 * does, and is wrong (ERR_INPUT). Release out after 1. */
int giturl_parse(const char *text, struct giturl *out, struct err *err);
/* The URL of a submodule, as .gitmodules has it, against the remote it stands in ("./x", "../x" are
 * relative to that). Any path will do here, but no scheme other than those above. */
int giturl_submodule(const char *remote, const char *url, struct giturl *out, struct err *err);
void giturl_release(struct giturl *url);

/* 40 or 64 hex digits. */
bool git_is_hash(struct str text);
/* The remote for messages and logs: a password, if there is one, as "***"; escaped. */
void giturl_show(const char *remote, struct buf *out);

#endif
