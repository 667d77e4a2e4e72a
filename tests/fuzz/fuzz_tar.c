/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as an archive: entries are well-formed, and what can be written again reads the same.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/scope.h"
#include "builder/tar.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void must(bool held)
{
    if (!held)
        abort();
}

/* Clean, relative, without "..". */
static void check_path(const char *path)
{
    must(*path && *path != '/');
    for (const char *at = path; at; at = strchr(at, '/') ? strchr(at, '/') + 1 : NULL) {
        must(*at && *at != '/' && strncmp(at, "../", 3) != 0 && strcmp(at, "..") != 0);
        must(strncmp(at, "./", 2) != 0 && (strcmp(at, ".") != 0 || at == path));
    }
}

static void check_again(const struct entry *e)
{
    SCOPED(buf_release) struct buf out = {0};
    struct err err = {0};
    struct tar_reader *r;
    struct entry got;
    struct str left;

    if (tar_put_header(&out, e, &err) < 0) {
        must(err.text[0]);
        return;
    }
    left = buf_str(&out);
    r = tar_reader_open(source_of_str(&left));
    must(tar_next(r, &got, &err) == 1);
    must(got.type == e->type && strcmp(got.path, e->path) == 0 &&
         got.mtime == (e->opaque ? 0 : e->mtime));
    must(!e->link || strcmp(got.link, e->link) == 0);
    tar_reader_close(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct str left = {(const char *)bytes, size};
    struct tar_reader *r = tar_reader_open(source_of_str(&left));
    struct err err = {0};
    struct entry e;
    uint64_t read = 0;
    int got;

    while ((got = tar_next(r, &e, &err)) > 0) {
        const void *data;
        uint64_t offset, end = 0;
        size_t n;

        check_path(e.path);
        must(e.mode <= 07777 && e.type != ENTRY_NONE);
        if (e.type == ENTRY_HARDLINK)
            check_path(e.link);
        if (e.type == ENTRY_DIR || e.mtime >= 0)
            check_again(&(struct entry){.path = e.path,
                                        .link = e.link,
                                        .type = e.type,
                                        .mode = e.mode,
                                        .mtime = e.mtime,
                                        .size = e.size});
        while ((got = tar_data(r, &data, &n, &offset, &err)) > 0) {
            must(n > 0 && offset >= end && offset + n <= e.size);
            end = offset + n;
            read += n;
        }
        if (got < 0)
            break;
    }
    must(got == 0 || err.text[0]);
    must(read <= size);
    tar_reader_close(r);
    return 0;
}
