/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/unpack.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/fs.h"
#include "base/scope.h"
#include "base/strv.h"
#include "builder/diff.h"
#include "builder/tar.h"
#include "tests/tap.h"

struct dir {
    char path[64];
    int fd;
};

static void dir_open(struct dir *d)
{
    snprintf(d->path, sizeof(d->path), "%s/slipway-unpack-XXXXXX",
             getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
    d->fd = mkdtemp(d->path) ? open(d->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
}

static void dir_close(struct dir *d)
{
    struct err err = {0};

    close(d->fd);
    OKF(fs_remove_tree(AT_FDCWD, d->path, &err) == 0, "%s", err.text);
}

/* "T[uid]path[=link]" as in builder_view.c, and H hard link, c device, p pipe, o opaque marker; a
 * file holds its path. */
static int unpack(const struct dir *d, const char *text, struct err *err)
{
    struct unpack *u = unpack_open(d->fd);
    struct str rest = str_of(text), word, path, link;
    int result = 0;

    while (result == 0 && rest.size) {
        str_cut(rest, ' ', &word, &rest);
        bool linked = str_cut(str_slice(word, 1, word.size), '=', &path, &link);
        AUTO_FREE char *path_copy = str_dup(path), *link_copy = str_dup(link);
        struct entry e = {.path = path_copy,
                          .link = linked ? link_copy : NULL,
                          .mode = 0755,
                          .mtime = 1000000000};

        switch (word.ptr[0]) {
        case 'd':
            e.type = ENTRY_DIR;
            break;
        case 'o':
            e.type = ENTRY_DIR;
            e.opaque = e.implied = true;
            break;
        case 'f':
            e.type = ENTRY_FILE;
            e.mode = 0640;
            e.size = path.size;
            break;
        case 'l':
            e.type = ENTRY_SYMLINK;
            break;
        case 'H':
            e.type = ENTRY_HARDLINK;
            break;
        case 'c':
            e.type = ENTRY_CHAR;
            e.dev_major = 1;
            e.dev_minor = 3;
            break;
        case 'p':
            e.type = ENTRY_FIFO;
            e.mode = 0600;
            break;
        default:
            e.type = ENTRY_WHITEOUT;
        }
        result = unpack_entry(u, &e, NULL, path, err);
    }
    if (result == 0)
        result = unpack_end(u, err);
    unpack_close(u);
    return result;
}

static int show(void *ctx, const struct entry *e, int dir_fd, const char *name, struct err *err)
{
    struct buf *out = ctx;

    buf_addf(out, "%s%c%s%s", out->size ? " " : "", "?fdlHcbpw"[e->type], e -> opaque ? "!" : "",
             e->path);
    if (e->link)
        buf_addf(out, "=%s", e->link);
    if (e->type == ENTRY_FILE) {
        SCOPED(buf_release) struct buf content = {0};

        if (fs_read_file(dir_fd, name, &content, 100, err) < 0)
            return -1;
        OKF(strcmp(buf_cstr(&content), e->path) == 0, "%s holds \"%s\"", e->path,
            buf_cstr(&content));
    }
    OKF(e->type == ENTRY_WHITEOUT || e->opaque || e->mtime == 1000000000 || e->mtime == 0,
        "%s: mtime %lld", e->path, (long long)e->mtime);
    return 0;
}

/* What is unpacked, seen by diff: both sides of the overlay format. The index test has the same
 * table. */
static void trees(void)
{
    static const struct {
        const char *in, *want;
    } rows[] = {
        {"", ""},
        {"da fa/b fa-b", "da fa/b fa-b"},
        {"fa/b/c", "da da/b fa/b/c"},
        {"fa/b/c da", "da da/b fa/b/c"},
        {"la=/etc lb=../../.. fc", "la=/etc lb=../../.. fc"},
        {"fa fa fa", "fa"},
        {"fa la=x", "la=x"},
        {"la=x fa", "fa"},
        {"la=/etc/passwd fa", "fa"}, /* the link is replaced, not written through */
        {"da fa/x fa", "fa"},
        {"da fa/x la=b da fa/y", "da fa/y"},
        {"da da/b fa/b/c fa da fa/b/d", "da da/b fa/b/d"},
        {"fa Hb=a", "fa Hb=a"},
        {"fz Hb=z lq=z Hr=q", "fb"}, /* told apart below */
        {"pa", "pa"},
        {"ca", "wa"},
        {"wa", "wa"},
        {"wa fa", "fa"},
        {"fa wa", "fa"},
        {"wa da fa/b", "d!a fa/b"},
        {"da fa/b wa", "d!a fa/b"},
        {"wa fa/b", "d!a fa/b"},
        {"oa", "d!a"},
        {"oa da fa/b", "d!a fa/b"},
        {"da oa fa/b", "d!a fa/b"},
        {"wa oa", "d!a"},
        {"da/b/c wa/b/x wa/b/x", "da da/b da/b/c wa/b/x"},
        {"fa Hb=a wa wb", "fa Hb=a"},
        {"d. fa", "fa"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        SCOPED(dir_close) struct dir d;
        SCOPED(buf_release) struct buf got = {0};
        struct err err = {0};

        dir_open(&d);
        OKF(unpack(&d, rows[i].in, &err) == 0, "%s: %s", rows[i].in, err.text);
        if (strcmp(rows[i].in, "fz Hb=z lq=z Hr=q") == 0) {
            struct stat a, b;

            OK(fstatat(d.fd, "b", &a, 0) == 0 && fstatat(d.fd, "z", &b, 0) == 0 &&
               a.st_ino == b.st_ino);
            OK(fstatat(d.fd, "q", &a, AT_SYMLINK_NOFOLLOW) == 0 &&
               fstatat(d.fd, "r", &b, AT_SYMLINK_NOFOLLOW) == 0 && a.st_ino == b.st_ino &&
               S_ISLNK(a.st_mode));
            continue;
        }
        OKF(diff_upper(d.fd, false, show, &got, &err) == 0, "%s: %s", rows[i].in, err.text);
        EQ_STR(buf_cstr(&got), rows[i].want);
    }
}

static void refusals(void)
{
    static const struct {
        const char *in, *err;
    } rows[] = {
        {"fa fa/x", "\"a/x\": \"a\" is a file in this layer, not a directory"},
        {"la=/tmp fa/x", "\"a/x\": \"a\" is a symbolic link in this layer, not a directory"},
        {"la=.. fa/x", "\"a/x\": \"a\" is a symbolic link in this layer, not a directory"},
        {"db lb/a=/tmp fb/a/x/y",
         "\"b/a/x/y\": \"b/a\" is a symbolic link in this layer, not a directory"},
        {"la=/tmp da/x", "\"a/x\": \"a\" is a symbolic link in this layer, not a directory"},
        {"la=/tmp oa", "\"a\" is marked opaque, but it is not a directory"},
        {"fa oa", "\"a\" is marked opaque, but it is not a directory"},
        {"la=/etc Hb=a/passwd", "\"b\" is a hard link to \"a/passwd\", which is not there"},
        {"Hb=a", "\"b\" is a hard link to \"a\", which is not there"},
        {"wa Hb=a", "\"b\" is a hard link to \"a\", which is not there"},
        {"da Hb=a", "\"b\" is a hard link to the directory \"a\""},
        {"fb Hb=b", "\"b\" is a hard link to itself"},
        {"f.", "the root of a layer is a file"},
        {"pa fa/x", "\"a/x\": \"a\" is a named pipe in this layer, not a directory"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        SCOPED(dir_close) struct dir d;
        struct err err = {0};

        dir_open(&d);
        OKF(unpack(&d, rows[i].in, &err) == -1, "%s", rows[i].in);
        EQ_STR(err.text, rows[i].err);
    }
}

/* Owner, mode and time, of directories too, which change again with everything that is put into
 * them. */
static void metadata(void)
{
    static const struct xattr xattrs[] = {{"security.selinux", {"x", 1}},
                                          {"user.a", {"1\0002", 3}}};
    const struct entry entries[] = {
        {.path = "d",
         .type = ENTRY_DIR,
         .mode = 0500,
         .mtime = 7,
         .xattrs = xattrs,
         .xattrs_count = 2},
        {.path = "d/f",
         .type = ENTRY_FILE,
         .mode = 04751,
         .mtime = 9,
         .xattrs = xattrs,
         .xattrs_count = 2},
        {.path = "d/e", .type = ENTRY_DIR, .mode = 02770, .mtime = -5},
        {.path = "d/e/l", .link = "x", .type = ENTRY_SYMLINK, .mtime = 11},
        {.path = "d/e/p", .type = ENTRY_FIFO, .mode = 0602, .mtime = 12},
        {.path = ".", .type = ENTRY_DIR, .mode = 0711, .mtime = 13},
    };
    static const struct {
        const char *path;
        mode_t mode;
        time_t mtime;
    } want[] = {{"d", S_IFDIR | 0500, 7},      {"d/f", S_IFREG | 04751, 9},
                {"d/e", S_IFDIR | 02770, -5},  {"d/e/l", S_IFLNK | 0777, 11},
                {"d/e/p", S_IFIFO | 0602, 12}, {".", S_IFDIR | 0711, 13}};
    SCOPED(dir_close) struct dir d;
    struct err err = {0};
    struct unpack *u;
    char value[10];

    dir_open(&d);
    u = unpack_open(d.fd);
    for (size_t i = 0; i < ARRAY_SIZE(entries); i++) {
        struct entry e = entries[i];

        e.uid = geteuid();
        e.gid = getegid();
        OKF(unpack_entry(u, &e, NULL, STR(""), &err) == 0, "%s", err.text);
    }
    OKF(unpack_end(u, &err) == 0, "%s", err.text);
    unpack_close(u);
    for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
        struct stat st = {0};

        OKF(fstatat(d.fd, want[i].path, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
                st.st_mode == want[i].mode && st.st_mtim.tv_sec == want[i].mtime,
            "%s: %o %lld", want[i].path, st.st_mode, (long long)st.st_mtim.tv_sec);
    }
    AUTO_FD int f = openat(d.fd, "d/f", O_RDONLY | O_CLOEXEC);
    OK(f >= 0 && fgetxattr(f, "user.a", value, sizeof(value)) == 3);
}

/* An owner that cannot be set takes the bits with it that would lend it. */
static void foreign_owner(void)
{
    struct entry e = {
        .path = "f", .type = ENTRY_FILE, .mode = 06755, .uid = 3999999999u, .gid = 3999999999u};
    SCOPED(dir_close) struct dir d;
    struct err err = {0};
    struct stat st = {0};
    struct unpack *u;

    dir_open(&d);
    u = unpack_open(d.fd);
    OKF(unpack_entry(u, &e, NULL, STR(""), &err) == 0 && unpack_end(u, &err) == 0, "%s", err.text);
    unpack_close(u);
    OK(fstatat(d.fd, "f", &st, 0) == 0);
    OKF(st.st_uid == 3999999999u ? (st.st_mode & 07777) == 06755 : (st.st_mode & 07777) == 0755,
        "%u %o", st.st_uid, st.st_mode);
}

static void sparse(void)
{
    /* PAX 1.0: 4 bytes at 0, 3 at 1 000 000, size 2 000 000. */
    static const char map[] = "2\n0\n4\n1000000\n3\n";
    SCOPED(buf_release) struct buf tar = {0}, whole = {0};
    SCOPED(dir_close) struct dir d;
    struct err err = {0};
    struct entry e;
    struct tar_reader *r;
    struct unpack *u;
    struct stat st;
    static const char records[] =
        "22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n21 GNU.sparse.name=f\n"
        "31 GNU.sparse.realsize=2000000\n";
    struct tar_writer w = {.to = sink_of_buf(&tar)};
    struct str left;

    tar_write_whole(&w, &(struct entry){.path = "pax", .type = ENTRY_FILE}, STR(records), &err);
    tar_writer_release(&w);
    /* Our writer makes no sparse files: turn what it wrote into an extended header. */
    tar.ptr[156] = 'x';
    unsigned sum = 0;
    memset(tar.ptr + 148, ' ', 8);
    for (size_t i = 0; i < 512; i++)
        sum += (unsigned char)tar.ptr[i];
    snprintf(tar.ptr + 148, 8, "%06o", sum);
    w = (struct tar_writer){.to = sink_of_buf(&tar)};
    SCOPED(buf_release) struct buf content = {0};
    buf_add(&content, map, sizeof(map) - 1);
    while (content.size < 512)
        buf_addc(&content, '\0');
    buf_adds(&content, "ABCDxyz");
    tar_write_whole(&w,
                    &(struct entry){.path = "GNUSparseFile.0/f", .type = ENTRY_FILE, .mode = 0644},
                    buf_str(&content), &err);
    tar_write_whole(&w, &(struct entry){.path = "after", .type = ENTRY_FILE}, STR("after"), &err);
    tar_writer_release(&w);

    dir_open(&d);
    u = unpack_open(d.fd);
    left = buf_str(&tar);
    r = tar_reader_open(source_of_str(&left));
    OKF(tar_next(r, &e, &err) == 1 && e.size == 2000000 && strcmp(e.path, "f") == 0, "%s",
        err.text);
    OKF(unpack_entry(u, &e, r, STR(""), &err) == 0, "%s", err.text);
    OKF(tar_next(r, &e, &err) == 1 && unpack_entry(u, &e, r, STR(""), &err) == 0, "%s", err.text);
    unpack_close(u);
    tar_reader_close(r);
    OK(fstatat(d.fd, "f", &st, 0) == 0 && st.st_size == 2000000 && st.st_blocks < 100);
    OK(fs_read_file(d.fd, "f", &whole, 3000000, &err) == 0 &&
       memcmp(whole.ptr, "ABCD\0\0", 6) == 0 && memcmp(whole.ptr + 999999, "\0xyz\0", 5) == 0);
    /* The same by plain reading, in odd steps. */
    left = buf_str(&tar);
    r = tar_reader_open(source_of_str(&left));
    OK(tar_next(r, &e, &err) == 1);
    SCOPED(buf_release) struct buf again = {0};
    for (ssize_t n; (n = tar_read(r, buf_reserve(&again, 777), 777, &err)) > 0;)
        buf_commit(&again, (size_t)n);
    OK(str_eq(buf_str(&again), buf_str(&whole)));
    tar_reader_close(r);
}

TAP_MAIN({"trees", trees}, {"refusals", refusals}, {"metadata", metadata},
         {"foreign owner", foreign_owner}, {"sparse", sparse})
