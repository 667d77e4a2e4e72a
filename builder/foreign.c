/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/foreign.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/scope.h"
#include "builder/named.h"
#include "registry/layout.h"
#include "registry/manifest.h"

#define STEP (256 << 10)

struct foreign {
    const struct layout *layout;
    int dir_fd;
    const struct platform *platform;
};

static int open_blob(const struct foreign *f, const struct descriptor *d, struct err *err)
{
    AUTO_FREE char *path = xasprintf("blobs/sha256/%s", digest_hex(d->digest));

    return fs_open_beneath(f->dir_fd, path, O_RDONLY, 0, FS_BENEATH, err);
}

static int check(const struct descriptor *d, uint64_t size, const char *digest, struct err *err)
{
    if (size == d->size && strcmp(digest, d->digest) == 0)
        return 0;
    return err_set(err, ERR_INPUT, 0, "its content is not what its digest says");
}

static int copy_bytes(const struct descriptor *d, int from, int to, struct err *err)
{
    AUTO_FREE char *bytes = xmalloc(STEP);
    char digest[DIGEST_SIZE];
    struct sha256 h;
    uint64_t size = 0;

    sha256_begin(&h);
    for (;;) {
        ssize_t n = read(from, bytes, STEP);

        if (n < 0)
            return err_errno(err, "read");
        if (n == 0)
            break;
        size += (uint64_t)n;
        if (size > d->size)
            return check(d, size, "", err);
        sha256_add(&h, bytes, (size_t)n);
        if (fs_write(to, bytes, (size_t)n, err) < 0)
            return -1;
    }
    sha256_end_digest(&h, digest);
    return check(d, size, digest, err);
}

static int copy_blob(const struct foreign *f, const struct descriptor *d, struct err *err)
{
    if (layout_has(f->layout, d->digest))
        return 0;
    AUTO_FD int from = open_blob(f, d, err);
    AUTO_FD int to = from < 0 ? -1 : layout_tmpfile(f->layout, err);
    if (to < 0 || copy_bytes(d, from, to, err) < 0)
        return err_wrap(err, "blob %s", d->digest);
    return layout_commit(f->layout, to, d->digest, err);
}

int foreign_copy_blob(const struct layout *layout, int dir_fd, const struct descriptor *blob,
                      struct err *err)
{
    return copy_blob(&(struct foreign){.layout = layout, .dir_fd = dir_fd}, blob, err);
}

static int copy_image(const struct foreign *f, const struct descriptor *d, int depth,
                      struct err *err)
{
    SCOPED(manifest_release) struct manifest m = {0};
    const struct descriptor *inner;

    if (depth > MANIFEST_DEPTH_MAX)
        return err_set(err, ERR_INPUT, 0, "indexes nested deeper than %d", MANIFEST_DEPTH_MAX);
    if (copy_blob(f, d, err) < 0 || layout_load_manifest(f->layout, d, &m, err) < 0)
        return -1;
    if (m.is_index) {
        inner = manifest_select(&m, f->platform, err);
        return inner ? copy_image(f, inner, depth + 1, err) : -1;
    }
    if (copy_blob(f, &m.config, err) < 0)
        return -1;
    for (size_t i = 0; i < m.layers_count; i++)
        if (copy_blob(f, &m.layers[i], err) < 0)
            return -1;
    return 0;
}

static bool is_called(const struct descriptor *d, const char *tag)
{
    const char *name = descriptor_annotation(d, LAYOUT_REF_NAME);
    const char *colon = name ? strrchr(name, ':') : NULL;

    /* A whole name is as good as its tag. */
    return name && (strcmp(name, tag) == 0 ||
                    (colon && !strchr(colon, '/') && strcmp(colon + 1, tag) == 0));
}

static const struct descriptor *find(const struct manifest *index, const struct named_layout *want)
{
    for (size_t i = 0; i < index->manifests_count; i++) {
        const struct descriptor *d = &index->manifests[i];

        if (want->digest ? strcmp(d->digest, want->digest) == 0
                         : is_called(d, want->tag ? want->tag : "latest"))
            return d;
    }
    return index->manifests_count == 1 && !want->digest && !want->tag ? &index->manifests[0] : NULL;
}

/* A digest may also be that of an image in an index: then it is a blob like any other. */
static int by_digest(const struct foreign *f, const char *digest, struct descriptor *out,
                     struct err *err)
{
    SCOPED(descriptor_release) struct descriptor d = {0};
    SCOPED(buf_release) struct buf bytes = {0};
    SCOPED(manifest_release) struct manifest m = {0};

    descriptor_set(&d, "", digest, 0);
    AUTO_FD int fd = open_blob(f, &d, err);
    if (fd < 0 || fs_read(fd, &bytes, MANIFEST_MAX, err) < 0 ||
        manifest_parse(buf_str(&bytes), NULL, &m, err) < 0)
        return err_wrap(err, "image %s", digest);
    descriptor_set(out, m.media_type ? m.media_type : MEDIA_OCI_MANIFEST, digest, bytes.size);
    return 0;
}

static int find_in(const struct foreign *f, const struct named_layout *want, struct descriptor *out,
                   struct err *err)
{
    SCOPED(buf_release) struct buf bytes = {0};
    SCOPED(manifest_release) struct manifest index = {0};
    const struct descriptor *found;

    if (fs_read_file(f->dir_fd, "index.json", &bytes, LAYOUT_INDEX_MAX, err) < 0)
        return -1;
    if (manifest_parse(buf_str(&bytes), MEDIA_OCI_INDEX, &index, err) < 0)
        return err_wrap(err, "index.json");
    found = find(&index, want);
    if (found)
        descriptor_copy(out, found);
    else if (!want->digest)
        return err_set(err, ERR_INPUT, 0, "no image in it is called \"%s\"",
                       want->tag ? want->tag : "latest");
    else if (by_digest(f, want->digest, out, err) < 0)
        return -1;
    return 0;
}

int foreign_find(int dir_fd, const char *tag, const char *digest, struct descriptor *out,
                 struct err *err)
{
    AUTO_FREE char *tag_copy = tag ? xstrdup(tag) : NULL;
    AUTO_FREE char *digest_copy = digest ? xstrdup(digest) : NULL;

    return find_in(&(struct foreign){.dir_fd = dir_fd},
                   &(struct named_layout){.tag = tag_copy, .digest = digest_copy}, out, err);
}

static int load(const struct foreign *f, const struct named_layout *want, struct descriptor *out,
                struct err *err)
{
    return find_in(f, want, out, err) < 0 ? -1 : copy_image(f, out, 0, err);
}

int foreign_load(struct layout *layout, const char *text, const struct platform *platform,
                 struct descriptor *out, struct err *err)
{
    SCOPED(named_layout_release) struct named_layout want = {0};
    struct foreign f = {.layout = layout, .dir_fd = -1, .platform = platform};
    int rc;

    if (named_split_layout(text, &want, err) < 0)
        return -1;
    AUTO_FD int dir_fd = fs_open_dir(AT_FDCWD, want.dir, err);
    f.dir_fd = dir_fd;
    rc = dir_fd < 0 ? -1 : load(&f, &want, out, err);
    if (rc < 0)
        descriptor_release(out);
    return rc < 0 ? err_wrap(err, "OCI layout %s", want.dir) : 0;
}
