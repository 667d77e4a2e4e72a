/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/stream.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"

/* A context is handed on as void *, and both fds and slices are borrowed as const. */
static void *context(const void *ptr)
{
    union {
        const void *in;
        void *out;
    } cast = {.in = ptr};

    return cast.out;
}

static ssize_t read_fd(void *ctx, void *bytes, size_t size, struct err *err)
{
    const int *fd = ctx;
    ssize_t n;

    do {
        n = read(*fd, bytes, size);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return err_errno(err, "read");
    return n;
}

static int write_fd(void *ctx, const void *bytes, size_t size, struct err *err)
{
    const int *fd = ctx;

    return fs_write(*fd, bytes, size, err);
}

static ssize_t read_str(void *ctx, void *bytes, size_t size, struct err *err)
{
    struct str *left = ctx;
    size_t n = size < left->size ? size : left->size;

    (void)err;
    if (n)
        memcpy(bytes, left->ptr, n);
    *left = str_slice(*left, n, left->size);
    return (ssize_t)n;
}

static int write_buf(void *ctx, const void *bytes, size_t size, struct err *err)
{
    struct buf *out = ctx;

    (void)err;
    buf_add(out, bytes, size);
    return 0;
}

struct source source_of_fd(const int *fd)
{
    return (struct source){.read = read_fd, .ctx = context(fd)};
}

struct sink sink_of_fd(const int *fd)
{
    return (struct sink){.write = write_fd, .ctx = context(fd)};
}

struct source source_of_str(struct str *left)
{
    return (struct source){.read = read_str, .ctx = left};
}

struct sink sink_of_buf(struct buf *out)
{
    return (struct sink){.write = write_buf, .ctx = out};
}
