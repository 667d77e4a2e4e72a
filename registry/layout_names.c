/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/scope.h"
#include "base/strv.h"
#include "registry/layout_lock.h"

/* index.json as a document; every entry is looked at as JSON first, so that one strange entry of
 * another tool does not hide the rest. */

static json_t *read_index(const struct layout *l, struct err *err)
{
    SCOPED(buf_release) struct buf text = {0};
    json_auto_t *doc = NULL;

    if (fs_read_file(l->dir_fd, "index.json", &text, LAYOUT_INDEX_MAX, err) < 0) {
        err_wrap(err, "store %s", l->root);
        return NULL;
    }
    doc = json_parse(buf_str(&text), err);
    if (!doc) {
        err_wrap(err, "%s/index.json", l->root);
        return NULL;
    }
    if (!json_is_object(doc) || !json_is_array(json_object_get(doc, "manifests"))) {
        err_set(err, ERR_INPUT, 0, "%s/index.json: not an image index", l->root);
        return NULL;
    }
    return steal_ptr(&doc);
}

static int write_temporary(const struct layout *l, const struct buf *text, struct err *err)
{
    AUTO_FD int fd = openat(l->tmp_fd, "index.json",
                            O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);

    if (fd < 0)
        return err_errno(err, "create tmp/index.json");
    if (fs_write(fd, text->ptr, text->size, err) < 0)
        return -1;
    return fsync(fd) < 0 ? err_errno(err, "fsync") : 0;
}

/* Under the index lock. Blobs' names reach the disk before a name that needs them. */
static int write_index(const struct layout *l, const json_t *doc, struct err *err)
{
    SCOPED(buf_release) struct buf text = {0};

    json_print(doc, &text);
    if (layout_sync(l, err) < 0)
        return -1;
    if (write_temporary(l, &text, err) < 0) {
        unlinkat(l->tmp_fd, "index.json", 0);
        return err_wrap(err, "write %s/index.json", l->root);
    }
    if (renameat(l->tmp_fd, "index.json", l->dir_fd, "index.json") < 0)
        return err_errno(err, "replace %s/index.json", l->root);
    if (fsync(l->dir_fd) < 0)
        return err_errno(err, "sync %s", l->root);
    return 0;
}

static const char *raw_name(const json_t *entry)
{
    return json_str(json_object_get(entry, "annotations"), LAYOUT_REF_NAME);
}

/* The entry's full name, or NULL. Other tools write short names ("web:1"): they mean the same. For
 * free(). */
static char *name_of(const json_t *entry)
{
    SCOPED(reference_release) struct reference ref = {0};
    const char *raw = raw_name(entry);
    struct err ignored = {0};

    if (!raw || !*raw)
        return NULL;
    return reference_parse(raw, &ref, &ignored) < 0 ? xstrdup(raw) : reference_name(&ref);
}

/* A name is kept by its digest where it has one: a tag beside it is for display only. */
static char *key_of(const struct reference *ref)
{
    struct reference key = *ref;

    if (ref->digest)
        key.tag = NULL;
    return reference_name(&key);
}

static bool has_name(const json_t *entry, const char *key)
{
    const char *raw = raw_name(entry);
    AUTO_FREE char *name = NULL;

    if (!raw)
        return false;
    if (strcmp(raw, key) == 0)
        return true;
    name = name_of(entry);
    return strcmp(name, key) == 0;
}

static bool has_digest(const json_t *entry, const char *digest)
{
    const char *d = json_str(entry, "digest");

    return d && strcmp(d, digest) == 0;
}

static ptrdiff_t find_name(const json_t *list, const char *key)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (has_name(json_array_get(list, i), key))
            return (ptrdiff_t)i;
    return -1;
}

static ptrdiff_t find_digest(const json_t *list, const char *digest)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (has_digest(json_array_get(list, i), digest))
            return (ptrdiff_t)i;
    return -1;
}

int layout_resolve(const struct layout *l, const struct reference *ref, struct descriptor *out,
                   struct err *err)
{
    json_auto_t *doc = read_index(l, err);
    const json_t *list = json_object_get(doc, "manifests");
    AUTO_FREE char *key = NULL;
    ptrdiff_t at;

    if (!doc)
        return -1;
    key = key_of(ref);
    at = ref->digest ? find_digest(list, ref->digest) : find_name(list, key);
    if (at < 0)
        return 0;
    if (descriptor_from_json(json_array_get(list, (size_t)at), out, err) < 0)
        return err_wrap(err, "%s/index.json: %s", l->root, key);
    return 1;
}

static void remove_unnamed(json_t *list, const char *digest)
{
    for (size_t i = json_array_size(list); i-- > 0;)
        if (!raw_name(json_array_get(list, i)) && has_digest(json_array_get(list, i), digest))
            json_array_remove(list, i);
}

static void set_entry(json_t *list, const struct reference *ref, const struct descriptor *d)
{
    SCOPED(descriptor_release) struct descriptor named = {0};
    AUTO_FREE char *key = ref ? key_of(ref) : NULL;
    ptrdiff_t at = ref ? find_name(list, key) : find_digest(list, d->digest);

    if (!ref && at >= 0)
        return;
    descriptor_copy(&named, d);
    descriptor_annotate(&named, LAYOUT_REF_NAME, key);
    if (at >= 0)
        json_array_set_new(list, (size_t)at, descriptor_to_json(&named));
    else
        json_array_append_new(list, descriptor_to_json(&named));
    if (ref)
        remove_unnamed(list, d->digest);
}

int layout_tag_all(const struct layout *l, const struct reference *refs, size_t count,
                   const struct descriptor *d, struct err *err)
{
    json_auto_t *doc = NULL, *before = NULL;
    AUTO_FD int lock = -1;

    if (!layout_has(l, d->digest))
        return err_set(err, ERR_INPUT, ENOENT, "manifest %s is not in the store %s", d->digest,
                       l->root);
    lock = lock_open(l, LOCK_BYTE_INDEX, true, err);
    if (lock < 0)
        return -1;
    doc = read_index(l, err);
    if (!doc)
        return -1;
    before = json_deep_copy(doc);
    for (size_t i = 0; i < count; i++)
        set_entry(json_object_get(doc, "manifests"), &refs[i], d);
    if (count == 0)
        set_entry(json_object_get(doc, "manifests"), NULL, d);
    return json_equal(before, doc) ? 0 : write_index(l, doc, err);
}

int layout_tag(const struct layout *l, const struct reference *ref, const struct descriptor *d,
               struct err *err)
{
    return layout_tag_all(l, ref, ref ? 1 : 0, d, err);
}

static int untag(const struct layout *l, const char *key, const char *digest, struct err *err)
{
    json_auto_t *doc = NULL;
    AUTO_FD int lock = lock_open(l, LOCK_BYTE_INDEX, true, err);
    json_t *list;
    int removed = 0;

    if (lock < 0)
        return -1;
    doc = read_index(l, err);
    if (!doc)
        return -1;
    list = json_object_get(doc, "manifests");
    for (size_t i = json_array_size(list); i-- > 0;)
        if (key ? has_name(json_array_get(list, i), key)
                : has_digest(json_array_get(list, i), digest)) {
            json_array_remove(list, i);
            removed = 1;
        }
    if (removed && write_index(l, doc, err) < 0)
        return -1;
    return removed;
}

int layout_untag(const struct layout *l, const struct reference *ref, struct err *err)
{
    AUTO_FREE char *key = key_of(ref);

    return untag(l, key, NULL, err);
}

int layout_forget(const struct layout *l, const char *digest, struct err *err)
{
    return untag(l, NULL, digest, err);
}

int layout_forget_unnamed(const struct layout *l, struct err *err)
{
    json_auto_t *doc = NULL;
    AUTO_FD int lock = lock_open(l, LOCK_BYTE_INDEX, true, err);
    json_t *list;

    if (lock < 0)
        return -1;
    doc = read_index(l, err);
    if (!doc)
        return -1;
    list = json_object_get(doc, "manifests");
    for (size_t i = json_array_size(list); i-- > 0;)
        if (!raw_name(json_array_get(list, i)))
            json_array_remove(list, i);
    return write_index(l, doc, err);
}

int layout_each_tag(const struct layout *l, layout_tag_fn *fn, void *arg, struct err *err)
{
    json_auto_t *doc = read_index(l, err);
    const json_t *list = json_object_get(doc, "manifests");

    if (!doc)
        return -1;
    for (size_t i = 0; i < json_array_size(list); i++) {
        SCOPED(descriptor_release) struct descriptor d = {0};
        AUTO_FREE char *name = name_of(json_array_get(list, i));
        struct err strange = {0};
        int result;

        if (descriptor_from_json(json_array_get(list, i), &d, &strange) < 0) {
            log_warn("%s/index.json: entry %zu is passed over: %s", l->root, i, strange.text);
            continue;
        }
        result = fn(arg, name, &d, err);
        if (result)
            return result;
    }
    return 0;
}
