/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/layout_prune.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/scope.h"
#include "base/strv.h"
#include "registry/config.h"
#include "tests/tap.h"

struct store {
    char dir[64];
    struct layout l;
    struct descriptor named, unnamed; /* two images of one layer each */
    char diff_named[DIGEST_SIZE], diff_unnamed[DIGEST_SIZE];
};

static void check(int result, const struct err *err)
{
    if (result < 0) {
        OKF(false, "%s", err->text);
        abort();
    }
}

static void put_tree(const struct layout *l, const char *diff_id)
{
    AUTO_FREE char *dir = xasprintf("%s/sub", digest_hex(diff_id)),
                   *file = xasprintf("%s/file", dir);
    AUTO_FREE char *index = xasprintf("index/%s", digest_hex(diff_id));
    struct err err = {0};

    check(fs_mkdirs(l->trees_fd, dir, 0755, &err), &err);
    check(fs_replace(l->trees_fd, file, "x", 1, 0644, false, &err), &err);
    check(fs_replace(l->cache_fd, index, "x", 1, 0644, false, &err), &err);
}

static void put_image(const struct layout *l, const char *mark, struct descriptor *d, char *diff_id)
{
    struct platform p = {.os = "linux", .arch = "amd64"};
    json_auto_t *doc = config_new(&p);
    SCOPED(buf_release) struct buf text = {0};
    SCOPED(descriptor_release) struct descriptor config = {0}, layer = {0};
    char digest[DIGEST_SIZE];
    struct err err = {0};

    digest_of(mark, strlen(mark) + 1, diff_id);
    check(layout_put(l, mark, strlen(mark), digest, &err), &err);
    descriptor_set(&layer, MEDIA_OCI_LAYER, digest, strlen(mark));
    config_add_layer(doc, diff_id);
    config_print(doc, &text);
    check(layout_put(l, text.ptr, text.size, digest, &err), &err);
    descriptor_set(&config, MEDIA_OCI_CONFIG, digest, text.size);
    buf_clear(&text);
    manifest_print_image(&config, &layer, 1, NULL, &text);
    check(layout_put(l, text.ptr, text.size, digest, &err), &err);
    descriptor_set(d, MEDIA_OCI_MANIFEST, digest, text.size);
    put_tree(l, diff_id);
}

static void put_record(const struct layout *l, const char *name, const char *diff_id)
{
    AUTO_FREE char *path = xasprintf("steps/%s", name),
                   *text = xasprintf("{\"diffId\":\"%s\"}", diff_id);
    struct err err = {0};

    check(fs_mkdirs(l->cache_fd, "steps", 0755, &err), &err);
    check(fs_replace(l->cache_fd, path, text, strlen(text), 0644, false, &err), &err);
}

static void store_make(struct store *s)
{
    const char *tmp = getenv("TMPDIR");
    SCOPED(reference_release) struct reference ref = {0};
    char digest[DIGEST_SIZE];
    struct err err = {0};

    *s = (struct store){.l = LAYOUT_CLOSED};
    snprintf(s->dir, sizeof(s->dir), "%.40s/prune-XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(s->dir))
        abort();
    check(layout_open(&s->l, s->dir, &err), &err);
    put_image(&s->l, "one", &s->named, s->diff_named);
    put_image(&s->l, "two", &s->unnamed, s->diff_unnamed);
    check(reference_parse("web", &ref, &err), &err);
    check(layout_tag(&s->l, &ref, &s->named, &err), &err);
    check(layout_tag(&s->l, NULL, &s->unnamed, &err), &err);
    check(layout_put(&s->l, "stray", 5, digest, &err), &err);
    put_record(&s->l, "live", s->diff_named);
    put_record(&s->l, "dead", s->diff_unnamed);
    check(fs_mkdirs(s->l.cache_fd, "mounts/npm", 0755, &err), &err);
}

static void store_remove(struct store *s)
{
    struct err ignored = {0};

    layout_close(&s->l);
    descriptor_release(&s->named);
    descriptor_release(&s->unnamed);
    fs_remove_tree(AT_FDCWD, s->dir, &ignored);
}

static size_t count(const struct store *s, const char *dir)
{
    SCOPED(strv_release) struct strv names = {0};
    struct err err = {0};
    AUTO_FD int fd = fs_open_dir(s->l.dir_fd, dir, &err);

    check(fd < 0 ? -1 : fs_list(fd, &names, &err), &err);
    return names.count;
}

static bool there(const struct store *s, const char *path)
{
    return faccessat(s->l.dir_fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void plain(void)
{
    SCOPED(store_remove) struct store s;
    struct prune_options options = {.dry_run = true};
    struct prune_result would, did, again;
    struct layout_usage before, after;
    SCOPED(image_release) struct image image = {0};
    struct err err = {0};

    store_make(&s);
    check(layout_usage(&s.l, &before, &err), &err);
    check(layout_prune(&s.l, &options, &would, &err), &err);
    EQ_INT(count(&s, "blobs/sha256"), 7);
    options.dry_run = false;
    check(layout_prune(&s.l, &options, &did, &err), &err);
    EQ_INT(did.removed, 7); /* 4 blobs, 1 tree, 1 index, 1 record */
    EQ_INT(would.removed, did.removed);
    EQ_INT(would.removed_bytes, did.removed_bytes);
    EQ_INT(count(&s, "blobs/sha256"), 3);
    EQ_INT(count(&s, "trees"), 1);
    EQ_INT(count(&s, "cache/index"), 1);
    EQ_INT(count(&s, "tmp"), 0);
    OK(there(&s, "cache/steps/live") && !there(&s, "cache/steps/dead") &&
       there(&s, "cache/mounts/npm"));
    check(layout_load_image(&s.l, &s.named, NULL, &image, &err), &err);
    OK(layout_has(&s.l, image.manifest.layers[0].digest));
    check(layout_usage(&s.l, &after, &err), &err);
    EQ_INT(before.names + before.unnamed, 2);
    EQ_INT(after.names, 1);
    EQ_INT(after.unnamed, 0);
    EQ_INT(before.bytes - after.bytes, did.removed_bytes);
    EQ_INT(before.blobs.dead_bytes + before.trees.dead_bytes + before.caches.dead_bytes,
           did.removed_bytes);
    EQ_INT(after.blobs.dead_bytes + after.trees.dead_bytes + after.caches.dead_bytes, 0);
    check(layout_prune(&s.l, &options, &again, &err), &err);
    EQ_INT(again.removed, 0);
}

static void everything(void)
{
    SCOPED(store_remove) struct store s;
    struct prune_options options = {.all = true};
    struct prune_result result;
    struct err err = {0};

    store_make(&s);
    check(layout_prune(&s.l, &options, &result, &err), &err);
    OK(!there(&s, "cache/steps/live") && !there(&s, "cache/mounts/npm"));
    EQ_INT(count(&s, "blobs/sha256"), 3);
}

/* A budget: nothing while it holds; then the dead by last use; then what can be made again; never a
 * named blob. */
static void budget(void)
{
    SCOPED(store_remove) struct store s;
    struct prune_options options = {.has_budget = true, .keep_bytes = UINT64_MAX};
    struct prune_result result;
    struct layout_usage usage;
    struct timespec old[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
    AUTO_FREE char *dead_index = NULL;
    struct err err = {0};

    store_make(&s);
    dead_index = xasprintf("cache/index/%s", digest_hex(s.diff_unnamed));
    OK(utimensat(s.l.dir_fd, dead_index, old, 0) == 0); /* the tree's last use, too */
    check(layout_prune(&s.l, &options, &result, &err), &err);
    EQ_INT(result.removed, 0);
    check(layout_usage(&s.l, &usage, &err), &err);
    EQ_INT(usage.unnamed, 1);
    options.keep_bytes = usage.bytes - 1;
    check(layout_prune(&s.l, &options, &result, &err), &err);
    EQ_INT(result.removed, 1);
    OK(!there(&s, dead_index)); /* the oldest */
    EQ_INT(count(&s, "trees"), 2);
    check(layout_usage(&s.l, &usage, &err), &err);
    EQ_INT(usage.bytes, result.left_bytes);
    options.keep_bytes = 0;
    check(layout_prune(&s.l, &options, &result, &err), &err);
    EQ_INT(count(&s, "trees"), 0);
    EQ_INT(count(&s, "blobs/sha256"), 3);
    check(layout_usage(&s.l, &usage, &err), &err);
    EQ_INT(usage.bytes, result.left_bytes);
}

static void in_use(void)
{
    SCOPED(store_remove) struct store s;
    SCOPED(layout_close) struct layout other = LAYOUT_CLOSED;
    AUTO_FREE char *want = NULL;
    struct prune_options options = {.wait_ms = 100};
    struct prune_result result;
    struct err err = {0};

    store_make(&s);
    check(layout_open(&other, s.dir, &err), &err);
    want = xasprintf("the store %s is in use by another slipway process; prune when it has ended",
                     s.dir);
    OK(layout_prune(&s.l, &options, &result, &err) < 0);
    EQ_STR(err.text, want);
    EQ_INT(err.code, EBUSY);
    EQ_INT(count(&s, "blobs/sha256"), 7);
    layout_close(&other);
    check(layout_prune(&s.l, &options, &result, &err), &err);
    check(layout_open(&other, s.dir, &err), &err); /* the lock is shared again */
}

static void damaged_manifest(void)
{
    SCOPED(store_remove) struct store s;
    struct prune_options options = {0};
    struct prune_result result;
    struct err err = {0};

    store_make(&s);
    check(fs_replace(s.l.blobs_fd, digest_hex(s.named.digest), "not JSON", 8, 0644, false, &err),
          &err);
    check(layout_prune(&s.l, &options, &result, &err), &err);
    OK(layout_has(&s.l, s.named.digest));
    check(fs_replace(s.l.dir_fd, "index.json", "{", 1, 0644, false, &err), &err);
    OK(layout_prune(&s.l, &options, &result, &err) < 0); /* no index, no sweep */
    OK(layout_has(&s.l, s.named.digest));
}

TAP_MAIN({"what no name reaches goes", plain}, {"caches go when asked for", everything},
         {"a budget", budget}, {"a store in use", in_use},
         {"a damaged manifest or index", damaged_manifest})
