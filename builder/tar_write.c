/* SPDX-License-Identifier: Apache-2.0 */
/* Entries to tar headers. The reader is in tar_read.c. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/path.h"
#include "base/scope.h"
#include "builder/tar.h"
#include "builder/tar_format.h"

#define END_SIZE ((size_t)2 * TAR_BLOCK)
static const char zeros[END_SIZE];

size_t tar_padding(uint64_t size)
{
    return (size_t)(-size & (TAR_BLOCK - 1));
}

void tar_put_end(struct buf *out)
{
    buf_add(out, zeros, END_SIZE);
}

/* Octal with a NUL at the end; false when the field is too small for it. */
static bool put_octal(char *field, size_t width, uint64_t value)
{
    field[width - 1] = '\0';
    for (size_t i = width - 1; i-- > 0;) {
        field[i] = (char)('0' + (value & 7));
        value >>= 3;
    }
    return value == 0;
}

/* "<length> key=value\n", where length counts itself. */
static void put_record(struct buf *pax, const char *prefix, const char *key, struct str value)
{
    size_t rest = strlen(prefix) + strlen(key) + value.size + 3; /* space, "=", newline */
    size_t total = rest + 1;

    for (size_t power = 10; total >= power; power *= 10)
        total = rest + (size_t)snprintf(NULL, 0, "%zu", power);
    buf_addf(pax, "%zu %s%s=", total, prefix, key);
    buf_add_str(pax, value);
    buf_addc(pax, '\n');
}

static void put_number_record(struct buf *pax, const char *key, intmax_t value)
{
    char text[32];
    int n = snprintf(text, sizeof(text), "%jd", value);

    put_record(pax, "", key, (struct str){text, (size_t)n});
}

/* name[100] alone, or prefix[155] "/" name[100]: false when neither holds it. */
static bool put_name(struct tar_header *h, struct str name)
{
    if (name.size <= sizeof(h->name)) {
        memcpy(h->name, name.ptr, name.size);
        return true;
    }
    for (size_t i = name.size - sizeof(h->name) - 1; i <= sizeof(h->prefix) && i + 1 < name.size;
         i++) {
        if (i > 0 && name.ptr[i] == '/') {
            memcpy(h->prefix, name.ptr, i);
            memcpy(h->name, name.ptr + i + 1, name.size - i - 1);
            return true;
        }
    }
    return false;
}

static void put_number(char *field, size_t width, uint64_t value, const char *key, struct buf *pax)
{
    if (!put_octal(field, width, value)) {
        put_number_record(pax, key, (intmax_t)value);
        put_octal(field, width, 0);
    }
}

static void put_checksum(struct tar_header *h)
{
    const unsigned char *bytes = (const unsigned char *)h;
    unsigned sum = 0;

    memset(h->checksum, ' ', sizeof(h->checksum));
    for (size_t i = 0; i < sizeof(*h); i++)
        sum += bytes[i];
    put_octal(h->checksum, 7, sum);
    h->checksum[7] = ' ';
}

static void begin_header(struct tar_header *h, char type)
{
    memset(h, 0, sizeof(*h));
    memcpy(h->magic, "ustar", 6);
    memcpy(h->version, "00", 2);
    h->type = type;
}

/* The extended header before an entry: its own header block, then the records. */
static void put_pax(struct buf *out, const struct buf *pax, struct str name)
{
    struct tar_header h;
    struct str base = path_base(name);
    char label[sizeof(h.name) + 1];
    int n = snprintf(label, sizeof(label), "PaxHeaders/%.*s",
                     (int)(base.size < 80 ? base.size : 80), base.ptr);

    begin_header(&h, TAR_TYPE_PAX);
    memcpy(h.name, label, (size_t)n);
    put_octal(h.mode, sizeof(h.mode), 0644);
    put_octal(h.uid, sizeof(h.uid), 0);
    put_octal(h.gid, sizeof(h.gid), 0);
    put_octal(h.size, sizeof(h.size), pax->size);
    put_octal(h.mtime, sizeof(h.mtime), 0);
    put_octal(h.dev_major, sizeof(h.dev_major), 0);
    put_octal(h.dev_minor, sizeof(h.dev_minor), 0);
    put_checksum(&h);
    buf_add(out, &h, sizeof(h));
    buf_add(out, pax->ptr, pax->size);
    buf_add(out, zeros, tar_padding(pax->size));
}

static int put_xattrs(struct buf *pax, const struct entry *e, struct err *err)
{
    for (size_t i = 0; i < e->xattrs_count; i++) {
        const struct xattr *x = &e->xattrs[i];

        if (strchr(x->name, '='))
            return err_set(err, ERR_INPUT, EINVAL,
                           "%s: a tar cannot hold the extended attribute name \"%s\"", e->path,
                           x->name);
        put_record(pax, "SCHILY.xattr.", x->name, x->value);
    }
    return 0;
}

/* One header with what must stand before it. name is what the archive shows. */
static int put_entry(struct buf *out, const struct entry *e, struct str name, char type,
                     struct err *err)
{
    SCOPED(buf_release) struct buf pax = {0};
    struct tar_header h;
    struct str link =
        type == TAR_TYPE_HARDLINK || type == TAR_TYPE_SYMLINK ? str_of(e->link) : STR("");
    bool device = type == TAR_TYPE_CHAR || type == TAR_TYPE_BLOCK;

    begin_header(&h, type);
    if (!put_name(&h, name)) {
        put_record(&pax, "", "path", name);
        memcpy(h.name, name.ptr, sizeof(h.name));
    }
    if (link.size > sizeof(h.link))
        put_record(&pax, "", "linkpath", link);
    memcpy(h.link, link.size ? link.ptr : "",
           link.size < sizeof(h.link) ? link.size : sizeof(h.link));
    put_octal(h.mode, sizeof(h.mode), e->mode & 07777);
    put_number(h.uid, sizeof(h.uid), e->uid, "uid", &pax);
    put_number(h.gid, sizeof(h.gid), e->gid, "gid", &pax);
    put_number(h.size, sizeof(h.size), type == TAR_TYPE_FILE ? e->size : 0, "size", &pax);
    /* A time before 1970 is, taken as unsigned, one that does not fit. */
    put_number(h.mtime, sizeof(h.mtime), (uint64_t)e->mtime, "mtime", &pax);
    if (!put_octal(h.dev_major, sizeof(h.dev_major), device ? e->dev_major : 0) ||
        !put_octal(h.dev_minor, sizeof(h.dev_minor), device ? e->dev_minor : 0))
        return err_set(err, ERR_INPUT, EINVAL, "%s: a tar cannot hold the device number %u:%u",
                       e->path, e->dev_major, e->dev_minor);
    if (type != TAR_TYPE_HARDLINK && put_xattrs(&pax, e, err) < 0)
        return -1;
    if (pax.size)
        put_pax(out, &pax, name);
    put_checksum(&h);
    buf_add(out, &h, sizeof(h));
    return 0;
}

/* An empty file named "<dir of path>/.wh.<rest>". */
static int put_whiteout(struct buf *out, const struct entry *e, const char *rest, struct str dir,
                        struct err *err)
{
    SCOPED(buf_release) struct buf name = {0};
    struct entry marker = {.path = e->path, .type = ENTRY_FILE, .mode = 0600, .mtime = e->mtime};

    if (dir.size && !str_is(dir, "."))
        buf_addf(&name, STR_FMT "/", STR_ARG(dir));
    buf_addf(&name, ".wh.%s", rest);
    return put_entry(out, &marker, buf_str(&name), TAR_TYPE_FILE, err);
}

static char type_of(enum entry_type type)
{
    static const char types[] = {
        [ENTRY_FILE] = TAR_TYPE_FILE,       [ENTRY_DIR] = TAR_TYPE_DIR,
        [ENTRY_SYMLINK] = TAR_TYPE_SYMLINK, [ENTRY_HARDLINK] = TAR_TYPE_HARDLINK,
        [ENTRY_CHAR] = TAR_TYPE_CHAR,       [ENTRY_BLOCK] = TAR_TYPE_BLOCK,
        [ENTRY_FIFO] = TAR_TYPE_FIFO,
    };

    return (size_t)type < sizeof(types) ? types[type] : '\0';
}

int tar_put_header(struct buf *out, const struct entry *e, struct err *err)
{
    struct str path = str_of(e->path), base = path_base(path);
    bool root = str_is(path, ".");
    SCOPED(buf_release) struct buf name = {0};
    char type = type_of(e->type);

    if (path.size == 0 || (root && e->type != ENTRY_DIR))
        return err_set(err, ERR_INPUT, EINVAL, "a tar entry without a name");
    if (str_starts(base, ".wh.") && !root)
        return err_set(
            err, ERR_INPUT, EINVAL,
            "%s: a layer cannot hold a name that begins with \".wh.\" (that marks removed files)",
            e->path);
    if (e->type == ENTRY_WHITEOUT)
        return put_whiteout(out, e, base.ptr, path_dir(path), err);
    if (!type)
        return err_set(err, ERR_INPUT, EINVAL, "%s: a tar cannot hold a %s", e->path,
                       entry_type_name(e->type));
    if ((e->type == ENTRY_SYMLINK || e->type == ENTRY_HARDLINK) && (!e->link || !*e->link))
        return err_set(err, ERR_INPUT, EINVAL, "%s: a link to nothing", e->path);
    buf_add_str(&name, path);
    if (e->type == ENTRY_DIR)
        buf_addc(&name, '/');
    if (put_entry(out, e, buf_str(&name), type, err) < 0)
        return -1;
    if (e->type == ENTRY_DIR && e->opaque)
        return put_whiteout(out, e, ".wh..opq", path, err);
    return 0;
}

void tar_writer_release(struct tar_writer *w)
{
    buf_release(&w->header);
    *w = (struct tar_writer){0};
}

static int put_bytes(struct tar_writer *w, const void *bytes, size_t size, struct err *err)
{
    if (size && w->to.write(w->to.ctx, bytes, size, err) < 0)
        return -1;
    w->offset += size;
    return 0;
}

int tar_write_entry(struct tar_writer *w, const struct entry *e, struct err *err)
{
    BUG_ON(w->left);
    buf_clear(&w->header);
    if (tar_put_header(&w->header, e, err) < 0)
        return -1;
    if (e->type == ENTRY_FILE)
        w->left = e->size;
    return put_bytes(w, w->header.ptr, w->header.size, err);
}

int tar_write_data(struct tar_writer *w, const void *bytes, size_t size, struct err *err)
{
    BUG_ON(size > w->left);
    if (put_bytes(w, bytes, size, err) < 0)
        return -1;
    w->left -= size;
    /* Content began on a block border, so the offset says how much is missing to the next. */
    return w->left ? 0 : put_bytes(w, zeros, tar_padding(w->offset), err);
}

int tar_write_whole(struct tar_writer *w, const struct entry *e, struct str content,
                    struct err *err)
{
    struct entry sized = *e;

    sized.size = content.size;
    if (tar_write_entry(w, &sized, err) < 0)
        return -1;
    return content.size ? tar_write_data(w, content.ptr, content.size, err) : 0;
}

int tar_write_end(struct tar_writer *w, struct err *err)
{
    BUG_ON(w->left);
    return put_bytes(w, zeros, END_SIZE, err);
}
