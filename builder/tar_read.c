/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An archive to entries. Bytes come through one buffer; content is handed out of it without a copy.
 * What a header says is believed only within bounds: names, extended headers and sparse maps have
 * limits, and nothing is allocated for a size that a stranger wrote.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/path.h"
#include "base/scope.h"
#include "builder/tar_reader.h"

#define BUFFER_SIZE ((size_t)128 << 10)

struct tar_reader *tar_reader_open(struct source from)
{
    struct tar_reader *r = xcalloc(1, sizeof(*r));

    r->from = from;
    r->buf = xmalloc(BUFFER_SIZE);
    return r;
}

void tar_reader_close(struct tar_reader *r)
{
    if (!r)
        return;
    tar_pax_release(&r->global);
    tar_pax_release(&r->pax);
    buf_release(&r->long_name);
    buf_release(&r->long_link);
    buf_release(&r->extended);
    buf_release(&r->path);
    buf_release(&r->link);
    free(r->buf);
    free(r);
}

void tar_reader_raw(struct tar_reader *r)
{
    r->raw = true;
}

ssize_t tar_fill(struct tar_reader *r, size_t want, struct err *err)
{
    if (r->end - r->at >= want)
        return (ssize_t)(r->end - r->at);
    memmove(r->buf, r->buf + r->at, r->end - r->at);
    r->end -= r->at;
    r->at = 0;
    while (r->end < want) {
        ssize_t n = r->from.read(r->from.ctx, r->buf + r->end, BUFFER_SIZE - r->end, err);

        if (n < 0)
            return -1;
        if (n == 0)
            break;
        r->end += (size_t)n;
    }
    return (ssize_t)(r->end - r->at);
}

void tar_consume(struct tar_reader *r, size_t size)
{
    r->at += size;
    r->offset += size;
}

int tar_cut_short(struct tar_reader *r, struct err *err)
{
    return err_set(err, ERR_INPUT, EINVAL,
                   "the archive ends in the middle of an entry, at byte %llu",
                   (unsigned long long)r->offset);
}

int tar_next_block(struct tar_reader *r, const unsigned char **block, struct err *err)
{
    ssize_t have = tar_fill(r, TAR_BLOCK, err);

    if (have < 0)
        return -1;
    if (have == 0)
        return 0;
    if (have < TAR_BLOCK) {
        tar_cut_short(r, err);
        return -1;
    }
    *block = r->buf + r->at;
    tar_consume(r, TAR_BLOCK);
    return 1;
}

static int skip(struct tar_reader *r, uint64_t size, struct err *err)
{
    while (size) {
        ssize_t have = tar_fill(r, 1, err);
        size_t step;

        if (have < 0)
            return -1;
        if (have == 0)
            return tar_cut_short(r, err);
        step = (uint64_t)have < size ? (size_t)have : (size_t)size;
        tar_consume(r, step);
        size -= step;
    }
    return 0;
}

/* The content of an extended header. */
static int read_extended(struct tar_reader *r, uint64_t size, struct buf *out, struct err *err)
{
    size_t left;

    if (size > TAR_HEADERS_MAX || r->headers_size + size > TAR_HEADERS_MAX)
        return err_set(err, ERR_INPUT, EFBIG, "extended headers of more than %d bytes",
                       TAR_HEADERS_MAX);
    r->headers_size += (size_t)size;
    buf_clear(out);
    for (left = (size_t)size; left;) {
        ssize_t have = tar_fill(r, 1, err);
        size_t step;

        if (have < 0)
            return -1;
        if (have == 0)
            return tar_cut_short(r, err);
        step = (size_t)have < left ? (size_t)have : left;
        buf_add(out, r->buf + r->at, step);
        tar_consume(r, step);
        left -= step;
    }
    return skip(r, tar_padding(size), err);
}

static bool all_zero(const unsigned char *block)
{
    return block[0] == 0 && memcmp(block, block + 1, TAR_BLOCK - 1) == 0;
}

/* Some old tars summed signed characters. */
static bool checksum_holds(const struct tar_header *h)
{
    const unsigned char *bytes = (const unsigned char *)h;
    const signed char *chars = (const signed char *)h;
    size_t from = offsetof(struct tar_header, checksum), to = from + sizeof(h->checksum);
    int64_t want, sum = 0, signed_sum = 0;

    for (size_t i = 0; i < sizeof(*h); i++) {
        bool inside = i >= from && i < to;

        sum += inside ? ' ' : bytes[i];
        signed_sum += inside ? ' ' : chars[i];
    }
    return tar_number(h->checksum, sizeof(h->checksum), &want) &&
           (want == sum || want == signed_sum);
}

int tar_field(const char *bytes, size_t width, const char *name, int64_t *out, struct err *err)
{
    if (!tar_number(bytes, width, out))
        return err_set(err, ERR_INPUT, EINVAL, "the field \"%s\" of a header is not a number",
                       name);
    return 0;
}
#define FIELD(h, name, out, err) tar_field((h)->name, sizeof((h)->name), #name, (out), (err))

static bool is_file(char type)
{
    return type == TAR_TYPE_FILE || type == TAR_TYPE_OLD_FILE || type == TAR_TYPE_CONTIGUOUS ||
           type == TAR_TYPE_GNU_SPARSE;
}

/* A header that says something about the next one: 1 taken, 0 it is an entry of its own. */
static int take_extension(struct tar_reader *r, const struct tar_header *h, struct err *err)
{
    char type = h->type;
    int64_t size;

    if (!strchr("xgXLKV", type) || !type)
        return 0;
    if (FIELD(h, size, &size, err) < 0)
        return -1;
    if (size < 0)
        return err_set(err, ERR_INPUT, EINVAL, "the size of an extended header is negative");
    if (read_extended(r, (uint64_t)size, &r->extended, err) < 0)
        return -1;
    if (type == TAR_TYPE_GNU_LONGNAME || type == TAR_TYPE_GNU_LONGLINK) {
        struct buf *to = type == TAR_TYPE_GNU_LONGNAME ? &r->long_name : &r->long_link;

        buf_clear(to);
        buf_add(to, buf_cstr(&r->extended), strnlen(buf_cstr(&r->extended), r->extended.size));
    } else if (type == TAR_TYPE_PAX_GLOBAL) {
        if (tar_pax_parse(&r->global, buf_str(&r->extended), err) < 0)
            return -1;
        r->global.sparse = r->global.has_real_size = false;
        tar_pax_clear(&r->pax);
        tar_pax_copy(&r->pax, &r->global);
    } else if (type != TAR_TYPE_GNU_VOLUME) {
        if (tar_pax_parse(&r->pax, buf_str(&r->extended), err) < 0)
            return -1;
    }
    return 1;
}

/* 1: *h is the header of an entry, extensions before it were taken; 0: the end. */
static int next_header(struct tar_reader *r, struct tar_header *h, struct err *err)
{
    const unsigned char *block;
    bool begun = false;
    int got;

    tar_pax_clear(&r->pax);
    tar_pax_copy(&r->pax, &r->global);
    buf_clear(&r->long_name);
    buf_clear(&r->long_link);
    r->headers_size = 0;
    for (;;) {
        got = tar_next_block(r, &block, err);
        if (got < 0)
            return -1;
        if (got == 0 || all_zero(block))
            return begun ? tar_cut_short(r, err) : 0;
        memcpy(h, block, sizeof(*h));
        if (!checksum_holds(h))
            return err_set(err, ERR_INPUT, EINVAL,
                           "not a tar header (its checksum is wrong), at byte %llu",
                           (unsigned long long)r->offset - TAR_BLOCK);
        got = take_extension(r, h, err);
        if (got <= 0)
            return got < 0 ? -1 : 1;
        begun = h->type != TAR_TYPE_PAX_GLOBAL && h->type != TAR_TYPE_GNU_VOLUME;
    }
}

static int entry_type(char type, enum entry_type *out, struct err *err)
{
    switch (type) {
    case TAR_TYPE_HARDLINK:
        *out = ENTRY_HARDLINK;
        return 0;
    case TAR_TYPE_SYMLINK:
        *out = ENTRY_SYMLINK;
        return 0;
    case TAR_TYPE_CHAR:
        *out = ENTRY_CHAR;
        return 0;
    case TAR_TYPE_BLOCK:
        *out = ENTRY_BLOCK;
        return 0;
    case TAR_TYPE_DIR:
    case TAR_TYPE_GNU_DUMPDIR:
        *out = ENTRY_DIR;
        return 0;
    case TAR_TYPE_FIFO:
        *out = ENTRY_FIFO;
        return 0;
    default:
        *out = ENTRY_FILE;
        if (is_file(type))
            return 0;
        return err_set(err, ERR_INPUT, EINVAL, "an entry of the unknown type %#x",
                       (unsigned char)type);
    }
}

/* The name as the archive has it, before it is cleaned. */
static void take_name(struct tar_reader *r, const struct tar_header *h)
{
    buf_clear(&r->extended);
    if (r->pax.has_path) {
        buf_add_str(&r->extended, buf_str(&r->pax.path));
    } else if (r->long_name.size) {
        buf_add_str(&r->extended, buf_str(&r->long_name));
    } else {
        if (memcmp(h->magic, "ustar", 6) == 0 && h->prefix[0]) {
            buf_add(&r->extended, h->prefix, strnlen(h->prefix, sizeof(h->prefix)));
            buf_addc(&r->extended, '/');
        }
        buf_add(&r->extended, h->name, strnlen(h->name, sizeof(h->name)));
    }
}

static void take_link(struct tar_reader *r, const struct tar_header *h)
{
    buf_clear(&r->link);
    if (r->pax.has_link)
        buf_add_str(&r->link, buf_str(&r->pax.link));
    else if (r->long_link.size)
        buf_add_str(&r->link, buf_str(&r->long_link));
    else
        buf_add(&r->link, h->link, strnlen(h->link, sizeof(h->link)));
}

/* "./a//b/" to "a/b" into out; a leading "/" goes; a path that climbs out is an error. */
static int clean_path(struct str name, struct buf *out, struct err *err)
{
    AUTO_FREE char *clean = NULL;

    if (name.size > TAR_NAME_MAX)
        return err_set(err, ERR_INPUT, ENAMETOOLONG, "a name of more than %d bytes", TAR_NAME_MAX);
    while (name.size && name.ptr[0] == '/')
        name = str_slice(name, 1, name.size);
    clean = path_clean(name);
    if (strcmp(clean, "..") == 0 || strncmp(clean, "../", 3) == 0) {
        SCOPED(buf_release) struct buf shown = {0};

        buf_add_escaped(&shown, str_slice(name, 0, 200));
        return err_set(err, ERR_INPUT, EINVAL, "the path \"%s\" leads out of the root",
                       buf_cstr(&shown));
    }
    buf_clear(out);
    buf_adds(out, clean);
    return 0;
}

/* Meaning that only an overlay mount itself may give; the others (origin, impure, …) are litter and
 * dropped. */
static bool forges(const char *name)
{
    static const char *const meaning[] = {"opaque", "whiteout", "whiteouts", "redirect",
                                          "metacopy"};
    const char *last = strrchr(name, '.') + 1;

    for (size_t i = 0; i < ARRAY_SIZE(meaning); i++) {
        if (strcmp(last, meaning[i]) == 0)
            return true;
    }
    return false;
}

static int take_xattrs(struct tar_reader *r, struct entry *e, struct err *err)
{
    struct xattr_set *set = &r->pax.xattrs;
    struct xattr_set kept = {0};

    for (size_t i = 0; i < set->count; i++) {
        const char *name = set->items[i].name;

        if (!xattr_is_overlay(name)) {
            xattr_set_add(&kept, str_of(name), set->items[i].value);
        } else if (!r->raw && forges(name)) {
            xattr_set_release(&kept);
            return err_set(err, ERR_INPUT, EINVAL,
                           "the extended attribute %s is not a layer's to set", name);
        }
    }
    xattr_set_release(set);
    *set = kept;
    xattr_set_sort(set);
    e->xattrs = set->items;
    e->xattrs_count = set->count;
    return 0;
}

static int begin_content(struct tar_reader *r, const struct tar_header *h, struct err *err)
{
    int64_t size;

    r->sparse = false;
    r->left = r->file_size = r->file_at = r->piece_done = 0;
    r->piece = 0;
    r->pad = 0;
    r->pending = STR("");
    if (FIELD(h, size, &size, err) < 0)
        return -1;
    if (r->pax.has_size)
        size = (int64_t)r->pax.size;
    if (size < 0)
        return err_set(err, ERR_INPUT, EINVAL, "a negative size");
    if (!is_file(h->type) && h->type != TAR_TYPE_GNU_DUMPDIR)
        return 0; /* links, directories and devices have no content, whatever the field says */
    r->left = (uint64_t)size;
    r->pad = tar_padding((uint64_t)size);
    if (h->type == TAR_TYPE_GNU_DUMPDIR) {
        r->pad = 0;
        int skipped = skip(r, r->left + tar_padding(r->left), err);

        r->left = 0;
        return skipped;
    }
    r->file_size = r->left;
    if (h->type == TAR_TYPE_GNU_SPARSE || r->pax.sparse) {
        if (tar_begin_sparse(r, h, err) < 0)
            return -1;
    }
    return 0;
}

static int fill_numbers(struct tar_reader *r, const struct tar_header *h, struct entry *e,
                        struct err *err)
{
    int64_t mode, uid, gid, mtime, dev_major = 0, dev_minor = 0;

    if (FIELD(h, mode, &mode, err) < 0 || FIELD(h, uid, &uid, err) < 0 ||
        FIELD(h, gid, &gid, err) < 0 || FIELD(h, mtime, &mtime, err) < 0)
        return -1;
    if ((e->type == ENTRY_CHAR || e->type == ENTRY_BLOCK) &&
        (FIELD(h, dev_major, &dev_major, err) < 0 || FIELD(h, dev_minor, &dev_minor, err) < 0))
        return -1;
    if (r->pax.has_uid)
        uid = (int64_t)r->pax.uid;
    if (r->pax.has_gid)
        gid = (int64_t)r->pax.gid;
    if (uid < 0 || uid >= UINT32_MAX || gid < 0 || gid >= UINT32_MAX)
        return err_set(err, ERR_INPUT, EINVAL, "the owner %lld:%lld is out of range",
                       (long long)uid, (long long)gid);
    if (dev_major < 0 || dev_major > UINT32_MAX || dev_minor < 0 || dev_minor > UINT32_MAX)
        return err_set(err, ERR_INPUT, EINVAL, "a device number is out of range");
    e->mode = e->type == ENTRY_SYMLINK ? 0777 : (uint32_t)mode & 07777;
    e->uid = (uint32_t)uid;
    e->gid = (uint32_t)gid;
    e->mtime = r->pax.has_mtime ? r->pax.mtime : mtime;
    e->dev_major = (uint32_t)dev_major;
    e->dev_minor = (uint32_t)dev_minor;
    return 0;
}

/* Turns ".wh." names into what they mean: 1 an entry, 0 nothing (aufs' own ".wh..wh.…" files). */
static int layer_meaning(struct tar_reader *r, struct entry *e, struct err *err)
{
    char *base = strrchr(r->path.ptr, '/');
    char *hit = r->path.ptr;

    base = base ? base + 1 : r->path.ptr;
    while ((hit = strstr(hit, ".wh.")) != NULL) {
        if (hit == r->path.ptr || hit[-1] == '/')
            break;
        hit++;
    }
    if (!hit)
        return 1;
    if (hit == base && strcmp(base, ".wh..wh..opq") == 0) {
        *e = (struct entry){.type = ENTRY_DIR, .opaque = true, .implied = true, .mode = 0755};
        *(base > r->path.ptr ? base - 1 : base) = '\0';
        e->path = r->path.ptr[0] ? r->path.ptr : ".";
        return 1;
    }
    if (strncmp(hit, ".wh..wh.", 8) == 0)
        return 0;
    if (hit != base || !base[4] || strcmp(base + 4, ".") == 0 || strcmp(base + 4, "..") == 0)
        return err_set(err, ERR_INPUT, EINVAL, "\"%s\" is no whiteout", r->path.ptr);
    *e = (struct entry){.type = ENTRY_WHITEOUT, .mtime = e->mtime};
    memmove(base, base + 4, strlen(base + 4) + 1);
    e->path = r->path.ptr;
    return 1;
}

/* 1: an entry; 0: one that means nothing. */
static int fill_entry(struct tar_reader *r, const struct tar_header *h, struct entry *e,
                      struct err *err)
{
    bool slash;

    *e = (struct entry){0};
    take_name(r, h);
    if (!r->extended.size)
        return err_set(err, ERR_INPUT, EINVAL, "an entry without a name");
    slash = r->extended.ptr[r->extended.size - 1] == '/';
    if (clean_path(buf_str(&r->extended), &r->path, err) < 0)
        return -1;
    e->path = buf_cstr(&r->path);
    if (entry_type(h->type, &e->type, err) < 0 || fill_numbers(r, h, e, err) < 0 ||
        take_xattrs(r, e, err) < 0 || begin_content(r, h, err) < 0)
        return -1;
    if (e->type == ENTRY_FILE && slash) { /* tars before POSIX say a directory so */
        e->type = ENTRY_DIR;
        if (skip(r, r->left, err) < 0)
            return -1;
        r->sparse = false;
        r->left = r->file_size = 0;
    }
    e->size = e->type == ENTRY_FILE ? r->file_size : 0;
    if (e->type == ENTRY_SYMLINK || e->type == ENTRY_HARDLINK) {
        take_link(r, h);
        if (!r->link.size)
            return err_set(err, ERR_INPUT, EINVAL, "a link to nothing");
        if (e->type == ENTRY_HARDLINK) {
            SCOPED(buf_release) struct buf target = {0};

            buf_add_str(&target, buf_str(&r->link));
            if (clean_path(buf_str(&target), &r->link, err) < 0)
                return -1;
        }
        e->link = buf_cstr(&r->link);
    }
    return r->raw ? 1 : layer_meaning(r, e, err);
}

/* Puts the name before what is wrong with it. */
static int wrap_name(const struct tar_reader *r, struct err *err)
{
    SCOPED(buf_release) struct buf shown = {0};

    buf_add_escaped(&shown, str_slice(buf_str(&r->path), 0, 200));
    return err_wrap(err, "\"%s\"", buf_cstr(&shown));
}

int tar_next(struct tar_reader *r, struct entry *e, struct err *err)
{
    struct tar_header h;
    int got;

    for (;;) {
        if (r->ended)
            return 0;
        if (skip(r, r->left, err) < 0)
            return -1;
        r->left = 0;
        /* The padding of the very last entry is sometimes missing. */
        if (tar_fill(r, r->pad, err) < 0)
            return -1;
        tar_consume(r, r->end - r->at < r->pad ? r->end - r->at : r->pad);
        r->pad = 0;
        buf_clear(&r->path);
        got = next_header(r, &h, err);
        if (got <= 0) {
            r->ended = true;
            return got;
        }
        got = fill_entry(r, &h, e, err);
        if (got < 0)
            return r->path.size ? wrap_name(r, err) : -1;
        if (got > 0)
            return 1;
    }
}

int tar_drain(struct tar_reader *r, struct err *err)
{
    ssize_t have;

    r->ended = true;
    while ((have = tar_fill(r, 1, err)) > 0)
        tar_consume(r, (size_t)have);
    return have < 0 ? -1 : 0;
}
