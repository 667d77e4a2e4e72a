/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/index.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/scope.h"
#include "builder/index_format.h"
#include "tests/tap.h"

/* "d a", "f a/b", "l a -> x", "h a -> b", "w a" (whiteout), "o a" (opaque marker), "p a" (opaque
 * directory); by commas. */
static void parse_entry(struct str text, struct entry *e, char *path, char *link)
{
    struct str head, tail;
    size_t arrow;

    *e = (struct entry){.mode = 0644};
    str_cut(text, ' ', &head, &tail);
    arrow = str_search(tail, " -> ") < 0 ? tail.size : (size_t)str_search(tail, " -> ");
    snprintf(path, 100, STR_FMT, (int)arrow, tail.ptr);
    e->path = path;
    if (arrow < tail.size) {
        snprintf(link, 100, STR_FMT, (int)(tail.size - arrow - 4), tail.ptr + arrow + 4);
        e->link = link;
    }
    e->type = head.ptr[0] == 'f'   ? ENTRY_FILE
              : head.ptr[0] == 'l' ? ENTRY_SYMLINK
              : head.ptr[0] == 'h' ? ENTRY_HARDLINK
              : head.ptr[0] == 'w' ? ENTRY_WHITEOUT
                                   : ENTRY_DIR;
    e->opaque = head.ptr[0] == 'o' || head.ptr[0] == 'p';
    e->implied = head.ptr[0] == 'o';
    /* A digit tells two entries of the same path apart. */
    if (head.size > 1)
        e->uid = (uint32_t)(head.ptr[1] - '0');
}

static int build(const char *text, struct buf *out, struct err *err)
{
    struct index_builder *b = index_builder_new();
    struct str rest = str_of(text), part;
    int result = 0;

    while (result == 0 && rest.size) {
        char path[100], link[100];
        struct entry e;

        str_cut(rest, ',', &part, &rest);
        parse_entry(str_trim(part), &e, path, link);
        result = index_builder_add(b, &e, err);
    }
    if (result == 0)
        result = index_builder_end(b, sink_of_buf(out), err);
    index_builder_free(b);
    return result;
}

static void describe(const struct index *x, struct buf *out)
{
    for (size_t i = 1; i < index_count(x); i++) {
        struct entry e;

        index_get(x, i, &e);
        buf_addf(out, "%s%c", i > 1 ? "," : "", "?fdlhcbpw"[e.type]);
        if (e.uid)
            buf_addf(out, "%u", e.uid);
        buf_adds(out, e.opaque ? "o" : "");
        buf_adds(out, e.implied ? "i" : "");
        buf_addf(out, " %s", e.path);
        if (e.link)
            buf_addf(out, " -> %s", e.link);
    }
}

/* What unpacking the entries one after the other would leave. */
static void settling(void)
{
    static const struct {
        const char *in, *want, *err;
    } rows[] = {
        {"", "", NULL},
        {"d .,d a,f a/b,f a-b", "d a,f a/b,f a-b", NULL},
        {"f a-b,d a,f a/b", "d a,f a/b,f a-b", NULL}, /* "/" sorts before "-" */
        {"f a/b/c", "di a,di a/b,f a/b/c", NULL},
        {"f a/b/c,d3 a", "d3 a,di a/b,f a/b/c", NULL},
        {"f1 a,f2 a", "f2 a", NULL},
        {"d1 a,f a/x,d2 a", "d2 a,f a/x", NULL},
        {"d a,f a/x,f1 a", "f1 a", NULL},
        {"d a,f a/x,l a -> b,d2 a,f a/y", "d2 a,f a/y", NULL},
        {"d a,d a/b,f a/b/c,f1 a,d2 a,f a/b/d", "d2 a,di a/b,f a/b/d", NULL},
        {"f1 a,f a/x", NULL, "\"a/x\": \"a\" is a file in this layer, not a directory"},
        {"l a -> /etc,f a/x", NULL,
         "\"a/x\": \"a\" is a symbolic link in this layer, not a directory"},
        {"l a -> /etc,f a/x,d a", NULL,
         "\"a/x\": \"a\" is a symbolic link in this layer, not a directory"},
        {"f a,o a", NULL, "\"a\" is marked opaque, but it is not a directory"},
        /* Whiteouts are about lower layers: what this layer has at the same path stays, whatever
           the order. */
        {"w a", "w a", NULL},
        {"w a,f a", "f a", NULL},
        {"f a,w a", "f a", NULL},
        {"w a,d a,f a/b", "do a,f a/b", NULL},
        {"d a,f a/b,w a", "do a,f a/b", NULL},
        {"w a,f a/b", "doi a,f a/b", NULL},
        {"o a", "doi a", NULL},
        {"o a,d1 a,f a/b", "d1o a,f a/b", NULL},
        {"d1 a,o a,f a/b", "d1o a,f a/b", NULL},
        {"p a,f a/b", "do a,f a/b", NULL},
        /* Hard links become the file, with the path it shares. */
        {"f3 a,h b -> a", "f3 a,f3 b -> a", NULL},
        {"f3 z,h b -> z", "f3 b -> z,f3 z", NULL},
        {"f3 a,h b -> a,h c -> b", "f3 a,f3 b -> a,f3 c -> a", NULL},
        {"f3 a,h b -> a,f4 a", "f4 a,f3 b", NULL}, /* the old inode lives on under its other name */
        {"l a -> x,h b -> a", "l a -> x,l b -> x", NULL},
        {"h b -> a,f a", NULL, "\"b\" is a hard link to \"a\", which is not there"},
        {"h b -> a", NULL, "\"b\" is a hard link to \"a\", which is not there"},
        {"w a,h b -> a", NULL, "\"b\" is a hard link to \"a\", which is not there"},
        {"d a,h b -> a", NULL, "\"b\" is a hard link to the directory \"a\""},
        {"f b,h b -> b", NULL, "\"b\" is a hard link to itself"},
        {"f .", NULL, "the root of a layer is a file"},
        {"w .", NULL, "the root of a layer is a whiteout"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        SCOPED(buf_release) struct buf bytes = {0}, got = {0};
        struct err err = {0};
        struct index *x = NULL;

        if (build(rows[i].in, &bytes, &err) == 0)
            x = index_from_bytes(bytes.ptr, bytes.size, &err);
        if (x)
            describe(x, &got);
        if (!OKF(!x == !rows[i].want, "row %zu (%s): %s", i, rows[i].in, x ? got.ptr : err.text))
            continue;
        if (x)
            EQ_STR(buf_cstr(&got), rows[i].want);
        else
            EQ_STR(err.text, rows[i].err);
        index_close(x);
    }
}

static void finding(void)
{
    SCOPED(buf_release) struct buf bytes = {0}, names = {0};
    struct err err = {0};
    struct index *x;
    size_t a;

    OK(build("d a,f a/x,d a/y,f a/y/1,f a/z,f a.b,f b", &bytes, &err) == 0);
    x = index_from_bytes(bytes.ptr, bytes.size, &err);
    OK(x != NULL);
    for (size_t i = 0; i < index_count(x); i++)
        EQ_INT(index_find(x, index_path(x, i)), i);
    OK(index_find(x, "a/") == INDEX_NONE && index_find(x, "a/yy") == INDEX_NONE &&
       index_find(x, "") != INDEX_NONE);
    OK(index_find(x, "A") == INDEX_NONE && index_find(x, "c") == INDEX_NONE);
    a = index_find(x, "a");
    for (size_t i = index_child(x, a); i < index_end(x, a); i = index_end(x, i))
        buf_addf(&names, " %s", index_path(x, i));
    EQ_STR(names.ptr, " a/x a/y a/z");
    index_close(x);
}

static void metadata(void)
{
    static const struct xattr xattrs[] = {{"user.a", {"1\0002", 3}}, {"user.b", {"", 0}}};
    static const struct entry in = {.path = "etc/passwd",
                                    .type = ENTRY_FILE,
                                    .mode = 04711,
                                    .uid = 4000000000u,
                                    .gid = 7,
                                    .size = 5,
                                    .mtime = -3,
                                    .xattrs = xattrs,
                                    .xattrs_count = 2};
    static const struct entry device = {
        .path = "null", .type = ENTRY_CHAR, .mode = 0666, .dev_major = 1, .dev_minor = 3};
    struct index_builder *b = index_builder_new();
    SCOPED(buf_release) struct buf bytes = {0};
    struct err err = {0};
    struct index *x;
    struct entry e;
    struct str kept;

    OK(index_keeps_content(&in) && !index_keeps_content(&device));
    OK(index_builder_add(b, &in, &err) == 0);
    index_builder_content(b, STR("r:x:0"));
    OK(index_builder_add(b, &device, &err) == 0);
    OK(index_builder_end(b, sink_of_buf(&bytes), &err) == 0);
    index_builder_free(b);
    x = index_from_bytes(bytes.ptr, bytes.size, &err);
    index_get(x, index_find(x, "etc/passwd"), &e);
    OK(e.type == ENTRY_FILE && e.mode == 04711 && e.uid == 4000000000u && e.gid == 7 &&
       e.size == 5 && e.mtime == -3);
    OK(e.xattrs_count == 2 && strcmp(e.xattrs[0].name, "user.a") == 0);
    OK(str_eq(e.xattrs[0].value, (struct str){"1\0002", 3}) && e.xattrs[1].value.size == 0);
    OK(index_content(x, index_find(x, "etc/passwd"), &kept) && str_is(kept, "r:x:0"));
    index_get(x, index_find(x, "null"), &e);
    OK(e.type == ENTRY_CHAR && e.dev_major == 1 && e.dev_minor == 3);
    OK(!index_content(x, index_find(x, "null"), &kept));
    index_close(x);
}

/* The same entries in any order give the same answers. */
static void shuffled(void)
{
    SCOPED(buf_release) struct buf want = {0};

    for (int turn = 0; turn < 20; turn++) {
        struct index_builder *b = index_builder_new();
        SCOPED(buf_release) struct buf bytes = {0}, got = {0};
        struct err err = {0};
        struct index *x;

        for (int i = 0; i < 500; i++) {
            int n = (i * (turn * 2 + 1)) % 512; /* an odd step visits each once */
            char path[50];
            struct entry e = {.path = path, .type = ENTRY_FILE, .uid = 1};

            snprintf(path, sizeof(path), "d%d/e%d/f%d", n % 3, n % 7, n);
            if (n < 500)
                index_builder_add(b, &e, &err);
        }
        for (int n = 0; n < 512; n++) {
            char path[50];
            struct entry e = {.path = path, .type = ENTRY_FILE, .uid = 1};

            snprintf(path, sizeof(path), "d%d/e%d/f%d", n % 3, n % 7, n);
            index_builder_add(b, &e, &err); /* again: the same */
        }
        OK(index_builder_end(b, sink_of_buf(&bytes), &err) == 0);
        index_builder_free(b);
        x = index_from_bytes(bytes.ptr, bytes.size, &err);
        OK(x != NULL);
        describe(x, turn ? &got : &want);
        if (turn)
            OK(str_eq(buf_str(&got), buf_str(&want)));
        index_close(x);
    }
}

/* Any one byte changed: refused, or still a sound index; every cut is refused. Either way nothing
 * is read outside it. */
static void damage(void)
{
    SCOPED(buf_release) struct buf bytes = {0};
    struct err err = {0};

    OK(build("d a,f a/x,d a/y,f a/y/1,l a/z -> x,w b,p c,h d -> a/x", &bytes, &err) == 0);
    for (size_t i = 0; i < bytes.size; i++) {
        for (int bit = 0; bit < 8; bit++) {
            SCOPED(buf_release) struct buf got = {0};
            struct index *x;

            bytes.ptr[i] ^= (char)(1 << bit);
            x = index_from_bytes(bytes.ptr, bytes.size, &err);
            if (x)
                describe(x, &got);
            index_close(x);
            bytes.ptr[i] ^= (char)(1 << bit);
        }
        OKF(!index_from_bytes(bytes.ptr, i, &err), "cut at %zu", i);
    }
    EQ_STR(err.text, "not a path index of version 1, or damaged");
}

static void files(void)
{
    char dir[] = "/tmp/slipway-index-XXXXXX";
    SCOPED(buf_release) struct buf bytes = {0};
    struct err err = {0};
    struct index *x = NULL;
    AUTO_FD int fd = mkdtemp(dir) ? open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

    OK(index_open(fd, "none", &x, &err) == 0);
    OK(build("d a,f a/x", &bytes, &err) == 0);
    OK(fs_replace(fd, "good", bytes.ptr, bytes.size, 0600, false, &err) == 0);
    OK(index_open(fd, "good", &x, &err) == 1 && index_count(x) == 3);
    index_close(x);
    bytes.ptr[8]++; /* the version */
    OK(fs_replace(fd, "old", bytes.ptr, bytes.size, 0600, false, &err) == 0);
    OK(index_open(fd, "old", &x, &err) == 0);
    OK(fs_replace(fd, "short", bytes.ptr, 5, 0600, false, &err) == 0);
    OK(index_open(fd, "short", &x, &err) == 0);
    OK(index_open(fd, "good/x", &x, &err) == -1);
    EQ_STR(err.text, "open good/x: Not a directory");
    OK(fs_remove_tree(AT_FDCWD, dir, &err) == 0);
}

static void long_paths(void)
{
    struct index_builder *b = index_builder_new();
    AUTO_FREE char *path = xcalloc(1, 5000);
    struct err err = {0};

    memset(path, 'x', 4096);
    OK(index_builder_add(b, &(struct entry){.path = path, .type = ENTRY_FILE}, &err) == -1);
    EQ_STR(err.text, "\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…\": a path of "
                     "more than 4095 bytes");
    index_builder_free(b);
}

TAP_MAIN({"settling", settling}, {"finding", finding}, {"metadata", metadata},
         {"any order", shuffled}, {"damage", damage}, {"files", files}, {"long paths", long_paths})
