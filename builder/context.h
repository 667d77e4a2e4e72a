/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_CONTEXT_H
#define BUILDER_CONTEXT_H

/*
 * A build context: a directory as COPY may see it, without what the ignore file leaves out.
 * Directories are read when something looks into them, once; names are sorted by bytes.
 *
 * Any thread may use a context: context_load(), context_child() and context_digest() hold its mutex
 * while they read a directory or touch what is remembered. A node never moves, and what is in it
 * stays as it is, once the call that gave it has returned; children of a directory may be looked at
 * after context_load() of it.
 */
#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/str.h"

struct ignore;
struct layout;
struct pool;
struct xattr_set;

struct context_node {
    const char *path; /* clean, relative to the context; "." is the root */
    const char *name; /* its last component, in path */
    struct stat st;
    char *link;      /* of a symbolic link */
    uint8_t *digest; /* SHA256_SIZE bytes, once this build has read the file */
    char *names;     /* what the children's paths point into */
    struct context_node *children;
    size_t count;
    bool loaded;
};

struct context;

struct context_options {
    const char *path;  /* the directory */
    const char *label; /* for messages: "build context", "context NAME" */
    /* The ignore file is this one if it is there (the path <dockerfile>.dockerignore; NULL: none),
     * else .dockerignore in path; no_ignore: none at all. */
    const char *ignore_path;
    bool no_ignore;
    /* git knows no modes but 0644 and 0755, whatever the umask made of them. */
    bool git_modes;
    bool has_mtime; /* every file is of this time, seconds */
    int64_t mtime;
    bool passing; /* it will be removed: no digest of its files is remembered */
};

/* All of options is copied. layout: for remembered digests. */
struct context *context_open(struct layout *layout, const struct context_options *options,
                             struct err *err);
void context_close(struct context *context); /* NULL is fine */

/* Reads the directory, unless it was. node must be a directory. */
int context_load(struct context *context, struct context_node *node, struct err *err);
/* The directory and all below it, on the pool's threads; what cannot be read is passed over. */
void context_load_tree(struct context *context, struct context_node *node, struct pool *pool);
struct context_node *context_root(struct context *context);
/* A child by name, NULL: not there or left out. */
int context_child(struct context *context, struct context_node *dir, struct str name,
                  struct context_node **child, struct err *err);
/* What leaves files out; borrowed. */
const struct ignore *context_ignore(const struct context *context);
/* Is a path of the context there, but left out by the ignore file? For error texts. */
bool context_leaves_out(const struct context *context, const char *path);
/* Is it a socket? No layer can hold one, so a walk passes it over. */
bool context_has_socket(const struct context *context, const char *path);

/* Does it show modes or times that are not those of the files? */
bool context_alters(const struct context *context);
/* A small file by its path, links followed inside the context; the ignore file has no say. */
int context_read(const struct context *context, const char *path, size_t max, struct buf *out,
                 struct err *err);
int context_open_file(const struct context *context, const struct context_node *node,
                      struct err *err);
/* Has the file changed since the directory was read? What was copied may then be neither the old
 * nor the new content. */
bool context_changed(const struct context *context, const struct context_node *node);
/* What stands for a file's content and extended attributes, or a directory's attributes alone:
 * remembered, else read now. */
int context_digest(struct context *context, struct context_node *node,
                   uint8_t out[static SHA256_SIZE], struct err *err);
/* The same, when it can be told without reading the file. */
bool context_knows(struct context *context, struct context_node *node,
                   uint8_t out[static SHA256_SIZE]);
/*
 * For who reads a file anyway: begin, then all its bytes go into reading.hash, then end, which
 * remembers the digest (unless the file changed meanwhile, or is too young to tell) and gives it.
 */
struct context_reading {
    struct stat before;
    struct sha256 hash;
};
int context_reading_begin(const struct context *context, const struct context_node *node, int fd,
                          struct context_reading *reading, struct err *err);
int context_reading_end(struct context *context, struct context_node *node, int fd,
                        const struct xattr_set *xattrs, struct context_reading *reading,
                        uint8_t out[static SHA256_SIZE], struct err *err);

#endif
