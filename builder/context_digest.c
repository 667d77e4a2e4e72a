/* SPDX-License-Identifier: Apache-2.0 */
/* Digests of a context's files: remembered from earlier builds, or taken now. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/scope.h"
#include "builder/context_parts.h"
#include "builder/entry.h"

#define READ_STEP (256 << 10)

/* A file with attributes stands for the hash of its content's hash and of each attribute, framed.
 */
static void add_xattrs(const struct xattr_set *set, uint8_t digest[static SHA256_SIZE])
{
    struct sha256 h;

    if (!set->count)
        return;
    sha256_begin(&h);
    sha256_add(&h, digest, SHA256_SIZE);
    for (size_t i = 0; i < set->count; i++) {
        sha256_add_framed(&h, str_of(set->items[i].name));
        sha256_add_framed(&h, set->items[i].value);
    }
    sha256_end(&h, digest);
}

bool context_knows(struct context *context, struct context_node *node,
                   uint8_t out[static SHA256_SIZE])
{
    const uint8_t *known;

    pthread_mutex_lock(&context->lock);
    known = node->digest;
    if (!known && context->digests)
        known = statcache_get(context->digests, &node->st);
    if (known)
        memcpy(out, known, SHA256_SIZE);
    pthread_mutex_unlock(&context->lock);
    return known != NULL;
}

int context_reading_begin(const struct context *context, const struct context_node *node, int fd,
                          struct context_reading *reading, struct err *err)
{
    if (fstat(fd, &reading->before) < 0)
        return err_errno(err, "%s: %s", context->label, node->path);
    sha256_begin(&reading->hash);
    return 0;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_dev == b->st_dev && a->st_size == b->st_size &&
           a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

int context_reading_end(struct context *context, struct context_node *node, int fd,
                        const struct xattr_set *xattrs, struct context_reading *reading,
                        uint8_t out[static SHA256_SIZE], struct err *err)
{
    struct stat after;

    sha256_end(&reading->hash, out);
    add_xattrs(xattrs, out);
    if (fstat(fd, &after) < 0)
        return err_errno(err, "%s: %s", context->label, node->path);
    pthread_mutex_lock(&context->lock);
    if (context->digests)
        statcache_put(context->digests, &reading->before, &after, out);
    if (same_file(&reading->before, &after) && !node->digest) {
        node->digest = xmalloc(SHA256_SIZE);
        memcpy(node->digest, out, SHA256_SIZE);
    }
    pthread_mutex_unlock(&context->lock);
    return 0;
}

static int hash_content(int fd, struct sha256 *h, struct err *err)
{
    AUTO_FREE char *bytes = xmalloc(READ_STEP);

    for (;;) {
        ssize_t n = read(fd, bytes, READ_STEP);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(err, "read");
        if (n == 0)
            return 0;
        sha256_add(h, bytes, (size_t)n);
    }
}

int context_digest(struct context *context, struct context_node *node,
                   uint8_t out[static SHA256_SIZE], struct err *err)
{
    SCOPED(xattr_set_release) struct xattr_set xattrs = {0};
    struct context_reading reading;

    if (context_knows(context, node, out))
        return 0;
    AUTO_FD int fd = context_open_file(context, node, err);
    if (fd < 0 || context_reading_begin(context, node, fd, &reading, err) < 0)
        return -1;
    if ((S_ISREG(node->st.st_mode) && hash_content(fd, &reading.hash, err) < 0) ||
        xattr_read_fd(&xattrs, fd, err) < 0)
        return err_wrap(err, "%s: %s", context->label, node->path);
    return context_reading_end(context, node, fd, &xattrs, &reading, out, err);
}
