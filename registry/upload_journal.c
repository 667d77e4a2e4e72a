/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/upload_journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/log.h"
#include "base/scope.h"
#include "registry/layout.h"

#define DIR_NAME "uploads"
#define LINE_MAX_SIZE (JOURNAL_LOCATION_MAX + 256)

static void name_of(struct journal *j, const char *base, const char *repository, const char *digest)
{
    struct sha256 h;
    char hex[SHA256_HEX_SIZE];

    sha256_begin(&h);
    sha256_add_framed(&h, str_of(base));
    sha256_add_framed(&h, str_of(repository));
    sha256_add_framed(&h, str_of(digest));
    sha256_end_hex(&h, hex);
    snprintf(j->name, sizeof(j->name), DIR_NAME "/%s", hex);
}

/* The first line is all that counts: what a longer one left behind it is not looked at. */
static void read_line(struct journal *j)
{
    SCOPED(buf_release) struct buf text = {0};
    struct err why = {0};
    struct str line, rest;
    json_auto_t *doc = NULL;
    const char *location;
    json_int_t offset;

    if (fs_read(j->fd, &text, 2 * LINE_MAX_SIZE, &why) < 0 ||
        !str_cut(buf_str(&text), '\n', &line, &rest))
        return;
    doc = json_parse(line, &why);
    if (!doc || json_take(doc, &why, "{s:s, s:I}", "location", &location, "offset", &offset) < 0 ||
        offset < 0) {
        log_debug("cache/%s: %s", j->name, why.text);
        return;
    }
    j->location = xstrdup(location);
    j->offset = (uint64_t)offset;
}

void journal_open(struct journal *j, const struct layout *layout, const char *base,
                  const char *repository, const char *digest)
{
    struct err why = {0};

    *j = (struct journal){.fd = -1, .layout = layout};
    name_of(j, base, repository, digest);
    if (fs_mkdirs(layout->cache_fd, DIR_NAME, 0700, &why) < 0) {
        log_debug("%s", why.text);
        return;
    }
    AUTO_FD int fd = openat(layout->cache_fd, j->name,
                            O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
    if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0) {
        log_debug("cache/%s: %s", j->name, strerror(errno));
        return;
    }
    j->fd = steal_fd(&fd);
    read_line(j);
}

void journal_note(struct journal *j, const char *location, uint64_t offset)
{
    SCOPED(buf_release) struct buf line = {0};
    json_auto_t *doc = NULL;

    if (j->fd < 0)
        return;
    doc = json_pack("{s:s, s:I}", "location", location, "offset", (json_int_t)offset);
    if (!doc || strlen(location) > JOURNAL_LOCATION_MAX)
        buf_adds(&line, "{}");
    else
        json_print(doc, &line);
    buf_addc(&line, '\n');
    if (pwrite(j->fd, line.ptr, line.size, 0) != (ssize_t)line.size)
        log_debug("cache/%s: %s", j->name, strerror(errno));
}

static void forget(const struct journal *j)
{
    if (unlinkat(j->layout->cache_fd, j->name, 0) < 0 && errno != ENOENT)
        log_debug("cache/%s: %s", j->name, strerror(errno));
}

void journal_forget(const struct layout *layout, const char *base, const char *repository,
                    const char *digest)
{
    struct journal j = {.fd = -1, .layout = layout};

    name_of(&j, base, repository, digest);
    forget(&j);
}

void journal_end(struct journal *j)
{
    if (j->fd >= 0)
        forget(j);
    journal_close(j);
}

void journal_close(struct journal *j)
{
    scope_close(&j->fd);
    free(j->location);
    j->location = NULL;
}
