/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_SOURCES_H
#define BUILDER_SOURCES_H

/*
 * What a build fetches: URLs and git repositories, each once however often the Dockerfile names it.
 * A source is found first (its text is judged, nothing is asked), then resolved (it is known what
 * it is: a digest, a commit), then opened (its content is here). Any thread may do either; who
 * comes second to the same source waits. Directories that are made for it go when the table is
 * closed.
 */
#include <stdbool.h>

#include "base/err.h"
#include "base/hash.h"
#include "builder/context.h"
#include "builder/giturl.h"
#include "builder/origin.h"

struct layout;
struct remote;
struct secret_source;

struct sources_options {
    struct layout *layout;
    struct remote *remote;               /* for its http; NULL: only directories can be made */
    const struct secret_source *secrets; /* NULL: none */
    const char *ssh_socket; /* the agent that ssh asks instead of SSH_AUTH_SOCK; NULL: none */
    bool commit_time; /* files of repositories are as old as their commit (SOURCE_DATE_EPOCH) */
};

struct sources;

struct sources *sources_open(const struct sources_options *options); /* options are copied */
void sources_close(struct sources *sources);                         /* NULL is fine */

/* As ADD and its flags have it. */
struct source_request {
    const char *text;
    const char *checksum;            /* --checksum, or NULL */
    enum giturl_choice keep_git_dir; /* --keep-git-dir */
};

struct source;

/* 1: text is a URL or names a repository; *out is borrowed from the table. 0: it is a path. -1:
 * wrong, or the flags do not fit. */
int sources_find(struct sources *sources, const struct source_request *request, struct source **out,
                 struct err *err);
bool source_is_git(const struct source *source);
int source_resolve(struct source *source, struct err *err);
/* Adds what a resolved source is to a cache key. */
void source_hash(const struct source *source, struct sha256 *h);
/* Where COPY and ADD can read it; borrowed. A repository's files, or the one file of a URL. */
struct origin *source_open(struct source *source, struct err *err);
/* The same as a directory: a repository's files; what the archive of a URL holds; or, for a URL
 * that gives something else, a directory with the one file "context". label: "build context". */
struct context *source_open_context(struct source *source, const char *label, struct err *err);

/* After source_open_context() of a URL: did it give an archive? */
bool source_is_archive(const struct source *source);

/* An archive, or else one file "context", in fd, as a directory; label as above. The context
 * belongs to the table. *is_archive may be NULL. */
struct context *sources_unpack(struct sources *sources, int fd, const char *label, bool *is_archive,
                               struct err *err);
/* An empty directory. */
struct context *sources_empty(struct sources *sources, const char *label, struct err *err);

#endif
