/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_LAYOUT_H
#define REGISTRY_LAYOUT_H

/*
 * The store: an OCI image layout (image-spec image-layout.md) that any number of processes share,
 * and our trees and caches beside it.
 *
 *   oci-layout  index.json  blobs/sha256/<hex>     what every OCI tool reads in place
 *   trees/<diff id hex>/                           unpacked layers (builder/layer)
 *   cache/index/<diff id hex>, cache/…             path indexes, step records, …
 *   tmp/                                           unfinished things, each held by a lock of its
 * maker lock                                           byte ranges of open file description locks:
 * 0 the store (shared for use, exclusive for prune), 1 index.json, 2 tmp/, 64… by name
 *
 * A blob appears only whole: nameless file, bytes, hash by the writer, fdatasync, linkat. kill -9
 * at any moment leaves nothing that counts. index.json is replaced by rename under its own lock,
 * read without any. Locks end with the process. Names in index.json (annotation
 * org.opencontainers.image.ref.name) are reference_name(): "docker.io/library/web:1". An entry
 * without a name is an image that nobody tagged; prune takes it.
 *
 * Open it after session_enter(): a process forked while it is open would keep its locks.
 * A struct layout holds only descriptors, a path and a hook: any thread may use it. A record that
 * names a blob or a tree is a hint: ask layout_has() before relying on it, for prune may have been
 * there.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/strv.h"
#include "registry/descriptor.h"
#include "registry/manifest.h"
#include "registry/platform.h"
#include "registry/reference.h"

#define LAYOUT_INDEX_MAX (64 << 20) /* ours: some 200 000 names */
#define LAYOUT_REF_NAME "org.opencontainers.image.ref.name"

/*
 * Where blobs can be had that the store lacks: asked by layout_open_blob() and layout_read_blob().
 * All three from any thread; each blob is fetched once and appears only verified.
 */
struct layout_fetch {
    void *arg;
    bool (*can)(void *arg, const char *digest);
    int (*fetch)(void *arg, const char *digest, struct err *err); /* 0: it is in the store now */
    void (*prefetch)(void *arg, const char *digest);              /* begins, and does not wait */
};

struct layout {
    int dir_fd;   /* the root */
    int blobs_fd; /* blobs/sha256 */
    int trees_fd;
    int cache_fd;
    int tmp_fd;
    int lock_fd;                      /* holds the shared lock */
    char *root;                       /* absolute */
    const struct layout_fetch *fetch; /* borrowed; NULL: what is not here cannot be had */
};
#define LAYOUT_CLOSED                                                                              \
    {                                                                                              \
        .dir_fd = -1, .blobs_fd = -1, .trees_fd = -1, .cache_fd = -1, .tmp_fd = -1, .lock_fd = -1  \
    }

/* root NULL: $XDG_DATA_HOME/slipway (~/.local/share/slipway), /var/lib/slipway for root. Makes what
 * is missing and takes the shared lock, waiting while a prune runs. */
int layout_open(struct layout *l, const char *root, struct err *err);
void layout_close(struct layout *l);
char *layout_default_root(struct err *err); /* for free() */

/* Blobs. Digests are checked to be sha256:<64 hex>. */
bool layout_has(const struct layout *l, const char *digest);
/* It is in the store, or will be as soon as its bytes are needed. */
bool layout_can_have(const struct layout *l, const char *digest);
/* Makes sure that it is in the store. ERR_INPUT with ENOENT when it can be had nowhere. */
int layout_need(const struct layout *l, const char *digest, struct err *err);
/* Its bytes will be needed: they come meanwhile, where they can be fetched. */
void layout_prefetch(const struct layout *l, const char *digest);
/* Reads the whole blob. 0 it is what its digest says; 1 it was not, and is gone, with a warning;
 * -1. */
int layout_drop_damaged(const struct layout *l, const char *digest, struct err *err);
int layout_open_blob(const struct layout *l, const char *digest, uint64_t *size,
                     struct err *err); /* fd; size may be NULL */
/* All of a small blob, verified against its digest. */
int layout_read_blob(const struct layout *l, const char *digest, size_t max, struct buf *out,
                     struct err *err);
int layout_put(const struct layout *l, const void *bytes, size_t size,
               char digest_out[static DIGEST_SIZE], struct err *err);
/* A nameless file to write a blob into, and its birth. The caller hashed what it wrote: digest is
 * the truth. layout_commit syncs and links; a blob that is already there is success. Closing the fd
 * is the caller's in any case. */
int layout_tmpfile(const struct layout *l, struct err *err);
int layout_commit(const struct layout *l, int fd, const char *digest, struct err *err);
/* Makes names durable (one fsync of blobs/): before a name in index.json points at them. layout_tag
 * does it by itself. */
int layout_sync(const struct layout *l, struct err *err);

/* Directories for unfinished things: removed by layout_tmp_close, or, when its maker was killed, by
 * the next process that opens one. `name` is relative to tmp_fd; rename what is finished out of it.
 */
struct layout_tmp {
    int fd; /* the directory; holds its lock */
    char name[32];
};
#define LAYOUT_TMP_CLOSED                                                                          \
    {                                                                                              \
        .fd = -1                                                                                   \
    }
int layout_tmp_open(const struct layout *l, struct layout_tmp *tmp, struct err *err);
void layout_tmp_close(const struct layout *l, struct layout_tmp *tmp);
int layout_clean_tmp(const struct layout *l, struct err *err);

/* A lock by name (a tree being made, a cache mount in use): waits; close the fd to release. Two
 * names may share a lock, so hold one at a time. */
int layout_lock(const struct layout *l, const char *name, bool exclusive, struct err *err);

/* Names. layout_resolve: 1 found, 0 not, -1. A reference with a digest is found by that digest
 * under any name. */
int layout_resolve(const struct layout *l, const struct reference *ref, struct descriptor *out,
                   struct err *err);
/* Points a name at a manifest or index that is in the store; ref NULL: an image without a name. A
 * ref with a digest is kept as repository@digest. */
int layout_tag(const struct layout *l, const struct reference *ref, const struct descriptor *d,
               struct err *err);
/* Many names at once: all or none. */
int layout_tag_all(const struct layout *l, const struct reference *refs, size_t count,
                   const struct descriptor *d, struct err *err);
int layout_untag(const struct layout *l, const struct reference *ref,
                 struct err *err); /* 1 done, 0 no such name, -1 */
/* Removes every entry of that digest, named or not: 1 done, 0 none, -1. */
int layout_forget(const struct layout *l, const char *digest, struct err *err);
/* Calls fn for every entry in the order of index.json; name NULL for entries without one. fn
 * returning non-zero ends it. */
typedef int layout_tag_fn(void *arg, const char *name, const struct descriptor *d, struct err *err);
int layout_each_tag(const struct layout *l, layout_tag_fn *fn, void *arg, struct err *err);
/*
 * What a user typed: a name, "sha256:…" or at least 4 hex digits of an image id (config digest) or
 * manifest digest. 1 found, 0 not, -1 (also when more than one image fits). *name: the full name,
 * NULL when found by id; for free(); may be NULL.
 */
int layout_find(const struct layout *l, const char *text, struct descriptor *out, char **name,
                struct err *err);

/* Manifest and config of one platform. want NULL: the host's, or the only one there is. */
struct image {
    struct descriptor descriptor; /* of the manifest, with platform */
    struct manifest manifest;
    json_t *config;
    struct platform platform;
};
int layout_load_image(const struct layout *l, const struct descriptor *d,
                      const struct platform *want, struct image *out, struct err *err);
/* The same, but what is no index is taken for whatever platform it is: out->platform tells. */
int layout_load_base(const struct layout *l, const struct descriptor *d,
                     const struct platform *want, struct image *out, struct err *err);
int layout_load_manifest(const struct layout *l, const struct descriptor *d, struct manifest *out,
                         struct err *err);
void image_release(struct image *image);

/* What a list of images shows of one entry. What an index names but the store lacks is passed over.
 */
struct image_summary {
    char id[DIGEST_SIZE];  /* the config's digest, as docker has it; of an index the index's own */
    char *created;         /* RFC 3339, of the newest platform, or NULL */
    uint64_t size;         /* of its blobs in the store, each counted once */
    struct strv platforms; /* "linux/amd64", those whose manifest is here */
};
int layout_summary(const struct layout *l, const struct descriptor *d, struct image_summary *out,
                   struct err *err);
void image_summary_release(struct image_summary *s);

#endif
