/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/layout_prune.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/scope.h"
#include "base/strv.h"
#include "base/usage.h"
#include "registry/layout_lock.h"

#define POLL_MS 50
#define STEPS "cache/steps" /* builder/cache.h */
#define RECORD_MAX (64 << 10)

/* Things that can go, each a file or a tree of its own. */
enum kind { BLOB, TREE, INDEX, CACHE, KINDS };

static const struct {
    const char *word, *dir;
} kinds[KINDS] = {
    [BLOB] = {"blob", "blobs/sha256"},
    [TREE] = {"tree", "trees"},
    [INDEX] = {"index", "cache/index"},
    [CACHE] = {"cache", NULL},
};

struct item {
    enum kind kind;
    char *path; /* from the root */
    uint64_t bytes;
    time_t used;
    bool live;
};

struct survey {
    const struct layout *l;
    struct strv live; /* hex of every digest that a name reaches; sorted once complete */
    struct item *items;
    size_t count, capacity;
    uint64_t unreadable;
    uint64_t names, unnamed;
};

static void survey_release(struct survey *s)
{
    strv_release(&s->live);
    for (size_t i = 0; i < s->count; i++)
        scope_free(&s->items[i].path);
    scope_free(&s->items);
    *s = (struct survey){0};
}

/* While marking, `live` is in the order found and grows; `known` is a hash set of what it holds. */
struct marks {
    struct survey *s;
    uint64_t
        *known; /* the first 8 bytes of a digest, which a SHA-256 makes unique enough; 0: empty */
    size_t capacity;
};

static bool mark_insert(uint64_t *slots, size_t capacity, uint64_t key)
{
    size_t at = (size_t)key & (capacity - 1);

    for (; slots[at]; at = (at + 1) & (capacity - 1))
        if (slots[at] == key)
            return false;
    slots[at] = key;
    return true;
}

static bool mark_new(struct marks *m, const char *digest)
{
    char first[17];
    uint64_t key;

    memcpy(first, digest_hex(digest), 16);
    first[16] = 0;
    key = strtoull(first, NULL, 16) | 1;
    if (m->s->live.count * 2 >= m->capacity) {
        size_t capacity = m->capacity ? m->capacity * 2 : 1024;
        uint64_t *slots = xcalloc(capacity, sizeof(*slots));

        for (size_t i = 0; i < m->capacity; i++)
            if (m->known[i])
                mark_insert(slots, capacity, m->known[i]);
        free(m->known);
        m->known = slots;
        m->capacity = capacity;
    }
    if (!mark_insert(m->known, m->capacity, key))
        return false;
    strv_add(&m->s->live, digest_hex(digest));
    return true;
}

static int mark(struct marks *m, const char *digest, int depth, struct err *err);

/* Every string in a document that is a digest counts: manifests, configs (diff ids), indexes,
 * subjects, and what is still to be invented. Keeping too much is the safe side. */
static int mark_strings(struct marks *m, json_t *value, int depth, struct err *err)
{
    const char *key;
    json_t *child;
    size_t i;

    if (json_is_string(value) && digest_valid(json_string_value(value)))
        return mark(m, json_string_value(value), depth + 1, err);
    json_object_foreach(value, key, child) if (mark_strings(m, child, depth, err) < 0) return -1;
    json_array_foreach(value, i, child) if (mark_strings(m, child, depth, err) < 0) return -1;
    return 0;
}

/* 1 when the blob is a JSON document of a size that one can be; *doc is new. */
static int read_document(const struct layout *l, const char *digest, json_t **doc, struct err *err)
{
    SCOPED(buf_release) struct buf text = {0};
    struct err ignored = {0};
    uint64_t size;
    char first = 0;

    if (!layout_has(l, digest))
        return 0;
    AUTO_FD int fd = layout_open_blob(l, digest, &size, err);
    if (fd < 0)
        return -1;
    if (size > MANIFEST_CONFIG_MAX || pread(fd, &first, 1, 0) != 1 || first != '{')
        return 0;
    if (fs_read(fd, &text, MANIFEST_CONFIG_MAX, err) < 0)
        return -1;
    *doc = json_parse(buf_str(&text), &ignored);
    return *doc != NULL;
}

static int mark(struct marks *m, const char *digest, int depth, struct err *err)
{
    json_auto_t *doc = NULL;
    int found;

    if (!mark_new(m, digest) || depth > 16)
        return 0;
    found = read_document(m->s->l, digest, &doc, err);
    if (found < 0)
        return -1;
    return found ? mark_strings(m, doc, depth, err) : 0;
}

static int mark_entry(void *arg, const char *name, const struct descriptor *d, struct err *err)
{
    struct marks *m = arg;

    if (!name) {
        m->s->unnamed++;
        return 0;
    }
    m->s->names++;
    return mark(m, d->digest, 0, err);
}

static int mark_all(struct survey *s, struct err *err)
{
    struct marks m = {.s = s};
    int result = layout_each_tag(s->l, mark_entry, &m, err);

    free(m.known);
    strv_sort(&s->live);
    return result;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool is_live(const struct survey *s, const char *hex)
{
    return s->live.count &&
           bsearch(&hex, s->live.ptr, s->live.count, sizeof(*s->live.ptr), compare_names) != NULL;
}

static bool strings_live(const struct survey *s, json_t *value)
{
    const char *key;
    json_t *child;
    size_t i;

    if (json_is_string(value) && digest_valid(json_string_value(value)))
        return is_live(s, digest_hex(json_string_value(value)));
    json_object_foreach(value, key, child) if (!strings_live(s, child)) return false;
    json_array_foreach(value, i, child) if (!strings_live(s, child)) return false;
    return true;
}

/* A step's record is as good as the layer it names; other caches name none. */
static bool cache_is_live(const struct survey *s, const char *path)
{
    SCOPED(buf_release) struct buf text = {0};
    json_auto_t *doc = NULL;
    struct err ignored = {0};

    if (strncmp(path, STEPS "/", strlen(STEPS) + 1) != 0)
        return true;
    AUTO_FD int fd = openat(s->l->dir_fd, path, O_RDONLY | O_CLOEXEC | O_NOATIME);
    if (fd < 0 || fs_read(fd, &text, RECORD_MAX, &ignored) < 0)
        return true;
    doc = json_parse(buf_str(&text), &ignored);
    return doc && strings_live(s, doc);
}

static time_t later(const struct stat *st)
{
    return st->st_atime > st->st_mtime ? st->st_atime : st->st_mtime;
}

/* An overlay's reading leaves no trace on its lower directory; but whoever uses a tree has read its
 * index. */
static time_t last_use(const struct survey *s, enum kind kind, const char *name,
                       const struct stat *st)
{
    AUTO_FREE char *path = kind == TREE ? xasprintf("%s/%s", kinds[INDEX].dir, name) : NULL;
    struct stat index;

    if (path && fstatat(s->l->dir_fd, path, &index, AT_SYMLINK_NOFOLLOW) == 0)
        return later(&index);
    return later(st);
}

static int add_item(struct survey *s, enum kind kind, const char *dir, const char *name,
                    struct err *err)
{
    SCOPED(usage_release) struct usage u = {0};
    struct item *item;
    AUTO_FREE char *path = xasprintf("%s/%s", dir, name);
    struct stat st;

    if (fstatat(s->l->dir_fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : err_errno(err, "look at %s/%s", s->l->root, path);
    if (usage_add(&u, s->l->dir_fd, path, err) < 0)
        return -1;
    VEC_GROW(s->items, s->count, s->capacity);
    item = &s->items[s->count++];
    *item = (struct item){kind, steal_ptr(&path), u.bytes, last_use(s, kind, name, &st), false};
    item->live = kind == CACHE ? cache_is_live(s, item->path) : is_live(s, name);
    s->unreadable += u.unreadable;
    return 0;
}

static int add_dir(struct survey *s, enum kind kind, const char *dir, struct err *err)
{
    SCOPED(strv_release) struct strv names = {0};
    AUTO_FD int fd = openat(s->l->dir_fd, dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR ? 0 : err_errno(err, "open %s", dir);
    if (fs_list(fd, &names, err) < 0)
        return err_wrap(err, "%s", dir);
    for (size_t i = 0; i < names.count; i++)
        if (add_item(s, kind, dir, names.ptr[i], err) < 0)
            return -1;
    return 0;
}

static int take_survey(struct survey *s, const struct layout *l, struct err *err)
{
    SCOPED(strv_release) struct strv caches = {0};

    s->l = l;
    if (mark_all(s, err) < 0)
        return -1;
    for (enum kind k = BLOB; k <= INDEX; k++)
        if (add_dir(s, k, kinds[k].dir, err) < 0)
            return -1;
    if (fs_list(l->cache_fd, &caches, err) < 0)
        return err_wrap(err, "cache");
    for (size_t i = 0; i < caches.count; i++) {
        AUTO_FREE char *dir = xasprintf("cache/%s", caches.ptr[i]);

        if (strcmp(caches.ptr[i], "index") != 0 && add_dir(s, CACHE, dir, err) < 0)
            return -1;
    }
    return 0;
}

/* The lock we already share becomes ours alone. Between asking and getting there is no gap. */
static int lock_alone(const struct layout *l, uint64_t wait_ms, struct err *err)
{
    uint64_t deadline = clock_mono_ms() + wait_ms;
    struct err why = {0};

    while (lock_range(l->lock_fd, LOCK_BYTE_STORE, true, false, &why) < 0) {
        if (why.code != EAGAIN && why.code != EACCES) {
            *err = why;
            return -1;
        }
        if (clock_mono_ms() >= deadline)
            return err_set(
                err, ERR_SYSTEM, EBUSY,
                "the store %s is in use by another slipway process; prune when it has ended",
                l->root);
        clock_sleep_ms(POLL_MS);
        why = (struct err){0};
    }
    return 0;
}

/* Dead before live, then by last use. */
static int compare_items(const void *a, const void *b)
{
    const struct item *x = a, *y = b;

    if (x->live != y->live)
        return x->live ? 1 : -1;
    if (x->used != y->used)
        return x->used < y->used ? -1 : 1;
    return strcmp(x->path, y->path);
}

static bool may_go(const struct item *item, const struct prune_options *o, uint64_t total)
{
    if (o->has_budget)
        return total > o->keep_bytes && !(item->live && item->kind == BLOB);
    return !item->live || (o->all && item->kind == CACHE);
}

/* number: of the item, for a name that no other has. */
static int remove_item(const struct layout *l, const struct layout_tmp *tmp,
                       const struct item *item, size_t number, struct err *err)
{
    char name[24];

    snprintf(name, sizeof(name), "%zu", number);
    /* A tree leaves in one step, so that no half of it is ever mounted. */
    if (item->kind == TREE || item->kind == CACHE) {
        if (renameat(l->dir_fd, item->path, tmp->fd, name) == 0 || errno == ENOENT)
            return 0;
        return err_errno(err, "remove %s/%s", l->root, item->path);
    }
    if (unlinkat(l->dir_fd, item->path, 0) < 0 && errno != ENOENT)
        return err_errno(err, "remove %s/%s", l->root, item->path);
    return 0;
}

static int sweep(struct survey *s, const struct prune_options *o, struct prune_result *out,
                 struct err *err)
{
    SCOPED(usage_release) struct usage whole = {0};
    struct layout_tmp tmp = LAYOUT_TMP_CLOSED;
    int result = 0;

    if (o->has_budget && usage_add(&whole, s->l->dir_fd, ".", err) < 0)
        return -1;
    out->left_bytes = whole.bytes;
    /* Images without a name go when what they need may go. */
    if (!o->dry_run && s->unnamed && (!o->has_budget || out->left_bytes > o->keep_bytes) &&
        layout_forget_unnamed(s->l, err) < 0)
        return -1;
    if (!o->dry_run && layout_tmp_open(s->l, &tmp, err) < 0)
        return -1;
    if (s->count)
        qsort(s->items, s->count, sizeof(*s->items), compare_items);
    for (size_t i = 0; i < s->count && result == 0; i++) {
        const struct item *item = &s->items[i];

        if (!may_go(item, o, out->left_bytes))
            continue;
        result = o->dry_run ? 0 : remove_item(s->l, &tmp, item, i, err);
        if (result < 0)
            break;
        out->removed++;
        out->removed_bytes += item->bytes;
        out->left_bytes -= item->bytes < out->left_bytes ? item->bytes : out->left_bytes;
        if (o->on_remove)
            o->on_remove(o->arg, kinds[item->kind].word, item->path, item->bytes);
    }
    layout_tmp_close(s->l, &tmp);
    return result;
}

int layout_prune(const struct layout *l, const struct prune_options *options,
                 struct prune_result *out, struct err *err)
{
    SCOPED(survey_release) struct survey survey = {0};
    struct err ignored = {0};
    int result;

    *out = (struct prune_result){0};
    if (!options->dry_run && lock_alone(l, options->wait_ms, err) < 0)
        return -1;
    if (!options->dry_run)
        layout_clean_tmp(l, &ignored);
    result = take_survey(&survey, l, err);
    if (result == 0)
        result = sweep(&survey, options, out, err);
    if (!options->dry_run)
        lock_range(l->lock_fd, LOCK_BYTE_STORE, false, true, &ignored);
    return result;
}

static void count_item(struct layout_part *part, const struct item *item)
{
    part->count++;
    part->bytes += item->bytes;
    part->dead_bytes += item->live ? 0 : item->bytes;
}

int layout_usage(const struct layout *l, struct layout_usage *out, struct err *err)
{
    SCOPED(survey_release) struct survey survey = {0};
    SCOPED(usage_release) struct usage whole = {0}, tmp = {0};

    *out = (struct layout_usage){0};
    if (take_survey(&survey, l, err) < 0 || usage_add(&whole, l->dir_fd, ".", err) < 0 ||
        usage_add(&tmp, l->dir_fd, "tmp", err) < 0)
        return -1;
    for (size_t i = 0; i < survey.count; i++) {
        const struct item *item = &survey.items[i];

        count_item(item->kind == BLOB   ? &out->blobs
                   : item->kind == TREE ? &out->trees
                                        : &out->caches,
                   item);
    }
    out->unfinished = (struct layout_part){tmp.files - 1, tmp.bytes, 0};
    out->names = survey.names;
    out->unnamed = survey.unnamed;
    out->bytes = whole.bytes;
    out->unreadable = whole.unreadable;
    return 0;
}
