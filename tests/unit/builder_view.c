/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/view.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/scope.h"
#include "builder/index.h"
#include "tests/tap.h"

#define LAYERS 4

struct stage {
    struct index *layers[LAYERS];
    struct view view;
};

/* An entry is "T[o]path[=link]": T d f l w h, "o" marks a directory opaque, "i" implied (not added:
 * its child implies it). uid is the layer's number, so that one can tell whose metadata is shown.
 */
static struct index *layer(const char *text, uint32_t number)
{
    struct index_builder *b = index_builder_new();
    SCOPED(buf_release) struct buf bytes = {0};
    struct err err = {0};
    struct str rest = str_of(text), word;

    while (rest.size) {
        str_cut(rest, ' ', &word, &rest);
        bool opaque = word.size > 1 && word.ptr[1] == '!';
        struct str path, link;
        bool linked = str_cut(str_slice(word, opaque ? 2 : 1, word.size), '=', &path, &link);
        AUTO_FREE char *path_copy = str_dup(path), *link_copy = str_dup(link);
        struct entry e = {.path = path_copy,
                          .link = linked ? link_copy : NULL,
                          .uid = number,
                          .mode = 0750,
                          .opaque = opaque};

        e.type = word.ptr[0] == 'd'   ? ENTRY_DIR
                 : word.ptr[0] == 'f' ? ENTRY_FILE
                 : word.ptr[0] == 'l' ? ENTRY_SYMLINK
                                      : ENTRY_WHITEOUT;
        OKF(index_builder_add(b, &e, &err) == 0, "%s", err.text);
    }
    OKF(index_builder_end(b, sink_of_buf(&bytes), &err) == 0, "%s", err.text);
    index_builder_free(b);
    return index_from_bytes(bytes.ptr, bytes.size, &err);
}

static void stage_open(struct stage *s, const char *const texts[LAYERS])
{
    *s = (struct stage){0};
    for (uint32_t i = 0; i < LAYERS && texts[i]; i++) {
        s->layers[i] = layer(texts[i], i);
        view_push(&s->view, s->layers[i]);
    }
}

static void stage_close(struct stage *s)
{
    for (size_t i = 0; i < LAYERS; i++)
        index_close(s->layers[i]);
    view_release(&s->view);
}

static int show(void *ctx, const struct view_entry *at, bool *skip, struct err *err)
{
    struct buf *out = ctx;

    (void)skip;
    (void)err;
    if (strcmp(at->entry.path, ".") == 0)
        return 0;
    buf_addf(out, "%s%c%zu %s", out->size ? "," : "", "?fdlhcbpw"[at->entry.type], at -> layer,
             at -> entry.path);
    return 0;
}

/* What an overlay of the layers shows, walked; and every path of it found again by lookup. */
static void stacks(void)
{
    static const struct {
        const char *layers[LAYERS], *want;
    } rows[] = {
        {{"da fa/x fb"}, "d0 a,f0 a/x,f0 b"},
        {{"da fa/x", "da fa/y"}, "d1 a,f0 a/x,f1 a/y"},
        {{"da fa/x", "fa/y"}, "d0 a,f0 a/x,f1 a/y"}, /* implied above: the lower one's metadata */
        {{"fa/x", "fa/y"}, "d1 a,f0 a/x,f1 a/y"},
        {{"da fa/x fa/y", "da wa/x"}, "d1 a,f0 a/y"},
        {{"da fa/x fb", "wa"}, "f0 b"},
        {{"da fa/x fb", "wa", "da fa/z"}, "d2 a,f2 a/z,f0 b"},
        {{"da fa/x fb", "wa", "fa/z"}, "d2 a,f2 a/z,f0 b"},
        {{"da fa/x da/s fa/s/q", "d!a fa/y"}, "d1 a,f1 a/y"},
        {{"da fa/x da/s fa/s/q", "d!a da/s", "da fa/s/r"}, "d2 a,d1 a/s,f2 a/s/r"},
        {{"da fa/x", "fa", "da fa/z"},
         "d2 a,f2 a/z"}, /* a file in between cuts what is below it off */
        {{"da fa/x", "fa", "fa/z"}, "d2 a,f2 a/z"},
        {{"fa", "da fa/z"}, "d1 a,f1 a/z"},
        {{"la=b db fb/x", "fa/y"}, "d1 a,f1 a/y,d0 b,f0 b/x"},
        {{"da da/b da/b/c fa/b/c/f", "wa/b", "da/b"}, "d0 a,d2 a/b"},
        {{"da fa/x", "wb", "wa/nothing"}, "d0 a,f0 a/x"},
        {{"fa-b da fa/x fa.b", "fa/y"}, "d0 a,f0 a/x,f1 a/y,f0 a-b,f0 a.b"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        SCOPED(stage_close) struct stage s;
        SCOPED(buf_release) struct buf got = {0};
        struct err err = {0};

        stage_open(&s, rows[i].layers);
        OKF(view_walk(&s.view, ".", show, &got, &err) == 0, "row %zu: %s", i, err.text);
        if (strcmp(buf_cstr(&got), rows[i].want) != 0)
            OKF(false, "row %zu: got %s, want %s", i, buf_cstr(&got), rows[i].want);
        for (struct str rest = buf_str(&got), item; rest.size;) {
            struct view_entry at;

            str_cut(rest, ',', &item, &rest);
            AUTO_FREE char *path = str_dup(str_slice(item, 3, item.size));
            if (!OKF(view_lookup(&s.view, path, &at) && at.layer == (size_t)(item.ptr[1] - '0'),
                     "row %zu: %s", i, path))
                break;
        }
    }
}

static void absent(void)
{
    static const struct {
        const char *layers[LAYERS], *path;
    } rows[] = {
        {{"da"}, "b"},
        {{"da fa/x"}, "a/x/y"},
        {{"da fa/x", "wa"}, "a"},
        {{"da fa/x", "wa"}, "a/x"},
        {{"da fa/x", "fa"}, "a/x"},
        {{"da fa/x", "d!a"}, "a/x"},
        {{"da fa/x", "wa", "da"}, "a/x"},
        {{"la=b db fb/x"}, "a/x"}, /* a link is not followed */
        {{NULL}, "."},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        SCOPED(stage_close) struct stage s;
        struct view_entry at;

        stage_open(&s, rows[i].layers);
        OKF(!view_lookup(&s.view, rows[i].path, &at), "row %zu", i);
    }
}

static void implied_metadata(void)
{
    static const char *const layers[LAYERS] = {"da", "fa/x", "fb/y"};
    SCOPED(stage_close) struct stage s;
    struct view_entry at;

    stage_open(&s, layers);
    OK(view_lookup(&s.view, "a", &at) && at.entry.mode == 0750);
    OK(view_lookup(&s.view, "b", &at) && at.entry.mode == 0755 && at.entry.uid == 0);
}

static void links(void)
{
    static const char *const layers[LAYERS] = {
        "detc fetc/passwd dusr dusr/bin fusr/bin/sh lbin=usr/bin lloop=loop lp=q lq=p "
        "labs=/usr/bin lup=../../../etc "
        "ldangle=usr/new lnowhere=/no/such dhome dhome/u lhome/u/etc=../../etc lfile=etc/passwd "
        "ldot=./usr/./bin/",
        "detc letc/alias=passwd",
    };
    static const struct {
        const char *path;
        enum view_follow how;
        int result;
        const char *want;
    } rows[] = {
        {"/etc/passwd", VIEW_FOLLOW, 1, "etc/passwd"},
        {"", VIEW_FOLLOW, 1, "."},
        {"/", VIEW_FOLLOW, 1, "."},
        {"../..", VIEW_FOLLOW, 1, "."},
        {"bin/sh", VIEW_FOLLOW, 1, "usr/bin/sh"},
        {"bin", VIEW_FOLLOW, 1, "usr/bin"},
        {"bin", VIEW_NOFOLLOW_LAST, 1, "bin"},
        {"bin/../x", VIEW_FOLLOW, 0, "usr/x"}, /* ".." of where the link led */
        {"bin/..", VIEW_NOFOLLOW_LAST, 1, "usr"},
        {"abs/sh", VIEW_FOLLOW, 1, "usr/bin/sh"},
        {"dot/sh", VIEW_FOLLOW, 1, "usr/bin/sh"},
        {"up/passwd", VIEW_FOLLOW, 1, "etc/passwd"},
        {"home/u/etc/alias", VIEW_FOLLOW, 1, "etc/passwd"},
        {"home/u/etc/alias", VIEW_NOFOLLOW_LAST, 1, "etc/alias"},
        {"dangle", VIEW_FOLLOW, 0, "usr/new"},
        {"dangle/a/b", VIEW_FOLLOW, 0, "usr/new/a/b"},
        {"nowhere", VIEW_FOLLOW, 0, "no/such"},
        {"bin/new/dir", VIEW_FOLLOW, 0, "usr/bin/new/dir"},
        {"no/../etc", VIEW_FOLLOW, 1, "etc"},
        {"loop", VIEW_FOLLOW, -1, "loop: more than 40 symbolic links"},
        {"loop", VIEW_NOFOLLOW_LAST, 1, "loop"},
        {"p/x", VIEW_FOLLOW, -1, "p/x: more than 40 symbolic links"},
        {"etc/passwd/x", VIEW_FOLLOW, -1, "/etc/passwd is a file, not a directory"},
        {"file/x", VIEW_FOLLOW, -1, "/etc/passwd is a file, not a directory"},
    };
    SCOPED(stage_close) struct stage s;

    stage_open(&s, layers);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        SCOPED(buf_release) struct buf out = {0};
        struct err err = {0};
        struct view_entry at;
        int got = view_resolve(&s.view, rows[i].path, rows[i].how, &out, &at, &err);

        OKF(got == rows[i].result, "%s: %d (%s)", rows[i].path, got, err.text);
        EQ_STR(got < 0 ? err.text : buf_cstr(&out), rows[i].want);
    }
}

static void listing(void)
{
    static const char *const layers[LAYERS] = {"da fa/z fa/m da/s", "da fa/b wa/m", "fa/s/deep"};
    SCOPED(stage_close) struct stage s;
    SCOPED(view_list_release) struct view_list list = {0};
    SCOPED(buf_release) struct buf got = {0};

    stage_open(&s, layers);
    view_list_dir(&s.view, "/a/", &list);
    for (size_t i = 0; i < list.count; i++)
        buf_addf(&got, "%s:%zu ", list.items[i].name, list.items[i].at.layer);
    EQ_STR(buf_cstr(&got), "b:1 s:0 z:0 ");
    list.count = 0;
    view_list_dir(&s.view, "a/z", &list);
    view_list_dir(&s.view, "none", &list);
    EQ_INT(list.count, 0);
}

static int stop_at_s(void *ctx, const struct view_entry *at, bool *skip, struct err *err)
{
    *skip = strcmp(at->entry.path, "a/s") == 0;
    if (strcmp(at->entry.path, "b") == 0)
        return err_set(err, ERR_INPUT, 0, "enough");
    return show(ctx, at, skip, err) < 0 ? -1 : 0;
}

static void walking(void)
{
    static const char *const layers[LAYERS] = {"da da/s fa/s/1 fa/t fb fc"};
    SCOPED(stage_close) struct stage s;
    SCOPED(buf_release) struct buf got = {0};
    struct err err = {0};

    stage_open(&s, layers);
    OK(view_walk(&s.view, ".", stop_at_s, &got, &err) == -1);
    EQ_STR(buf_cstr(&got), "d0 a,d0 a/s,f0 a/t");
    EQ_STR(err.text, "enough");
    OK(view_walk(&s.view, "none", stop_at_s, &got, &err) == 0);
}

static int open_tmp(void *ctx, const struct view_entry *at, struct err *err)
{
    int fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

    (void)ctx;
    if (strcmp(at->entry.path, "etc/broken") == 0) {
        close(fd);
        return err_set(err, ERR_SYSTEM, EIO, "no tree");
    }
    OK(write(fd, "0123456789", 10) == 10 && lseek(fd, 0, SEEK_SET) == 0);
    return fd;
}

static void reading(void)
{
    static const char *const layers[LAYERS] = {
        "detc fetc/hosts fetc/broken lhosts=etc/hosts lpasswd=/etc/passwd"};
    static const struct entry passwd = {.path = "etc/passwd", .type = ENTRY_FILE, .size = 4};
    struct index_builder *b = index_builder_new();
    SCOPED(stage_close) struct stage s;
    SCOPED(buf_release) struct buf bytes = {0}, out = {0};
    struct err err = {0};

    stage_open(&s, layers);
    index_builder_add(b, &passwd, &err);
    index_builder_content(b, STR("root"));
    index_builder_end(b, sink_of_buf(&bytes), &err);
    index_builder_free(b);
    s.layers[1] = index_from_bytes(bytes.ptr, bytes.size, &err);
    view_push(&s.view, s.layers[1]);
    OK(view_read(&s.view, "/hosts", 100, open_tmp, NULL, &out, &err) == 1 &&
       str_is(buf_str(&out), "0123456789"));
    buf_clear(&out);
    OK(view_read(&s.view, "/passwd", 100, open_tmp, NULL, &out, &err) == 1 &&
       str_is(buf_str(&out), "root"));
    OK(view_read(&s.view, "/none", 100, open_tmp, NULL, &out, &err) == 0);
    OK(view_read(&s.view, "/etc", 100, open_tmp, NULL, &out, &err) == -1);
    EQ_STR(err.text, "/etc is a directory, not a file");
    OK(view_read(&s.view, "/etc/passwd", 3, open_tmp, NULL, &out, &err) == -1);
    EQ_STR(err.text, "/etc/passwd is larger than 3 bytes");
    OK(view_read(&s.view, "/etc/hosts", 5, open_tmp, NULL, &out, &err) ==
       -1); /* the index says 0, the file has 10 */
    EQ_STR(err.text, "/etc/hosts: larger than the limit of 5 bytes");
    OK(view_read(&s.view, "/etc/broken", 5, open_tmp, NULL, &out, &err) == -1);
    EQ_STR(err.text, "no tree");
}

TAP_MAIN({"stacks", stacks}, {"absent", absent}, {"implied metadata", implied_metadata},
         {"links", links}, {"listing", listing}, {"walking", walking}, {"reading", reading})
