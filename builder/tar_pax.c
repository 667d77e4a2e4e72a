/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/tar_pax.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/enc.h"
#include "base/scope.h"

void tar_pax_release(struct tar_pax *p)
{
    int saved = errno;

    buf_release(&p->path);
    buf_release(&p->link);
    xattr_set_release(&p->xattrs);
    free(p->pieces);
    *p = (struct tar_pax){0};
    errno = saved;
}

/* Keeps the memory of one entry for the next. */
void tar_pax_clear(struct tar_pax *p)
{
    struct tar_pax kept = {.path = p->path,
                           .link = p->link,
                           .xattrs = p->xattrs,
                           .pieces = p->pieces,
                           .pieces_capacity = p->pieces_capacity};

    buf_clear(&kept.path);
    buf_clear(&kept.link);
    xattr_set_clear(&kept.xattrs);
    *p = kept;
}

void tar_pax_copy(struct tar_pax *to, const struct tar_pax *from)
{
    struct tar_pax kept = *to;

    *to = *from;
    to->path = kept.path;
    to->link = kept.link;
    to->xattrs = kept.xattrs;
    to->pieces = kept.pieces;
    to->pieces_capacity = kept.pieces_capacity;
    to->pieces_count = 0; /* a sparse map is of one file; tar_pax_parse refuses a global one */
    buf_add_str(&to->path, buf_str(&from->path));
    buf_add_str(&to->link, buf_str(&from->link));
    for (size_t i = 0; i < from->xattrs.count; i++)
        xattr_set_add(&to->xattrs, str_of(from->xattrs.items[i].name), from->xattrs.items[i].value);
}

bool tar_number(const char *field, size_t width, int64_t *out)
{
    const unsigned char *f = (const unsigned char *)field;
    uint64_t value = 0;

    if (f[0] & 0x80) { /* two's complement, big endian; the top bit of the first byte is the mark */
        bool negative = f[0] & 0x40;

        value = negative ? ~(uint64_t)0x3f | (f[0] & 0x3f) : (uint64_t)(f[0] & 0x3f);
        for (size_t i = 1; i < width; i++) {
            if (value >> 55 != (negative ? 0x1ffu : 0u))
                return false;
            value = value << 8 | f[i];
        }
        *out = (int64_t)value;
        return (*out < 0) == negative;
    }
    struct str text = {field, strnlen(field, width)};

    text = str_trim(text);
    for (size_t i = 0; i < text.size; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '7')
            return false;
        value = value << 3 | (uint64_t)(text.ptr[i] - '0'); /* 12 digits are 36 bits */
    }
    *out = (int64_t)value;
    return true;
}

/* "123", "-5", "1234.5678": whole seconds, downwards. */
static bool parse_time(struct str text, int64_t *out)
{
    struct str whole, fraction;
    bool cut = str_cut(text, '.', &whole, &fraction);

    for (size_t i = 0; cut && i < fraction.size; i++) {
        if (fraction.ptr[i] < '0' || fraction.ptr[i] > '9')
            return false;
    }
    if (!str_i64(whole, out))
        return false;
    if (whole.ptr[0] == '-') {
        for (size_t i = 0; i < fraction.size; i++) {
            if (fraction.ptr[i] != '0' && *out > INT64_MIN) {
                (*out)--;
                break;
            }
        }
    }
    return true;
}

int tar_pax_add_piece(struct tar_pax *p, uint64_t offset, uint64_t size, struct err *err)
{
    uint64_t end, before = 0;

    if (p->pieces_count)
        before = p->pieces[p->pieces_count - 1].offset + p->pieces[p->pieces_count - 1].size;
    if (offset < before || __builtin_add_overflow(offset, size, &end) || end > INT64_MAX)
        return err_set(err, ERR_INPUT, EINVAL, "the map of a sparse file is out of order");
    if (p->pieces_count >= TAR_SPARSE_MAX)
        return err_set(err, ERR_INPUT, EFBIG, "the map of a sparse file has more than %d pieces",
                       TAR_SPARSE_MAX);
    VEC_GROW(p->pieces, p->pieces_count, p->pieces_capacity);
    p->pieces[p->pieces_count++] = (struct tar_piece){offset, size};
    return 0;
}

/* Format 0.1: "offset,size,offset,size,…". */
static int parse_map(struct tar_pax *p, struct str map, struct err *err)
{
    struct str offset, size;
    uint64_t at, n;

    p->pieces_count = 0;
    while (map.size) {
        if (!str_cut(map, ',', &offset, &map))
            return err_set(err, ERR_INPUT, EINVAL, "the map of a sparse file ends in the middle");
        str_cut(map, ',', &size, &map);
        if (!str_u64(offset, &at) || !str_u64(size, &n))
            return err_set(err, ERR_INPUT, EINVAL, "the map of a sparse file holds no number");
        if (tar_pax_add_piece(p, at, n, err) < 0)
            return -1;
    }
    return 0;
}

static int bad_value(struct str key, struct err *err)
{
    SCOPED(buf_release) struct buf name = {0};

    buf_add_escaped(&name, str_slice(key, 0, 100));
    return err_set(err, ERR_INPUT, EINVAL, "the PAX record \"%s\" has a bad value",
                   buf_cstr(&name));
}

static int sparse_record(struct tar_pax *p, struct str key, struct str value, struct err *err)
{
    uint64_t n = 0;

    p->sparse = true;
    if (str_is(key, "name")) {
        buf_clear(&p->path);
        buf_add_str(&p->path, value);
        p->has_path = true;
        return 0;
    }
    if (str_is(key, "map"))
        return parse_map(p, value, err);
    if (!str_u64(value, &n) || n > INT64_MAX)
        return bad_value(key, err);
    if (str_is(key, "realsize") || str_is(key, "size")) {
        p->real_size = n;
        p->has_real_size = true;
    } else if (str_is(key, "major")) {
        p->sparse_major = n > 99 ? 99 : (unsigned)n;
    } else if (str_is(key, "minor")) {
        p->sparse_minor = n > 99 ? 99 : (unsigned)n;
    } else if (str_is(key, "offset")) {
        p->half_piece = true;
        return tar_pax_add_piece(p, n, 0, err);
    } else if (str_is(key, "numbytes")) {
        if (!p->half_piece || n > INT64_MAX - p->pieces[p->pieces_count - 1].offset)
            return bad_value(key, err);
        p->pieces[p->pieces_count - 1].size = n;
        p->half_piece = false;
    }
    return 0; /* numblocks says nothing new */
}

static int text_record(struct buf *to, bool *has, struct str key, struct str value, struct err *err)
{
    if (value.size && memchr(value.ptr, 0, value.size))
        return bad_value(key, err);
    buf_clear(to);
    buf_add_str(to, value);
    *has = value.size > 0;
    return 0;
}

static int number_record(uint64_t *to, bool *has, struct str key, struct str value, uint64_t max,
                         struct err *err)
{
    *has = value.size > 0;
    if (value.size && (!str_u64(value, to) || *to > max))
        return bad_value(key, err);
    return 0;
}

/* Adding looks for the name among those before it: without a limit a stranger could make that slow.
 */
static int add_xattr(struct tar_pax *p, struct str name, struct str value, struct err *err)
{
    if (p->xattrs.count >= TAR_XATTRS_MAX)
        return err_set(err, ERR_INPUT, E2BIG, "more than %d extended attributes", TAR_XATTRS_MAX);
    xattr_set_add(&p->xattrs, name, value);
    return 0;
}

/* bsdtar writes both this and SCHILY.xattr; name percent-encoded, value base64. */
static int libarchive_xattr(struct tar_pax *p, struct str key, struct str value, struct err *err)
{
    SCOPED(buf_release) struct buf name = {0}, bytes = {0};

    if (!percent_decode(&name, str_slice(key, 17, key.size)) || !base64_decode(&bytes, value) ||
        !name.size || memchr(name.ptr, 0, name.size))
        return bad_value(key, err);
    return add_xattr(p, buf_str(&name), buf_str(&bytes), err);
}

static int record(struct tar_pax *p, struct str key, struct str value, struct err *err)
{
    if (str_is(key, "path")) {
        /* GNU.sparse.name comes first and wins: "path" is a name made up for readers that know no
         * sparse files. */
        return p->sparse && p->has_path ? 0 : text_record(&p->path, &p->has_path, key, value, err);
    }
    if (str_is(key, "linkpath"))
        return text_record(&p->link, &p->has_link, key, value, err);
    if (str_is(key, "size"))
        return number_record(&p->size, &p->has_size, key, value, INT64_MAX, err);
    if (str_is(key, "uid"))
        return number_record(&p->uid, &p->has_uid, key, value, UINT32_MAX - 1, err);
    if (str_is(key, "gid"))
        return number_record(&p->gid, &p->has_gid, key, value, UINT32_MAX - 1, err);
    if (str_is(key, "mtime")) {
        p->has_mtime = value.size > 0;
        return value.size && !parse_time(value, &p->mtime) ? bad_value(key, err) : 0;
    }
    if (str_starts(key, "GNU.sparse."))
        return sparse_record(p, str_slice(key, 11, key.size), value, err);
    if (str_starts(key, "SCHILY.xattr.") && key.size > 13) {
        if (memchr(key.ptr, 0, key.size))
            return bad_value(key, err);
        return add_xattr(p, str_slice(key, 13, key.size), value, err);
    }
    if (str_starts(key, "LIBARCHIVE.xattr.") && key.size > 17)
        return libarchive_xattr(p, key, value, err);
    return 0; /* atime, ctime, names of owners, comments */
}

int tar_pax_parse(struct tar_pax *p, struct str records, struct err *err)
{
    while (records.size) {
        struct str number, rest, key, value;
        uint64_t total;

        if (!str_cut(str_slice(records, 0, 24), ' ', &number, &rest) || !str_u64(number, &total) ||
            total > records.size || total < number.size + 3 || records.ptr[total - 1] != '\n')
            return err_set(err, ERR_INPUT, EINVAL, "a PAX header is damaged");
        rest = str_slice(records, number.size + 1, (size_t)total - 1);
        if (!str_cut(rest, '=', &key, &value) || !key.size)
            return err_set(err, ERR_INPUT, EINVAL, "a PAX record has no key");
        if (record(p, key, value, err) < 0)
            return -1;
        records = str_slice(records, (size_t)total, records.size);
    }
    return 0;
}
