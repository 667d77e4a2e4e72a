/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_CONTEXTS_H
#define BUILDER_CONTEXTS_H

/*
 * The contexts of one build: the main one with its Dockerfile, and those of --build-context that
 * are files.
 *
 * The main context, as docker buildx takes it:
 *   PATH        a directory; its ignore file applies. Or an archive, unpacked.
 *   -           standard input: an archive, unpacked, or a Dockerfile, told apart by content
 *   a git URL   (builder/giturl.h; also "github.com/OWNER/REPOSITORY")
 *   http(s)://  an archive, unpacked, or a Dockerfile
 * The Dockerfile is a path of this host for a directory, one inside it for all others; "-" is
 * standard input, an http(s) URL is fetched; without one it is Dockerfile or dockerfile in the
 * context. Only directories of this host have ignore files (so has BuildKit).
 */
#include "base/buf.h"
#include "base/err.h"
#include "builder/context.h"
#include "builder/named.h"

struct layout;
struct sources;

struct contexts_options {
    struct layout *layout;
    struct sources *sources;
    const char *context;
    const char *dockerfile;             /* NULL: the context's own */
    int input_fd;                       /* standard input */
    bool keep_git_dir;                  /* a repository as main context keeps its .git */
    const struct named_contexts *named; /* NULL: none */
};

struct contexts;

/* Finds the main context and reads the Dockerfile; a directory is not looked into. *name: what
 * errors call the Dockerfile; for free(). options are copied, what they point to is not. */
struct contexts *contexts_open(const struct contexts_options *options, struct buf *dockerfile,
                               char **name, struct err *err);
void contexts_close(struct contexts *contexts); /* NULL is fine */
/* The main context, opened when it is first asked for; any thread may ask. */
struct context *contexts_main(struct contexts *contexts, struct err *err);
/* The same if somebody asked already, else NULL. */
struct context *contexts_main_opened(struct contexts *contexts);
/* That of named->items[index], which is NAMED_DIR or NAMED_FETCHED. */
struct context *contexts_named(struct contexts *contexts, size_t index, struct err *err);

#endif
