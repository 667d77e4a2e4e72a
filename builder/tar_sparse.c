/* SPDX-License-Identifier: Apache-2.0 */
/* The content of entries, and of sparse files: GNU's own header, and PAX 0.0, 0.1 and 1.0 (GNU tar
 * manual, "Sparse Formats"). */
#include <errno.h>
#include <string.h>

#include "builder/tar_reader.h"

/* GNU "S": four pieces in the header, 21 in each block that follows while the flag is set. */
static int gnu_sparse(struct tar_reader *r, const struct tar_header *h, struct err *err)
{
    const char *at = (const char *)h + 386, *flag = (const char *)h + 482;
    const char *real = (const char *)h + 483;
    size_t count = 4;
    int64_t offset, size;

    if (tar_field(real, 12, "real size", &size, err) < 0)
        return -1;
    r->pax.sparse = r->pax.has_real_size = true;
    r->pax.real_size = size < 0 ? UINT64_MAX : (uint64_t)size;
    r->pax.pieces_count = 0;
    for (;;) {
        const unsigned char *block;
        bool more = *flag != 0;
        int got;

        for (size_t i = 0; i < count && at[i * 24] != '\0'; i++) {
            if (tar_field(at + i * 24, 12, "sparse offset", &offset, err) < 0 ||
                tar_field(at + i * 24 + 12, 12, "sparse size", &size, err) < 0)
                return -1;
            if (tar_pax_add_piece(&r->pax, (uint64_t)offset, (uint64_t)size, err) < 0)
                return -1;
        }
        if (!more)
            return 0;
        got = tar_next_block(r, &block, err);
        if (got <= 0)
            return got < 0 ? -1 : tar_cut_short(r, err);
        at = (const char *)block;
        flag = at + 504;
        count = 21;
    }
}

/* PAX 1.0: a number a line before the content, padded to a block: count, then offset and size of
 * each piece. */
static int pax_sparse_map(struct tar_reader *r, struct err *err)
{
    uint64_t value = 0, count = 0, want = 1, seen = 0, offset = 0;
    bool digits = false;

    r->pax.pieces_count = 0;
    while (seen < want) {
        const unsigned char *block;
        int got = r->left < TAR_BLOCK ? 0 : tar_next_block(r, &block, err);

        if (got <= 0)
            return got < 0 ? -1 : tar_cut_short(r, err);
        r->left -= TAR_BLOCK;
        for (size_t i = 0; i < TAR_BLOCK && seen < want; i++) {
            if (block[i] >= '0' && block[i] <= '9' && value <= INT64_MAX / 10 - 1) {
                value = value * 10 + (uint64_t)(block[i] - '0');
                digits = true;
                continue;
            }
            if (block[i] != '\n' || !digits)
                return err_set(err, ERR_INPUT, EINVAL, "the map of a sparse file holds no number");
            if (seen == 0) {
                count = value;
                if (count > TAR_SPARSE_MAX)
                    return err_set(err, ERR_INPUT, EFBIG,
                                   "the map of a sparse file has more than %d pieces",
                                   TAR_SPARSE_MAX);
                want = 1 + 2 * count;
            } else if (seen % 2) {
                offset = value;
            } else if (tar_pax_add_piece(&r->pax, offset, value, err) < 0) {
                return -1;
            }
            seen++;
            value = 0;
            digits = false;
        }
    }
    return 0;
}

int tar_begin_sparse(struct tar_reader *r, const struct tar_header *h, struct err *err)
{
    const struct tar_pax *p = &r->pax;
    uint64_t stored = 0, end = 0;

    if (h->type == TAR_TYPE_GNU_SPARSE && gnu_sparse(r, h, err) < 0)
        return -1;
    if (p->sparse_major > 1 || (p->sparse_major == 1 && p->sparse_minor > 0))
        return err_set(err, ERR_INPUT, EINVAL, "a sparse file of the unknown format %u.%u",
                       p->sparse_major, p->sparse_minor);
    if (p->sparse_major == 1 && pax_sparse_map(r, err) < 0)
        return -1;
    if (!p->has_real_size || p->half_piece)
        return err_set(err, ERR_INPUT, EINVAL, "a sparse file without its size");
    for (size_t i = 0; i < p->pieces_count; i++) {
        stored += p->pieces[i].size;
        end = p->pieces[i].offset + p->pieces[i].size;
    }
    if (stored != r->left || end > p->real_size || p->real_size > INT64_MAX)
        return err_set(err, ERR_INPUT, EINVAL, "the map of a sparse file does not fit its content");
    r->sparse = true;
    r->file_size = p->real_size;
    return 0;
}

/* How much of the stored content may be handed out in one piece, and where it goes. */
static uint64_t next_piece(struct tar_reader *r, uint64_t *offset)
{
    if (!r->sparse) {
        *offset = r->file_at;
        return r->left;
    }
    while (r->piece < r->pax.pieces_count && r->piece_done == r->pax.pieces[r->piece].size) {
        r->piece++;
        r->piece_done = 0;
    }
    if (r->piece == r->pax.pieces_count)
        return 0;
    *offset = r->pax.pieces[r->piece].offset + r->piece_done;
    return r->pax.pieces[r->piece].size - r->piece_done;
}

int tar_data(struct tar_reader *r, const void **bytes, size_t *size, uint64_t *offset,
             struct err *err)
{
    uint64_t piece = next_piece(r, offset);
    ssize_t have;

    if (!piece)
        return 0;
    have = tar_fill(r, 1, err);
    if (have < 0)
        return -1;
    if (have == 0) {
        tar_cut_short(r, err);
        return -1;
    }
    *size = (uint64_t)have < piece ? (size_t)have : (size_t)piece;
    *bytes = r->buf + r->at;
    tar_consume(r, *size);
    r->left -= *size;
    r->piece_done += *size;
    if (!r->sparse)
        r->file_at += *size;
    return 1;
}

static ssize_t read_plain(struct tar_reader *r, void *bytes, size_t size, struct err *err)
{
    ssize_t have;

    if (!r->left)
        return 0;
    have = tar_fill(r, 1, err);
    if (have < 0)
        return -1;
    if (have == 0)
        return tar_cut_short(r, err);
    if ((size_t)have < size)
        size = (size_t)have;
    if (r->left < size)
        size = (size_t)r->left;
    memcpy(bytes, r->buf + r->at, size);
    tar_consume(r, size);
    r->left -= size;
    r->file_at += size;
    return (ssize_t)size;
}

ssize_t tar_read(struct tar_reader *r, void *bytes, size_t size, struct err *err)
{
    uint64_t hole;

    if (!r->sparse)
        return read_plain(r, bytes, size, err);
    if (!r->pending.size) {
        const void *from;
        int got = tar_data(r, &from, &r->pending.size, &r->pending_at, err);

        if (got < 0)
            return -1;
        if (got > 0)
            r->pending.ptr = from;
        else
            r->pending_at = r->file_size;
    }
    hole = r->pending_at - r->file_at;
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
    r->file_at += size;
    return (ssize_t)size;
}
