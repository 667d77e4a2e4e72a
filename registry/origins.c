/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/origins.h"

#include <fcntl.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/scope.h"
#include "registry/layout.h"
#include "registry/reference.h"

#define DIR_NAME "origins"

/* A file that others may have damaged gives fewer lines, never a wrong one. */
static int read_lines(const struct layout *l, const char *digest, struct buf *out)
{
    SCOPED(buf_release) struct buf path = {0};
    struct err ignored = {0};

    buf_addf(&path, DIR_NAME "/%s", digest_hex(digest));
    return fs_read_file(l->cache_fd, buf_cstr(&path), out, ORIGINS_SIZE_MAX, &ignored);
}

static bool has_line(struct str lines, struct str wanted)
{
    struct str line;

    while (str_line(&lines, &line))
        if (str_eq(line, wanted))
            return true;
    return false;
}

void origins_add(const struct layout *l, const char *digest, const char *host,
                 const char *repository)
{
    SCOPED(buf_release) struct buf line = {0};
    SCOPED(buf_release) struct buf path = {0};
    SCOPED(buf_release) struct buf known = {0};
    struct err err = {0};
    AUTO_FD int fd = -1;

    buf_addf(&line, "%s/%s", host, repository);
    read_lines(l, digest, &known);
    if (has_line(buf_str(&known), buf_str(&line)) || known.size + line.size + 1 > ORIGINS_SIZE_MAX)
        return;
    buf_addc(&line, '\n');
    buf_addf(&path, DIR_NAME "/%s", digest_hex(digest));
    if (fs_mkdirs(l->cache_fd, DIR_NAME, 0755, &err) < 0) {
        log_debug("origins: %s", err.text);
        return;
    }
    /* one write with O_APPEND: lines of several processes do not tear each other */
    fd = openat(l->cache_fd, buf_cstr(&path), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0)
        err_errno(&err, "open cache/%s", buf_cstr(&path));
    if (fd < 0 || fs_write(fd, line.ptr, line.size, &err) < 0)
        log_debug("origins: %s", err.text);
}

void origins_find(const struct layout *l, const char *digest, const char *host, const char *except,
                  struct strv *repositories)
{
    SCOPED(buf_release) struct buf known = {0};
    SCOPED(strv_release) struct strv found = {0};
    struct str lines, line, at, repository;

    if (read_lines(l, digest, &known) < 0)
        return;
    lines = buf_str(&known);
    while (str_line(&lines, &line))
        if (str_cut(line, '/', &at, &repository) && str_is(at, host) &&
            !str_is(repository, except) && reference_path_valid(repository))
            strv_add_str(&found, repository);
    for (size_t i = found.count; i-- > 0;)
        strv_add(repositories, found.ptr[i]);
}
