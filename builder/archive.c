/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libarchive brings a dozen libraries with it: it is loaded when the first archive is opened, so
 * that a program that unpacks nothing does not pay for it. Only its tar readers and filters are
 * asked for, never zip or iso: ADD unpacks tars.
 */
#include "builder/archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/library.h"
#include "base/path.h"
#include "base/scope.h"

#define READ_STEP ((size_t)128 << 10)

/* The functions we use: X(name). clang-format indents such a list differently every time. */
/* clang-format off */
#define FUNCTIONS(X) \
    X(archive_read_new) \
    X(archive_read_free) \
    X(archive_read_support_format_tar) \
    X(archive_read_support_filter_gzip) \
    X(archive_read_support_filter_bzip2) \
    X(archive_read_support_filter_xz) \
    X(archive_read_support_filter_zstd) \
    X(archive_filter_count) \
    X(archive_read_open) \
    X(archive_read_next_header) \
    X(archive_read_data_block) \
    X(archive_error_string) \
    X(archive_entry_pathname) \
    X(archive_entry_hardlink) \
    X(archive_entry_symlink) \
    X(archive_entry_filetype) \
    X(archive_entry_perm) \
    X(archive_entry_uid) \
    X(archive_entry_gid) \
    X(archive_entry_size) \
    X(archive_entry_mtime) \
    X(archive_entry_rdevmajor) \
    X(archive_entry_rdevminor) \
    X(archive_entry_xattr_reset) \
    X(archive_entry_xattr_next)
/* clang-format on */

struct libarchive {
#define MEMBER(name) __typeof__(name) *name;
    FUNCTIONS(MEMBER)
#undef MEMBER
};

struct archive_reader {
    struct libarchive lib;
    struct archive *archive;
    int fd;
    off_t offset;
    char *bytes;
    struct buf path, link;
    struct xattr_set xattrs;
    uint64_t size, at; /* archive_read: of the file, next byte */
    struct str pending;
    uint64_t pending_at;
};

#define PLACE(name) {#name, offsetof(struct libarchive, name)},
static const struct library_symbol functions[] = {FUNCTIONS(PLACE)};
#undef PLACE
static const struct library libarchive = {
    .names = {"libarchive.so.13"}, .package = "libarchive13", functions, ARRAY_SIZE(functions)};

static la_ssize_t read_some(struct archive *a, void *ctx, const void **bytes)
{
    struct archive_reader *r = ctx;
    ssize_t n;

    (void)a;
    do {
        n = pread(r->fd, r->bytes, READ_STEP, r->offset);
    } while (n < 0 && errno == EINTR);
    if (n > 0)
        r->offset += n;
    *bytes = r->bytes;
    return n;
}

static int failed(struct archive_reader *r, struct err *err)
{
    SCOPED(buf_release) struct buf text = {0};
    const char *why = r->lib.archive_error_string(r->archive);

    buf_add_escaped(&text, str_of(why ? why : "unknown error"));
    return err_set(err, ERR_INPUT, EINVAL, "the archive cannot be read: %s", buf_cstr(&text));
}

static int open_archive(struct archive_reader *r, struct err *err)
{
    struct libarchive *l = &r->lib;

    r->archive = l->archive_read_new();
    if (!r->archive)
        return err_set(err, ERR_SYSTEM, ENOMEM, "no memory for an archive");
    /* A filter that this libarchive was built without makes the archive unreadable, which is told
     * then. */
    l->archive_read_support_format_tar(r->archive);
    l->archive_read_support_filter_gzip(r->archive);
    l->archive_read_support_filter_bzip2(r->archive);
    l->archive_read_support_filter_xz(r->archive);
    l->archive_read_support_filter_zstd(r->archive);
    if (l->archive_read_open(r->archive, r, NULL, read_some, NULL) != ARCHIVE_OK)
        return failed(r, err);
    return 0;
}

struct archive_reader *archive_reader_open(int fd, struct err *err)
{
    struct archive_reader *r = xcalloc(1, sizeof(*r));

    r->fd = fd;
    r->bytes = xmalloc(READ_STEP);
    if (library_load(&libarchive, &r->lib, err) < 0 || open_archive(r, err) < 0) {
        archive_reader_close(r);
        return NULL;
    }
    return r;
}

void archive_reader_close(struct archive_reader *r)
{
    if (!r)
        return;
    if (r->archive)
        r->lib.archive_read_free(r->archive);
    /* The library stays loaded: unloading buys nothing and its own libraries may not like it. */
    buf_release(&r->path);
    buf_release(&r->link);
    xattr_set_release(&r->xattrs);
    free(r->bytes);
    free(r);
}

/* A tar from before there was a magic (v7): the header's checksum, its own field taken as blanks,
 * tells. */
static bool sums_up(const unsigned char b[static 512])
{
    struct str field = str_trim((struct str){(const char *)b + 148, 8});
    uint32_t wanted, sum = 0;

    field = str_slice(field, 0, strnlen(field.ptr, field.size));
    if (!b[0] || !str_octal(str_trim(field), &wanted))
        return false;
    for (size_t i = 0; i < 512; i++)
        sum += i >= 148 && i < 156 ? ' ' : b[i];
    return sum == wanted;
}

/* Only what begins like a compressed file or has a tar's header is worth loading a library for. */
static int looks_packed(const unsigned char *b, size_t size)
{
    static const struct {
        const char *magic;
        size_t size;
    } magics[] = {{"\x1f\x8b", 2},
                  {"BZh", 3},
                  {"\xfd"
                   "7zXZ",
                   5},
                  {"\x28\xb5\x2f\xfd", 4}};

    for (size_t i = 0; i < ARRAY_SIZE(magics); i++) {
        if (size >= magics[i].size && memcmp(b, magics[i].magic, magics[i].size) == 0)
            return 1;
    }
    return size >= 512 && (memcmp(b + 257, "ustar", 5) == 0 || sums_up(b));
}

int archive_probe(int fd, struct err *err)
{
    unsigned char begin[512];
    struct archive_reader *r;
    struct archive_entry *entry;
    struct err unused = {0};
    ssize_t n = pread(fd, begin, sizeof(begin), 0);
    int result, filters;

    if (n < 0)
        return err_errno(err, "read");
    if (!looks_packed(begin, (size_t)n))
        return 0;
    r = archive_reader_open(fd, &unused);
    if (!r && unused.kind == ERR_SYSTEM) {
        *err = unused;
        return -1;
    }
    if (!r)
        return 0;
    result = r->lib.archive_read_next_header(r->archive, &entry);
    /* What is compressed twice is a file, as docker has it: "none" counts as a filter, too. */
    filters = r->lib.archive_filter_count(r->archive);
    archive_reader_close(r);
    return (result == ARCHIVE_OK || result == ARCHIVE_WARN) && filters <= 2;
}

/* A clean path beneath the root; climbing is an error. */
static int take_path(const char *name, struct buf *out, struct err *err)
{
    AUTO_FREE char *clean = NULL;

    if (!name || !*name)
        return err_set(err, ERR_INPUT, EINVAL, "the archive has an entry without a name");
    while (*name == '/')
        name++;
    clean = path_clean(str_of(name));
    if (strcmp(clean, "..") == 0 || strncmp(clean, "../", 3) == 0) {
        SCOPED(buf_release) struct buf shown = {0};

        buf_add_escaped(&shown, str_slice(str_of(name), 0, 200));
        return err_set(err, ERR_INPUT, EINVAL, "the archive's path \"%s\" leads out of its root",
                       buf_cstr(&shown));
    }
    buf_clear(out);
    buf_adds(out, clean);
    return 0;
}

static void take_xattrs(struct archive_reader *r, struct archive_entry *from, struct entry *e)
{
    const char *name;
    const void *value;
    size_t size;

    xattr_set_clear(&r->xattrs);
    r->lib.archive_entry_xattr_reset(from);
    while (r->lib.archive_entry_xattr_next(from, &name, &value, &size) == ARCHIVE_OK) {
        if (name && !xattr_is_overlay(name) && r->xattrs.count < 1000)
            xattr_set_add(&r->xattrs, str_of(name), (struct str){value, size});
    }
    xattr_set_sort(&r->xattrs);
    e->xattrs = r->xattrs.items;
    e->xattrs_count = r->xattrs.count;
}

static int take_link(struct archive_reader *r, struct archive_entry *from, struct entry *e,
                     struct err *err)
{
    const char *hard = r->lib.archive_entry_hardlink(from),
               *text = r->lib.archive_entry_symlink(from);

    if (hard) {
        e->type = ENTRY_HARDLINK;
        e->size = 0;
        e->xattrs_count = 0;
        if (take_path(hard, &r->link, err) < 0)
            return -1;
    } else if (e->type == ENTRY_SYMLINK) {
        if (!text || !*text)
            return err_set(err, ERR_INPUT, EINVAL, "%s: a symbolic link to nothing", e->path);
        buf_clear(&r->link);
        buf_adds(&r->link, text);
    } else {
        return 0;
    }
    e->link = buf_cstr(&r->link);
    return 0;
}

static int take_type(struct archive_entry *from, struct libarchive *l, struct entry *e,
                     struct err *err)
{
    int64_t uid = l->archive_entry_uid(from), gid = l->archive_entry_gid(from);
    int64_t size = l->archive_entry_size(from);
    struct stat st = {.st_mode = l->archive_entry_filetype(from)};

    entry_of_stat(e, &st);
    if (e->type == ENTRY_NONE && !l->archive_entry_hardlink(from))
        return err_set(err, ERR_INPUT, EINVAL, "%s: an entry of an unknown type", e->path);
    if (uid < 0 || uid >= UINT32_MAX || gid < 0 || gid >= UINT32_MAX)
        return err_set(err, ERR_INPUT, EINVAL, "%s: the owner %lld:%lld is out of range", e->path,
                       (long long)uid, (long long)gid);
    e->mode = e->type == ENTRY_SYMLINK ? 0777 : (uint32_t)l->archive_entry_perm(from) & 07777;
    e->uid = (uint32_t)uid;
    e->gid = (uint32_t)gid;
    e->size = e->type == ENTRY_FILE && size > 0 ? (uint64_t)size : 0;
    e->mtime = l->archive_entry_mtime(from);
    if (e->type == ENTRY_CHAR || e->type == ENTRY_BLOCK) {
        e->dev_major = (uint32_t)l->archive_entry_rdevmajor(from);
        e->dev_minor = (uint32_t)l->archive_entry_rdevminor(from);
    }
    return 0;
}

int archive_next(struct archive_reader *r, struct entry *e, struct err *err)
{
    struct archive_entry *from;
    int result = r->lib.archive_read_next_header(r->archive, &from);

    if (result == ARCHIVE_EOF)
        return 0;
    if (result != ARCHIVE_OK && result != ARCHIVE_WARN)
        return failed(r, err);
    *e = (struct entry){0};
    if (take_path(r->lib.archive_entry_pathname(from), &r->path, err) < 0)
        return -1;
    e->path = buf_cstr(&r->path);
    if (take_type(from, &r->lib, e, err) < 0)
        return -1;
    take_xattrs(r, from, e);
    if (take_link(r, from, e, err) < 0)
        return -1;
    r->size = e->size;
    r->at = 0;
    r->pending = STR("");
    return 1;
}

/* The next piece of content: 1 with bytes and where in the file they go, 0 at the end. */
static int next_piece(struct archive_reader *r, const void **bytes, size_t *size, uint64_t *offset,
                      struct err *err)
{
    la_int64_t at = 0;
    int result;

    do {
        result = r->lib.archive_read_data_block(r->archive, bytes, size, &at);
        if (result == ARCHIVE_EOF)
            return 0;
        if (result != ARCHIVE_OK && result != ARCHIVE_WARN)
            return failed(r, err);
    } while (*size == 0);
    *offset = (uint64_t)at;
    if (at < 0 || *offset > r->size || *size > r->size - *offset)
        return err_set(err, ERR_INPUT, EINVAL,
                       "the archive gives a file more content than its size");
    return 1;
}

ssize_t archive_read(struct archive_reader *r, void *bytes, size_t size, struct err *err)
{
    uint64_t hole;

    if (!r->pending.size) {
        const void *from;
        int got = next_piece(r, &from, &r->pending.size, &r->pending_at, err);

        if (got < 0)
            return -1;
        r->pending.ptr = got ? from : NULL;
        if (!got) {
            r->pending.size = 0;
            r->pending_at = r->size;
        }
    }
    if (r->pending_at < r->at)
        return err_set(err, ERR_INPUT, EINVAL, "the archive gives a file's content out of order");
    hole = r->pending_at - r->at;
    if (hole) {
        size = hole < size ? (size_t)hole : size;
        memset(bytes, 0, size);
    } else {
        size = r->pending.size < size ? r->pending.size : size;
        if (size)
            memcpy(bytes, r->pending.ptr, size);
        r->pending = str_slice(r->pending, size, r->pending.size);
        r->pending_at += size;
    }
    r->at += size;
    return (ssize_t)size;
}
