/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a layer, unpacked beside a canary: nothing outside the tree changes, and a layer
 * that unpacks is one whose index can be made and names what is there.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/scope.h"
#include "base/strv.h"
#include "builder/diff.h"
#include "builder/index.h"
#include "builder/tar.h"
#include "builder/unpack.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

#define FILE_MAX (1 << 20) /* sparse files may say any size; the disk is not what is tested */

static void must(bool held)
{
    if (!held)
        abort();
}

static int unpack(struct str left, int tree_fd, struct index_builder *b, struct err *err)
{
    struct tar_reader *r = tar_reader_open(source_of_str(&left));
    struct unpack *u = unpack_open(tree_fd);
    struct entry e;
    int got;

    while ((got = tar_next(r, &e, err)) > 0) {
        if (e.size > FILE_MAX || e.type == ENTRY_CHAR) /* layer_read.c refuses 0:0 itself */
            got = err_set(err, ERR_INPUT, 0, "not for this test");
        else if ((got = index_builder_add(b, &e, err)) == 0)
            got = unpack_entry(u, &e, r, STR(""), err);
        if (got < 0)
            break;
    }
    if (got == 0)
        got = unpack_end(u, err);
    unpack_close(u);
    tar_reader_close(r);
    return got;
}

static int named(void *ctx, const struct entry *e, int dir_fd, const char *name, struct err *err)
{
    struct index *x = ctx;
    struct entry want;
    size_t i = index_find(x, e->path);

    (void)dir_fd;
    (void)name;
    (void)err;
    must(i != INDEX_NONE);
    index_get(x, i, &want);
    must(e->type == ENTRY_HARDLINK || e->type == want.type || e->type == ENTRY_WHITEOUT);
    must(e->type != ENTRY_FILE || e->size == want.size);
    must(e->opaque == want.opaque);
    return 0;
}

static void judge(struct index_builder *b, int tree_fd)
{
    SCOPED(buf_release) struct buf out = {0};
    struct err err = {0};
    struct index *x;

    must(index_builder_end(b, sink_of_buf(&out), &err) == 0);
    x = index_from_bytes(out.ptr, out.size, &err);
    must(x != NULL);
    /* Whoever is not root cannot look into directories of mode 0; real unpacking is root of its
     * namespace. */
    must(diff_upper(tree_fd, false, named, x, &err) == 0 || (geteuid() != 0 && err.code == EACCES));
    index_close(x);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    char path[64];
    SCOPED(strv_release) struct strv names = {0};
    SCOPED(buf_release) struct buf canary = {0};
    struct index_builder *b = index_builder_new();
    struct err err = {0}, ignored = {0};
    AUTO_FD int dir = -1, tree = -1;

    snprintf(path, sizeof(path), "%s/slipway-fuzz-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    must(mkdtemp(path) != NULL);
    dir = fs_open_dir(AT_FDCWD, path, &err);
    must(dir >= 0 && mkdirat(dir, "tree", 0700) == 0);
    must(fs_replace(dir, "canary", "alive", 5, 0600, false, &err) == 0);
    tree = fs_open_dir(dir, "tree", &err);
    if (unpack((struct str){(const char *)bytes, size}, tree, b, &err) == 0)
        judge(b, tree);
    else
        must(err.text[0]);
    must(fs_list(dir, &names, &err) == 0 && names.count == 2);
    must(fs_read_file(dir, "canary", &canary, 100, &err) == 0 && str_is(buf_str(&canary), "alive"));
    index_builder_free(b);
    must(fs_remove_tree(AT_FDCWD, path, &ignored) == 0);
    return 0;
}
