/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/tar.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/scope.h"
#include "builder/tar_format.h"
#include "tests/tap.h"

#define LONG100                                                                                    \
    "01234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901" \
    "23456789"
#define LONG300 LONG100 "/" LONG100 "/" LONG100

static bool same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool same_xattrs(const struct entry *a, const struct entry *b)
{
    if (a->xattrs_count != b->xattrs_count)
        return false;
    for (size_t i = 0; i < a->xattrs_count; i++) {
        if (strcmp(a->xattrs[i].name, b->xattrs[i].name) != 0 ||
            !str_eq(a->xattrs[i].value, b->xattrs[i].value))
            return false;
    }
    return true;
}

static bool same_entry(const struct entry *a, const struct entry *b)
{
    return same_text(a->path, b->path) && same_text(a->link, b->link) && a->type == b->type &&
           a->mode == b->mode && a->uid == b->uid && a->gid == b->gid && a->size == b->size &&
           a->mtime == b->mtime && a->dev_major == b->dev_major && a->dev_minor == b->dev_minor &&
           same_xattrs(a, b);
}

/* What is written is read again, and how many blocks of headers it took: 1 is ustar alone, 3 or
 * more is PAX. */
static void round_trip(void)
{
    static const struct xattr caps = {"security.capability",
                                      {"\1\0\0\2\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20}};
    static const struct xattr two[] = {{"user.a", {"x\ny=z\0", 6}}, {"user.b", {"", 0}}};
    static const struct {
        struct entry e;
        size_t blocks;
    } rows[] = {
        {{.path = ".", .type = ENTRY_DIR, .mode = 0755}, 1},
        {{.path = "a",
          .type = ENTRY_FILE,
          .mode = 04755,
          .uid = 1,
          .gid = 2,
          .size = 7,
          .mtime = 1700000000},
         1},
        {{.path = "a/b c/\xc3\xa9\xff", .type = ENTRY_FILE, .mode = 0}, 1},
        {{.path = "d", .type = ENTRY_DIR, .mode = 01777}, 1},
        {{.path = "l", .link = "/etc/../x", .type = ENTRY_SYMLINK, .mode = 0777}, 1},
        {{.path = "h", .link = "a", .type = ENTRY_HARDLINK, .mode = 0644}, 1},
        {{.path = "c", .type = ENTRY_CHAR, .mode = 0666, .dev_major = 1, .dev_minor = 3}, 1},
        {{.path = "b",
          .type = ENTRY_BLOCK,
          .mode = 0660,
          .dev_major = 2097151,
          .dev_minor = 2097151},
         1},
        {{.path = "p", .type = ENTRY_FIFO, .mode = 0600}, 1},
        {{.path = LONG100, .type = ENTRY_FILE}, 1},
        {{.path = LONG100, .type = ENTRY_DIR, .mode = 0700}, 3}, /* the slash is the 101st byte */
        {{.path = LONG100 "/" LONG100, .type = ENTRY_FILE}, 1},
        {{.path = "x/" LONG100 "/" LONG100, .type = ENTRY_FILE}, 1},
        {{.path = LONG300, .type = ENTRY_FILE}, 3},
        {{.path = "l", .link = LONG100, .type = ENTRY_SYMLINK, .mode = 0777}, 1},
        {{.path = "l", .link = LONG100 "x", .type = ENTRY_SYMLINK, .mode = 0777}, 3},
        {{.path = "h", .link = LONG300, .type = ENTRY_HARDLINK}, 3},
        {{.path = "u", .type = ENTRY_FILE, .uid = 2097151, .gid = 2097151}, 1},
        {{.path = "u", .type = ENTRY_FILE, .uid = 2097152}, 3},
        {{.path = "u", .type = ENTRY_FILE, .gid = 4294967294u}, 3},
        {{.path = "s", .type = ENTRY_FILE, .size = 077777777777}, 1},
        {{.path = "s", .type = ENTRY_FILE, .size = 0100000000000}, 3},
        {{.path = "t", .type = ENTRY_FILE, .mtime = 077777777777}, 1},
        {{.path = "t", .type = ENTRY_FILE, .mtime = 0100000000000}, 3},
        {{.path = "t", .type = ENTRY_FILE, .mtime = -1}, 3},
        {{.path = "x", .type = ENTRY_FILE, .xattrs = &caps, .xattrs_count = 1}, 3},
        {{.path = "x", .type = ENTRY_DIR, .mode = 0755, .xattrs = two, .xattrs_count = 2}, 3},
        {{.path = "a/gone", .type = ENTRY_WHITEOUT}, 1},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        SCOPED(buf_release) struct buf out = {0};
        struct err err = {0};
        struct entry got;
        struct str left;
        struct tar_reader *r;

        OKF(tar_put_header(&out, &rows[i].e, &err) == 0, "row %zu: %s", i, err.text);
        OKF(out.size == rows[i].blocks * TAR_BLOCK, "row %zu: %zu bytes of headers", i, out.size);
        left = buf_str(&out);
        r = tar_reader_open(source_of_str(&left));
        OKF(tar_next(r, &got, &err) == 1 && same_entry(&got, &rows[i].e), "row %zu: %s %s", i,
            got.path, err.text);
        tar_reader_close(r);
    }
}

/* Offsets are of the PAX length that counts its own digits: 9/10, 99/100, 999/1000. */
static void record_lengths(void)
{
    for (size_t size = 0; size < 1100; size++) {
        AUTO_FREE char *value = xcalloc(1, size + 1);
        struct xattr x = {"u", {value, size}};
        struct entry e = {.path = "f", .type = ENTRY_FILE, .xattrs = &x, .xattrs_count = 1}, got;
        SCOPED(buf_release) struct buf out = {0};
        struct err err = {0};
        struct tar_reader *r;
        struct str left;

        memset(value, 'v', size);
        tar_put_header(&out, &e, &err);
        left = buf_str(&out);
        r = tar_reader_open(source_of_str(&left));
        if (tar_next(r, &got, &err) != 1 || !same_entry(&got, &e))
            OKF(false, "xattr of %zu bytes: %s", size, err.text);
        tar_reader_close(r);
    }
}

static void refusals_of_the_writer(void)
{
    static const struct xattr equals = {"user.a=b", {"", 0}};
    static const struct {
        struct entry e;
        const char *err;
    } rows[] = {
        {{.path = "", .type = ENTRY_FILE}, "a tar entry without a name"},
        {{.path = ".", .type = ENTRY_WHITEOUT}, "a tar entry without a name"},
        {{.path = "a/.wh.b", .type = ENTRY_FILE},
         "a/.wh.b: a layer cannot hold a name that begins with \".wh.\" (that marks removed "
         "files)"},
        {{.path = "a", .type = ENTRY_NONE}, "a: a tar cannot hold a nothing"},
        {{.path = "a", .type = ENTRY_SYMLINK}, "a: a link to nothing"},
        {{.path = "a", .link = "", .type = ENTRY_HARDLINK}, "a: a link to nothing"},
        {{.path = "a", .type = ENTRY_CHAR, .dev_major = 2097152},
         "a: a tar cannot hold the device number 2097152:0"},
        {{.path = "a", .type = ENTRY_FILE, .xattrs = &equals, .xattrs_count = 1},
         "a: a tar cannot hold the extended attribute name \"user.a=b\""},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        SCOPED(buf_release) struct buf out = {0};
        struct err err = {0};

        OK(tar_put_header(&out, &rows[i].e, &err) == -1);
        EQ_STR(err.text, rows[i].err);
    }
}

/* A header made by hand: fields that a row does not set are sound. */
struct raw {
    const char *name, *link, *size, *uid, *magic, *content;
    char type;
};

static void put_raw(struct buf *out, const struct raw *raw)
{
    struct tar_header h = {0};
    unsigned sum = 0;
    size_t size = raw->content ? strlen(raw->content) : 0;

    memcpy(h.name, raw->name, strnlen(raw->name, sizeof(h.name)));
    if (raw->link)
        memcpy(h.link, raw->link, strnlen(raw->link, sizeof(h.link)));
    memcpy(h.mode, "0000644", 8);
    memcpy(h.uid, raw->uid ? raw->uid : "0000000", 8);
    memcpy(h.gid, "0000000", 8);
    memcpy(h.mtime, "00000000000", 12);
    if (raw->size)
        memcpy(h.size, raw->size, raw->size[0] & 0x80 ? 12 : strnlen(raw->size, 12));
    else
        snprintf(h.size, sizeof(h.size), "%011o", (unsigned)size & 0xffffff);
    h.type = raw->type;
    memcpy(h.magic,
           raw->magic ? raw->magic
                      : "ustar\0"
                        "00",
           8);
    memset(h.checksum, ' ', 8);
    for (size_t i = 0; i < sizeof(h); i++)
        sum += ((unsigned char *)&h)[i];
    snprintf(h.checksum, 7, "%06o", sum);
    buf_add(out, &h, sizeof(h));
    buf_add(out, raw->content ? raw->content : "", size);
    for (size_t i = tar_padding(size); i; i--)
        buf_addc(out, '\0');
}

/* Up to three headers; the text of what the reader says of the first entry that is more than an
 * extension. */
static const struct {
    struct raw raws[3];
    const char *want; /* "type mode size path -> link" or the error */
} dialect_rows[] = {
    {{{.name = "./a//b/./c", .type = '0', .content = "xy"}}, "file 2 a/b/c"},
    {{{.name = "/etc/x", .type = '0'}}, "file 0 etc/x"},
    {{{.name = "./", .type = '5'}}, "directory 0 ."},
    {{{.name = "a/../b", .type = '0'}}, "file 0 b"},
    {{{.name = "a\0", .type = '\0', .magic = "\0\0\0\0\0\0\0\0"}}, "file 0 a"},
    {{{.name = "old/", .type = '\0', .magic = "\0\0\0\0\0\0\0\0"}}, "directory 0 old"},
    {{{.name = "x", .type = '7', .content = "1"}}, "file 1 x"},
    {{{.name = "big", .type = '0', .size = "\x80\0\0\0\0\0\0\1\0\0\0\0"}}, "file 4294967296 big"},
    {{{.name = "u", .type = '0', .uid = "\x80\0\0\0\0\x10\0\0"}}, "file 0 u uid 1048576"},
    {{{.name = "l", .type = 'L', .content = LONG300}, {.name = "short", .type = '0'}},
     "file 0 " LONG300},
    {{{.name = "k", .type = 'K', .content = LONG300}, {.name = "s", .type = '2', .link = "x"}},
     "symbolic link 0 s -> " LONG300},
    {{{.name = "V", .type = 'V'}, {.name = "a", .type = '0'}}, "file 0 a"},
    {{{.name = "x", .type = 'x', .content = "12 path=p/q\n"}, {.name = "a", .type = '0'}},
     "file 0 p/q"},
    {{{.name = "g", .type = 'g', .content = "10 uid=70\n"}, {.name = "a", .type = '0'}},
     "file 0 a uid 70"},
    {{{.name = "x", .type = 'x', .content = "20 mtime=-1.5000000\n"}, {.name = "a", .type = '0'}},
     "file 0 a mtime -2"},
    {{{.name = "h", .type = '1', .link = "./b//c", .size = "00000000777"}}, "hard link 0 h -> b/c"},
    {{{.name = "a/.wh.b", .type = '0'}}, "whiteout 0 a/b"},
    {{{.name = "a/.wh..wh..opq", .type = '0'}}, "directory 0 a opaque"},
    {{{.name = ".wh..wh..opq", .type = '1', .link = "x"}}, "directory 0 . opaque"},
    {{{.name = ".wh..wh.plnk/12.34", .type = '0'}, {.name = "b", .type = '0'}}, "file 0 b"},
    {{{.name = "dump", .type = 'D', .content = "Yfile"}, {.name = "b", .type = '0'}},
     "directory 0 dump"},

    {{{.name = "../x", .type = '0'}}, "the path \"../x\" leads out of the root"},
    {{{.name = "a/../../x", .type = '0'}}, "the path \"a/../../x\" leads out of the root"},
    {{{.name = "h", .type = '1', .link = "../x"}},
     "\"h\": the path \"../x\" leads out of the root"},
    {{{.name = "", .type = '0'}}, "an entry without a name"},
    {{{.name = "s", .type = '2', .link = ""}}, "\"s\": a link to nothing"},
    {{{.name = "a/.wh.", .type = '0'}}, "\"a/.wh.\": \"a/.wh.\" is no whiteout"},
    {{{.name = ".wh...", .type = '0'}}, "\".wh...\": \".wh...\" is no whiteout"},
    {{{.name = ".wh.a/b", .type = '0'}}, "\".wh.a/b\": \".wh.a/b\" is no whiteout"},
    {{{.name = "a", .type = 'M'}}, "\"a\": an entry of the unknown type 0x4d"},
    {{{.name = "a", .type = '0', .size = "0000000000x"}},
     "\"a\": the field \"size\" of a header is not a number"},
    {{{.name = "a", .type = '0', .size = "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"}},
     "\"a\": a negative size"},
    {{{.name = "a", .type = '0', .uid = "\xff\xff\xff\xff\xff\xff\xff\xff"}},
     "\"a\": the owner -1:0 is out of range"},
    {{{.name = "x", .type = 'x', .content = "99 path=x\n"}, {.name = "a", .type = '0'}},
     "a PAX header is damaged"},
    {{{.name = "x", .type = 'x', .content = "5 =x\n"}, {.name = "a", .type = '0'}},
     "a PAX record has no key"},
    {{{.name = "x", .type = 'x', .content = "10 uid=-1\n"}, {.name = "a", .type = '0'}},
     "the PAX record \"uid\" has a bad value"},
    {{{.name = "x", .type = 'x', .content = "15 path=../../x\n"}, {.name = "a", .type = '0'}},
     "a PAX header is damaged"},
    {{{.name = "x", .type = 'x', .content = "16 path=../../x\n"}, {.name = "a", .type = '0'}},
     "the path \"../../x\" leads out of the root"},
    {{{.name = "x", .type = 'x', .content = "10 uid=70\n"}},
     "the archive ends in the middle of an entry, at byte 1024"},
    {{{.name = "x", .type = 'x', .content = "38 SCHILY.xattr.user.overlay.opaque=y\n"},
      {.name = "a", .type = '5'}},
     "\"a\": the extended attribute user.overlay.opaque is not a layer's to set"},
    {{{.name = "x", .type = 'x', .content = "42 SCHILY.xattr.user.overlay.redirect=/etc\n"},
      {.name = "a", .type = '5'}},
     "a PAX header is damaged"},
    {{{.name = "x", .type = 'x', .content = "43 SCHILY.xattr.user.overlay.redirect=/etc\n"},
      {.name = "a", .type = '5'}},
     "\"a\": the extended attribute user.overlay.redirect is not a layer's to set"},
    {{{.name = "x", .type = 'x', .content = "38 SCHILY.xattr.user.overlay.origin=y\n"},
      {.name = "a", .type = '5'}},
     "directory 0 a"},
    {{{.name = "x", .type = 'x', .content = "22 GNU.sparse.major=2\n"}, {.name = "a", .type = '0'}},
     "\"a\": a sparse file of the unknown format 2.0"},
    {{{.name = "x", .type = 'x', .content = "21 GNU.sparse.map=1,\n21 GNU.sparse.size=9\n"},
      {.name = "a", .type = '0'}},
     "the map of a sparse file holds no number"},
    {{{.name = "x", .type = 'x', .content = "25 GNU.sparse.map=5,1,4,1\n21 GNU.sparse.size=9\n"},
      {.name = "a", .type = '0', .content = "xy"}},
     "a PAX header is damaged"},
    {{{.name = "x", .type = 'x', .content = "26 GNU.sparse.map=5,1,4,1\n21 GNU.sparse.size=9\n"},
      {.name = "a", .type = '0', .content = "xy"}},
     "the map of a sparse file is out of order"},
    {{{.name = "x", .type = 'x', .content = "26 GNU.sparse.map=5,1,8,2\n21 GNU.sparse.size=9\n"},
      {.name = "a", .type = '0', .content = "xyz"}},
     "\"a\": the map of a sparse file does not fit its content"},
};

static void dialects(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(dialect_rows); i++) {
        SCOPED(buf_release) struct buf tar = {0}, got = {0};
        struct err err = {0};
        struct tar_reader *r;
        struct entry e;
        struct str left;

        for (size_t j = 0; j < 3 && dialect_rows[i].raws[j].name; j++)
            put_raw(&tar, &dialect_rows[i].raws[j]);
        left = buf_str(&tar);
        r = tar_reader_open(source_of_str(&left));
        switch (tar_next(r, &e, &err)) {
        case 1:
            buf_addf(&got, "%s %llu %s", entry_type_name(e.type), (unsigned long long)e.size,
                     e.path);
            if (e.link)
                buf_addf(&got, " -> %s", e.link);
            if (e.uid)
                buf_addf(&got, " uid %u", e.uid);
            if (e.mtime)
                buf_addf(&got, " mtime %lld", (long long)e.mtime);
            buf_adds(&got, e.opaque ? " opaque" : "");
            break;
        case -1:
            buf_adds(&got, err.text);
            break;
        default:
            buf_adds(&got, "the end");
        }
        if (strcmp(buf_cstr(&got), dialect_rows[i].want) != 0)
            OKF(false, "row %zu: got \"%s\", want \"%s\"", i, buf_cstr(&got), dialect_rows[i].want);
        tar_reader_close(r);
    }
}

static void raw_names(void)
{
    SCOPED(buf_release) struct buf tar = {0};
    struct err err = {0};
    struct entry e;
    struct str left;
    struct tar_reader *r;

    put_raw(&tar, &(struct raw){.name = "a/.wh.b", .type = '0'});
    left = buf_str(&tar);
    r = tar_reader_open(source_of_str(&left));
    tar_reader_raw(r);
    OK(tar_next(r, &e, &err) == 1 && e.type == ENTRY_FILE);
    EQ_STR(e.path, "a/.wh.b");
    tar_reader_close(r);
}

/* A source that gives a byte at a time: nothing may depend on how the bytes come. */
static ssize_t drip(void *ctx, void *bytes, size_t size, struct err *err)
{
    struct str *left = ctx;

    (void)err;
    if (!left->size || !size)
        return 0;
    *(char *)bytes = *left->ptr;
    *left = str_slice(*left, 1, left->size);
    return 1;
}

/* An archive with content, and the same cut short at every length: never a crash, and only a whole
 * archive reads well. */
static void cut_anywhere(void)
{
    SCOPED(buf_release) struct buf tar = {0};
    struct tar_writer w = {.to = sink_of_buf(&tar)};
    struct err err = {0};

    tar_write_whole(&w, &(struct entry){.path = "a", .type = ENTRY_FILE}, STR("hello"), &err);
    tar_write_whole(&w, &(struct entry){.path = LONG300, .type = ENTRY_FILE}, STR(LONG300), &err);
    tar_write_end(&w, &err);
    tar_writer_release(&w);
    EQ_INT(tar.size, 512 * 8);
    for (size_t size = 0; size <= tar.size; size++) {
        struct str left = {tar.ptr, size};
        struct tar_reader *r = tar_reader_open((struct source){.read = drip, .ctx = &left});
        struct entry e;
        char bytes[400];
        int got, seen = 0;
        bool well = true;

        err = (struct err){0};
        while ((got = tar_next(r, &e, &err)) > 0) {
            size_t want = seen == 0 ? 5 : sizeof(LONG300) - 1;
            ssize_t n, have = 0;

            while ((n = tar_read(r, bytes + have, sizeof(bytes) - (size_t)have, &err)) > 0)
                have += n;
            well &= n == 0 && (size_t)have == want &&
                    memcmp(bytes, seen == 0 ? "hello" : LONG300, want) == 0;
            if (n < 0)
                break;
            seen++;
        }
        well &= got == 0;
        /* Between entries, and within the padding of the last one, an archive may end; one end
         * block is enough. */
        bool whole = size == 0 || (size >= 517 && size <= 1024) || (size >= 2862 && size <= 3072) ||
                     size >= 3584;

        if (well != whole || (!well && !err.text[0]))
            OKF(false, "cut at %zu: %s (%s)", size, well ? "accepted" : "refused", err.text);
        tar_reader_close(r);
    }
}

TAP_MAIN({"round trip", round_trip}, {"PAX record lengths", record_lengths},
         {"what the writer refuses", refusals_of_the_writer}, {"dialects and refusals", dialects},
         {"raw names", raw_names}, {"cut anywhere", cut_anywhere})
