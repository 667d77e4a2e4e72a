/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/layer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/pool.h"
#include "base/scope.h"
#include "builder/tar.h"
#include "builder/view.h"
#include "registry/layout.h"
#include "tests/tap.h"

struct place {
    char path[64];
    struct layout layout;
    struct pool *pool;
};

static void place_open(struct place *p)
{
    struct err err = {0};

    *p = (struct place){.layout = LAYOUT_CLOSED};
    snprintf(p->path, sizeof(p->path), "%s/slipway-layer-XXXXXX",
             getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
    OK(mkdtemp(p->path) != NULL);
    OKF(layout_open(&p->layout, p->path, &err) == 0, "%s", err.text);
    p->pool = pool_open(2);
}

static void place_close(struct place *p)
{
    struct err err = {0};

    pool_close(p->pool);
    layout_close(&p->layout);
    OKF(fs_remove_tree(AT_FDCWD, p->path, &err) == 0, "%s", err.text);
}

/* The plain tar of a layer. */
static void plain(struct place *p, const struct layer *layer, struct buf *out)
{
    struct err err = {0};
    AUTO_FD int fd = layout_open_blob(&p->layout, layer->descriptor.digest, NULL, &err);
    struct inflater *in = inflater_open(source_of_fd(&fd), 0, &err);
    ssize_t n = -1;

    while (in && (n = inflater_read(in, buf_reserve(out, 1 << 16), 1 << 16, &err)) > 0)
        buf_commit(out, (size_t)n);
    OKF(n == 0, "%s", err.text);
    inflater_close(in);
}

/* "path:type:mode:uid:mtime " of every entry of a plain tar. */
static void names(struct str tar, struct buf *out)
{
    struct tar_reader *r = tar_reader_open(source_of_str(&tar));
    struct err err = {0};
    struct entry e;
    int got;

    while ((got = tar_next(r, &e, &err)) > 0)
        buf_addf(out, "%s:%c:%o:%u:%lld ", e.path, "?fdlHcbpw"[e.type], e.mode, e.uid,
                 (long long)e.mtime);
    OKF(got == 0, "%s", err.text);
    tar_reader_close(r);
}

static int write_some(struct place *p, const struct layer_options *options, struct layer *layer,
                      struct err *err)
{
    struct layer_writer *w = layer_writer_open(&p->layout, p->pool, options, err);
    AUTO_FD int fd = fs_tmpfile(p->layout.tmp_fd, 0600, err);
    int result = -1;

    OK(write(fd, "from a file", 11) == 11);
    if (w &&
        layer_add(w, &(struct entry){.path = "a", .type = ENTRY_DIR, .mode = 0700, .mtime = 50},
                  err) == 0 &&
        layer_add_bytes(
            w,
            &(struct entry){
                .path = "a/b", .type = ENTRY_FILE, .mode = 0644, .size = 5, .mtime = 500},
            "bytes", err) == 0 &&
        layer_add_fd(
            w,
            &(struct entry){.path = "a/c", .type = ENTRY_FILE, .mode = 0600, .size = 11, .uid = 7},
            fd, err) == 0 &&
        layer_add_begin(
            w, &(struct entry){.path = "etc/passwd", .type = ENTRY_FILE, .mode = 0644, .size = 8},
            err) == 0 &&
        layer_add_piece(w, "root", 4, err) == 0 && layer_add_piece(w, ":x:0", 4, err) == 0 &&
        layer_add(w, &(struct entry){.path = "gone", .type = ENTRY_WHITEOUT}, err) == 0)
        result = layer_writer_end(w, layer, err);
    layer_writer_close(w);
    return result;
}

static void writing(void)
{
    SCOPED(place_close) struct place p;
    SCOPED(layer_release) struct layer one = {0}, two = {0}, none = {0};
    SCOPED(buf_release) struct buf tar = {0}, got = {0}, bare = {0};
    struct layer_options options = LAYER_OPTIONS_DEFAULT;
    char digest[DIGEST_SIZE];
    struct err err = {0};
    struct index *x = NULL;
    struct str kept;

    place_open(&p);
    OKF(write_some(&p, &options, &one, &err) == 0, "%s", err.text);
    plain(&p, &one, &tar);
    digest_of(tar.ptr, tar.size, digest);
    EQ_STR(one.diff_id, digest);
    EQ_INT(one.size, tar.size);
    EQ_INT(one.entries, 5);
    EQ_STR(one.descriptor.media_type, MEDIA_OCI_LAYER_GZIP);
    names(buf_str(&tar), &got);
    EQ_STR(buf_cstr(&got),
           "a:d:700:0:50 a/b:f:644:0:500 a/c:f:600:7:0 etc/passwd:f:644:0:0 gone:w:0:0:0 ");

    /* Its index is there without reading the blob, and holds the passwd file. */
    OK(unlinkat(p.layout.blobs_fd, digest_hex(one.descriptor.digest), 0) == 0);
    OKF(layer_index(&p.layout, &one.descriptor, one.diff_id, &x, &err) == 0, "%s", err.text);
    OK(index_content(x, index_find(x, "etc/passwd"), &kept) && str_is(kept, "root:x:0"));
    OK(index_find(x, "gone") != INDEX_NONE);
    index_close(x);

    /* The same again: the same bytes. Uncompressed: digest and diff id are one. */
    OKF(write_some(&p, &options, &two, &err) == 0, "%s", err.text);
    EQ_STR(two.descriptor.digest, one.descriptor.digest);
    options.codec = CODEC_NONE;
    OKF(write_some(&p, &options, &none, &err) == 0, "%s", err.text);
    EQ_STR(none.descriptor.digest, one.diff_id);
    EQ_STR(none.descriptor.media_type, MEDIA_OCI_LAYER);
}

static void clamping(void)
{
    SCOPED(place_close) struct place p;
    SCOPED(layer_release) struct layer layer = {0};
    SCOPED(buf_release) struct buf tar = {0}, got = {0};
    struct layer_options options = {.codec = CODEC_ZSTD, .clamp = true, .epoch = 100};
    struct err err = {0};

    place_open(&p);
    OKF(write_some(&p, &options, &layer, &err) == 0, "%s", err.text);
    EQ_STR(layer.descriptor.media_type, MEDIA_OCI_LAYER_ZSTD);
    plain(&p, &layer, &tar);
    names(buf_str(&tar), &got);
    EQ_STR(buf_cstr(&got),
           "a:d:700:0:50 a/b:f:644:0:100 a/c:f:600:7:0 etc/passwd:f:644:0:0 gone:w:0:0:0 ");
}

static const struct index *below(struct view *view)
{
    struct index_builder *b = index_builder_new();
    SCOPED(buf_release) struct buf bytes = {0};
    struct err err = {0};
    struct index *x;

    index_builder_add(
        b, &(struct entry){.path = "tmp", .type = ENTRY_DIR, .mode = 01777, .uid = 3, .mtime = 9},
        &err);
    index_builder_add(b, &(struct entry){.path = "tmp/link", .link = "x", .type = ENTRY_SYMLINK},
                      &err);
    index_builder_end(b, sink_of_buf(&bytes), &err);
    index_builder_free(b);
    x = index_from_bytes(bytes.ptr, bytes.size, &err);
    view_push(view, x);
    return x;
}

static void parents(void)
{
    static const char *const sorted[] = {"srv/x/y", "srv/x/z", "tmp/new/f", "tmp/new/g"};
    static const char *const shuffled[] = {"tmp/new/f", "srv/x/y", "tmp/new/g", "srv/x/z"};

    for (int unsorted = 0; unsorted < 2; unsorted++) {
        SCOPED(place_close) struct place p;
        SCOPED(view_release) struct view view = {0};
        SCOPED(layer_release) struct layer layer = {0};
        SCOPED(buf_release) struct buf tar = {0}, got = {0};
        struct layer_options options = {
            .codec = CODEC_GZIP, .unsorted = unsorted, .below = &view, .clamp = true, .epoch = 5};
        struct err err = {0};
        struct layer_writer *w;
        union {
            const struct index *in;
            struct index *out;
        } x = {.in = below(&view)};

        place_open(&p);
        w = layer_writer_open(&p.layout, p.pool, &options, &err);
        for (size_t i = 0; i < ARRAY_SIZE(sorted); i++)
            OK(layer_add(
                   w,
                   &(struct entry){.path = unsorted ? shuffled[i] : sorted[i], .type = ENTRY_FILE},
                   &err) == 0);
        OKF(layer_writer_end(w, &layer, &err) == 0, "%s", err.text);
        layer_writer_close(w);
        plain(&p, &layer, &tar);
        names(buf_str(&tar), &got);
        EQ_STR(buf_cstr(&got),
               unsorted
                   ? "tmp:d:1777:3:5 tmp/new:d:755:0:5 tmp/new/f:f:0:0:0 srv:d:755:0:5 "
                     "srv/x:d:755:0:5 "
                     "srv/x/y:f:0:0:0 tmp/new/g:f:0:0:0 srv/x/z:f:0:0:0 "
                   : "srv:d:755:0:5 srv/x:d:755:0:5 srv/x/y:f:0:0:0 srv/x/z:f:0:0:0 tmp:d:1777:3:5 "
                     "tmp/new:d:755:0:5 tmp/new/f:f:0:0:0 tmp/new/g:f:0:0:0 ");
        w = layer_writer_open(&p.layout, p.pool, &options, &err);
        OK(layer_add(w, &(struct entry){.path = "tmp/link/f", .type = ENTRY_FILE}, &err) == -1);
        EQ_STR(err.text, "/tmp/link is a symbolic link, not a directory");
        layer_writer_close(w);
        index_close(x.out);
    }
}

static void refusals(void)
{
    SCOPED(place_close) struct place p;
    struct layer_options options = LAYER_OPTIONS_DEFAULT;
    struct err err = {0};
    struct layer_writer *w;
    AUTO_FD int fd = -1;

    place_open(&p);
    w = layer_writer_open(&p.layout, p.pool, &options, &err);
    OK(layer_add(w, &(struct entry){.path = "b", .type = ENTRY_FILE}, &err) == 0);
    OK(layer_add(w, &(struct entry){.path = "a", .type = ENTRY_FILE}, &err) == -1);
    EQ_STR(err.text, "a: out of order in its layer (after b)");
    layer_writer_close(w);

    w = layer_writer_open(&p.layout, p.pool, &options, &err);
    fd = fs_tmpfile(p.layout.tmp_fd, 0600, &err);
    OK(write(fd, "123", 3) == 3);
    OK(layer_add_fd(w, &(struct entry){.path = "f", .type = ENTRY_FILE, .size = 5}, fd, &err) ==
       -1);
    EQ_STR(err.text, "f: changed while it was read (2 bytes are missing)");
    layer_writer_close(w);

    w = layer_writer_open(&p.layout, p.pool, &options, &err);
    OK(layer_add_file(w, &(struct entry){.path = "f", .type = ENTRY_FILE}, p.layout.dir_fd, "tmp",
                      &err) == -1);
    EQ_STR(err.text, "tmp: not a file any more");
    layer_writer_close(w);

    options.level = 40;
    OK(layer_writer_open(&p.layout, p.pool, &options, &err) == NULL);
    EQ_STR(err.text, "gzip has no compression level 40");
}

static void file_is(struct place *p, const char *diff_id, const char *path, const char *want)
{
    SCOPED(buf_release) struct buf bytes = {0};
    struct err err = {0};
    AUTO_FD int fd = layer_open_file(&p->layout, diff_id, path, &err);

    OKF(fd >= 0 && fs_read(fd, &bytes, 100, &err) == 0, "%s", err.text);
    EQ_STR(buf_cstr(&bytes), want);
}

static void trees(void)
{
    SCOPED(place_close) struct place p;
    SCOPED(layer_release) struct layer layer = {0};
    SCOPED(descriptor_release) struct descriptor wrong = {0};
    struct layer_options options = LAYER_OPTIONS_DEFAULT;
    struct err err = {0};
    char path[LAYER_TREE_PATH_MAX], other[DIGEST_SIZE];

    place_open(&p);
    OK(write_some(&p, &options, &layer, &err) == 0);
    OK(!layer_has_tree(&p.layout, layer.diff_id));
    OKF(layer_tree(&p.layout, &layer.descriptor, layer.diff_id, &err) == 0, "%s", err.text);
    OK(layer_has_tree(&p.layout, layer.diff_id));
    OKF(layer_tree(&p.layout, &layer.descriptor, layer.diff_id, &err) == 0, "%s", err.text);
    file_is(&p, layer.diff_id, "a/b", "bytes");
    file_is(&p, layer.diff_id, "a/c", "from a file");
    file_is(&p, layer.diff_id, "etc/passwd", "root:x:0");
    OK(layer_open_file(&p.layout, layer.diff_id, "a", &err) == -1);
    OKF(strstr(err.text, "is not a file in its tree") != NULL, "%s", err.text);

    /* Content that is not what the config says, and a size that is not what the manifest says. */
    digest_of("x", 1, other);
    OK(layer_tree(&p.layout, &layer.descriptor, other, &err) == -1);
    OKF(strstr(err.text, ", but the image's config says sha256:") != NULL, "%s", err.text);
    OK(!layer_has_tree(&p.layout, other));
    descriptor_copy(&wrong, &layer.descriptor);
    wrong.size--;
    OK(layer_tree(&p.layout, &wrong, other, &err) == -1);
    OKF(strstr(err.text, "bytes long, but the manifest says") != NULL, "%s", err.text);
    OK(layer_tree(&p.layout, &layer.descriptor, "sha256:../../x", &err) == -1);
    EQ_STR(err.text, "\"sha256:../../x\" is no diff id");

    /* A tree that came by another way: the second is removed. */
    struct layout_tmp tmp = LAYOUT_TMP_CLOSED;
    OK(layout_tmp_open(&p.layout, &tmp, &err) == 0 && mkdirat(tmp.fd, "upper", 0700) == 0);
    OK(layer_keep_tree(&p.layout, layer.diff_id, tmp.fd, "upper", &err) == 0);
    OK(faccessat(tmp.fd, "upper", F_OK, 0) < 0);
    file_is(&p, layer.diff_id, "a/b", "bytes");
    OK(mkdirat(tmp.fd, "upper", 0700) == 0);
    OK(layer_keep_tree(&p.layout, other, tmp.fd, "upper", &err) == 0);
    layout_tmp_close(&p.layout, &tmp);
    OK(faccessat(p.layout.dir_fd, layer_tree_path(other, path), F_OK, 0) == 0);
}

/* An index that is damaged or gone is made again from the blob. */
static void index_again(void)
{
    SCOPED(place_close) struct place p;
    SCOPED(layer_release) struct layer layer = {0};
    struct layer_options options = LAYER_OPTIONS_DEFAULT;
    struct index *x = NULL;
    struct err err = {0};
    char name[100];
    struct str kept;

    place_open(&p);
    OK(write_some(&p, &options, &layer, &err) == 0);
    snprintf(name, sizeof(name), "index/%s", digest_hex(layer.diff_id));
    for (int damaged = 0; damaged < 2; damaged++) {
        if (damaged)
            OK(fs_replace(p.layout.cache_fd, name, "slipidx\nrubbish that is long enough", 35, 0600,
                          false, &err) == 0);
        else
            OK(unlinkat(p.layout.cache_fd, name, 0) == 0);
        OKF(layer_index(&p.layout, &layer.descriptor, layer.diff_id, &x, &err) == 0, "%s",
            err.text);
        OK(index_find(x, "a/c") != INDEX_NONE);
        OK(index_content(x, index_find(x, "etc/passwd"), &kept) && str_is(kept, "root:x:0"));
        index_close(x);
        OK(index_open(p.layout.cache_fd, name, &x, &err) == 1);
        index_close(x);
    }
}

static void importing(void)
{
    SCOPED(place_close) struct place p;
    SCOPED(layer_release) struct layer made = {0}, kept = {0}, none = {0};
    SCOPED(buf_release) struct buf tar = {0};
    struct layer_options options = LAYER_OPTIONS_DEFAULT;
    struct err err = {0};
    struct str left;

    place_open(&p);
    OK(write_some(&p, &options, &made, &err) == 0);
    plain(&p, &made, &tar);
    buf_add(&tar, "\0\0\0\0", 4); /* trailing bytes are part of the diff id */
    left = buf_str(&tar);
    OKF(layer_from_tar(&p.layout, p.pool, source_of_str(&left), &options, &kept, &err) == 0, "%s",
        err.text);
    OK(kept.size == made.size + 4 && kept.entries == 5 && strcmp(kept.diff_id, made.diff_id) != 0);
    OKF(layer_tree(&p.layout, &kept.descriptor, kept.diff_id, &err) == 0, "%s", err.text);
    file_is(&p, kept.diff_id, "a/b", "bytes");
    left = STR("this is no tar, and long enough to hold a header: it has to have more than five "
               "hundred and twelve "
               "bytes, so it goes on and on "
               ".....................................................................1 "
               "..................................................................................."
               "............2 "
               "..................................................................................."
               "............3 "
               "..................................................................................."
               "............4 "
               "..................................................................................."
               "............5 ");
    OK(layer_from_tar(&p.layout, p.pool, source_of_str(&left), &options, &none, &err) == -1);
    EQ_STR(err.text, "not a tar header (its checksum is wrong), at byte 0");
}

TAP_MAIN({"writing", writing}, {"clamping", clamping}, {"parents", parents}, {"refusals", refusals},
         {"trees", trees}, {"index again", index_again}, {"importing", importing})
