/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Entries in any order to an index. Each is appended as it comes; its place in that order is its
 * time. At the end they are sorted by path and time, and each path is settled: what unpacking them
 * one after the other would leave.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/scope.h"
#include "builder/index.h"
#include "builder/index_format.h"

#define NEVER UINT32_MAX

/* A record under way; `end` is not known yet. target: of a hard link, the record it shares its
 * inode with. */
struct draft {
    struct index_record record;
    uint32_t target;
};

struct index_builder {
    struct draft *drafts; /* in the order they came */
    size_t count, capacity;
    struct index_xattr *xattrs;
    size_t xattrs_count, xattrs_capacity;
    struct buf strings;
    bool shuffled;   /* not in order, or a path twice */
    uint32_t *order; /* drafts by path, then time */
};

struct index_builder *index_builder_new(void)
{
    struct index_builder *b = xcalloc(1, sizeof(*b));

    buf_addc(&b->strings, '\0');
    return b;
}

void index_builder_free(struct index_builder *b)
{
    if (!b)
        return;
    free(b->drafts);
    free(b->xattrs);
    free(b->order);
    buf_release(&b->strings);
    free(b);
}

static const char *path_of(const struct index_builder *b, uint32_t draft)
{
    return b->strings.ptr + b->drafts[draft].record.path;
}

static uint32_t add_bytes(struct index_builder *b, const char *bytes, size_t size)
{
    size_t at = b->strings.size;

    buf_add(&b->strings, bytes, size);
    buf_addc(&b->strings, '\0');
    return (uint32_t)at;
}

static int too_large(struct err *err)
{
    return err_set(err, ERR_INPUT, EFBIG,
                   "a layer of more than %u entries, or of more than %zu bytes of names",
                   INDEX_ENTRIES_MAX, INDEX_STRINGS_MAX);
}

static int check(const struct index_builder *b, const struct entry *e, struct err *err)
{
    size_t more = strlen(e->path) + (e->link ? strlen(e->link) : 0) + 2;

    for (size_t i = 0; i < e->xattrs_count; i++)
        more += strlen(e->xattrs[i].name) + e->xattrs[i].value.size + 2;
    if (strlen(e->path) >= PATH_MAX || (e->link && strlen(e->link) >= PATH_MAX))
        return err_set(err, ERR_INPUT, ENAMETOOLONG, "\"%.60s…\": a path of more than %d bytes",
                       e->path, PATH_MAX - 1);
    if (strcmp(e->path, ".") == 0 && e->type != ENTRY_DIR)
        return err_set(err, ERR_INPUT, EINVAL, "the root of a layer is a %s",
                       entry_type_name(e->type));
    if (b->count >= INDEX_ENTRIES_MAX || b->strings.size + more > INDEX_STRINGS_MAX ||
        b->xattrs_count + e->xattrs_count > INDEX_STRINGS_MAX)
        return too_large(err);
    return 0;
}

int index_builder_add(struct index_builder *b, const struct entry *e, struct err *err)
{
    struct draft d = {.target = NEVER};
    struct index_record *r = &d.record;

    if (check(b, e, err) < 0)
        return -1;
    r->path = add_bytes(b, e->path, strlen(e->path));
    r->link = e->link ? add_bytes(b, e->link, strlen(e->link)) : 0;
    r->type = (uint8_t)e->type;
    r->flags = (uint8_t)((e->opaque ? INDEX_OPAQUE : 0) | (e->implied ? INDEX_IMPLIED : 0));
    r->mode = (uint16_t)(e->mode & 07777);
    r->uid = e->uid;
    r->gid = e->gid;
    r->size = e->size;
    r->mtime = e->mtime;
    r->dev_major = e->dev_major;
    r->dev_minor = e->dev_minor;
    r->xattrs = (uint32_t)b->xattrs_count;
    r->xattrs_count = (uint32_t)e->xattrs_count;
    for (size_t i = 0; i < e->xattrs_count; i++) {
        const struct xattr *x = &e->xattrs[i];

        VEC_GROW(b->xattrs, b->xattrs_count, b->xattrs_capacity);
        b->xattrs[b->xattrs_count++] = (struct index_xattr){
            .name = add_bytes(b, x->name, strlen(x->name)),
            .value = add_bytes(b, x->value.ptr ? x->value.ptr : "", x->value.size),
            .value_size = (uint32_t)x->value.size,
        };
    }
    VEC_GROW(b->drafts, b->count, b->capacity);
    b->drafts[b->count++] = d;
    if (b->count > 1 &&
        entry_path_cmp(path_of(b, (uint32_t)b->count - 2), path_of(b, (uint32_t)b->count - 1)) >= 0)
        b->shuffled = true;
    return 0;
}

void index_builder_content(struct index_builder *b, struct str content)
{
    struct index_record *r = &b->drafts[b->count - 1].record;

    BUG_ON(!b->count || content.size != r->size);
    r->content = add_bytes(b, content.ptr ? content.ptr : "", content.size);
    r->content_size = (uint32_t)content.size;
}

static int by_path_and_time(const void *a, const void *b, void *arg)
{
    const uint32_t *x = a, *y = b;
    int order = entry_path_cmp(path_of(arg, *x), path_of(arg, *y));

    return order ? order : *x < *y ? -1 : *x > *y;
}

static void sort(struct index_builder *b)
{
    free(b->order);
    b->order = xcalloc(b->count + 1, sizeof(*b->order));
    for (size_t i = 0; i < b->count; i++)
        b->order[i] = (uint32_t)i;
    if (b->shuffled)
        qsort_r(b->order, b->count, sizeof(*b->order), by_path_and_time, b);
}

/* The last draft of that path made before `time`, or NEVER. */
static uint32_t find_before(const struct index_builder *b, const char *path, uint32_t time)
{
    size_t low = 0, high = b->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = entry_path_cmp(path_of(b, b->order[middle]), path);

        if (order < 0 || (order == 0 && b->order[middle] < time))
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0 || strcmp(path_of(b, b->order[low - 1]), path) != 0)
        return NEVER;
    return b->order[low - 1];
}

/* In the order they came, so that a link to a link finds that one settled. */
static int settle_links(struct index_builder *b, struct err *err)
{
    for (uint32_t i = 0; i < b->count; i++) {
        struct draft *d = &b->drafts[i];
        const char *name = b->strings.ptr + d->record.link;
        uint32_t target;

        if (d->record.type != ENTRY_HARDLINK)
            continue;
        if (strcmp(name, path_of(b, i)) == 0)
            return err_set(err, ERR_INPUT, EINVAL, "\"%s\" is a hard link to itself", name);
        target = find_before(b, name, i);
        if (target == NEVER || b->drafts[target].record.type == ENTRY_WHITEOUT)
            return err_set(err, ERR_INPUT, ENOENT,
                           "\"%s\" is a hard link to \"%s\", which is not there", path_of(b, i),
                           name);
        if (b->drafts[target].record.type == ENTRY_DIR)
            return err_set(err, ERR_INPUT, EPERM, "\"%s\" is a hard link to the directory \"%s\"",
                           path_of(b, i), name);
        d->target =
            b->drafts[target].record.type == ENTRY_HARDLINK ? b->drafts[target].target : target;
    }
    return 0;
}

/*
 * A path on the way to the current one. When something that is no directory took its place, what
 * had been in it went: `killed` is when that happened last, `made` when it was a directory again.
 */
struct level {
    uint32_t path, out; /* in strings, in the output */
    bool dir, replaced;
    uint32_t killed, made;
};

struct settle {
    struct index_builder *b;
    struct index_record *out;
    uint32_t *from; /* the draft of each output record, or NEVER */
    size_t count, capacity;
    struct level *levels;
    size_t depth, levels_capacity;
    bool *won; /* drafts that are in the output */
    struct buf scratch;
};

static void settle_release(struct settle *s)
{
    free(s->out);
    free(s->from);
    free(s->levels);
    free(s->won);
    buf_release(&s->scratch);
}

static const char *string(const struct settle *s, uint32_t at)
{
    return s->b->strings.ptr + at;
}

/* Ends the levels that the path is not in; path NULL: all. */
static void leave_levels(struct settle *s, const char *path)
{
    while (s->depth && !(path && entry_path_below(path, string(s, s->levels[s->depth - 1].path)))) {
        s->depth--;
        s->out[s->levels[s->depth].out].end = (uint32_t)s->count;
    }
}

static void push(struct settle *s, const struct index_record *r, uint32_t draft, struct level level)
{
    if (s->count >= s->capacity) {
        s->capacity = s->capacity ? s->capacity * 2 : s->b->count + 64;
        s->out = xreallocarray(s->out, s->capacity, sizeof(*s->out));
        s->from = xreallocarray(s->from, s->capacity, sizeof(*s->from));
    }
    level.path = r->path;
    level.out = (uint32_t)s->count;
    VEC_GROW(s->levels, s->depth, s->levels_capacity);
    s->levels[s->depth++] = level;
    s->from[s->count] = draft;
    s->out[s->count++] = *r;
    if (draft != NEVER)
        s->won[draft] = true;
}

static void push_implied(struct settle *s, const char *path, size_t size)
{
    struct index_record r = {.type = ENTRY_DIR, .flags = INDEX_IMPLIED, .mode = 0755};

    r.path = add_bytes(s->b, path, size);
    push(s, &r, NEVER, (struct level){.dir = true});
}

/* 1: a draft is still there; 0: its directory was replaced after it; -1: there was no directory to
 * put it in. */
static int survives(const struct settle *s, uint32_t draft, struct err *err)
{
    for (size_t i = 0; i < s->depth; i++) {
        const struct level *l = &s->levels[i];

        if (!l->replaced)
            continue;
        if (draft < l->killed)
            return 0;
        if (!l->dir || draft < l->made)
            return err_set(err, ERR_INPUT, ENOTDIR,
                           "\"%s\": \"%s\" is a %s in this layer, not a directory",
                           path_of(s->b, draft), string(s, l->path),
                           entry_type_name(s->b->drafts[l->killed].record.type));
    }
    return 1;
}

/* What one path's drafts come to. */
struct verdict {
    uint32_t winner, whiteout; /* drafts or NEVER */
    bool marked;               /* opaque */
    struct level level;
};

static int judge(const struct settle *s, struct verdict *v, uint32_t draft, struct err *err)
{
    const struct index_record *r = &s->b->drafts[draft].record;

    if (r->type == ENTRY_WHITEOUT) {
        v->whiteout = draft;
    } else if (r->type == ENTRY_DIR) {
        if (r->flags & INDEX_IMPLIED && v->winner != NEVER && !v->level.dir)
            return err_set(err, ERR_INPUT, ENOTDIR,
                           "\"%s\" is marked opaque, but it is not a directory",
                           path_of(s->b, draft));
        v->marked |= (r->flags & INDEX_OPAQUE) != 0;
        if (r->flags & INDEX_IMPLIED && v->winner != NEVER)
            return 0;
        if (!v->level.dir)
            v->level.made = draft;
        v->level.dir = true;
        v->winner = draft;
    } else {
        v->level = (struct level){.replaced = true, .killed = draft};
        v->winner = draft;
        v->marked = false;
    }
    return 0;
}

/* Implied directories between the open level and the path, which is in scratch. */
static int add_parents(struct settle *s, struct err *err)
{
    const char *path = buf_cstr(&s->scratch);
    const char *above = s->depth ? string(s, s->levels[s->depth - 1].path) : ".";
    size_t skip = strcmp(above, ".") == 0 ? 0 : strlen(above) + 1;

    if (!s->depth && strcmp(path, ".") != 0)
        push_implied(s, ".", 1);
    for (const char *slash = strchr(path + skip, '/'); slash; slash = strchr(slash + 1, '/')) {
        if (s->b->strings.size + PATH_MAX > INDEX_STRINGS_MAX || s->count >= INDEX_ENTRIES_MAX)
            return too_large(err);
        push_implied(s, path, (size_t)(slash - path));
    }
    return 0;
}

/* A removed path that has something in it all the same: a new directory in the old one's place. */
static void revive(struct settle *s)
{
    struct index_record *r = s->depth ? &s->out[s->levels[s->depth - 1].out] : NULL;

    if (r && r->type == ENTRY_WHITEOUT) {
        *r = (struct index_record){.path = r->path,
                                   .type = ENTRY_DIR,
                                   .mode = 0755,
                                   .flags = INDEX_IMPLIED | INDEX_OPAQUE};
    }
}

/* The drafts order[first] … order[last - 1], all of one path. */
static int settle_path(struct settle *s, size_t first, size_t last, struct err *err)
{
    const struct index_builder *b = s->b;
    struct verdict v = {.winner = NEVER, .whiteout = NEVER};
    struct index_record r;
    uint32_t draft;

    buf_clear(&s->scratch);
    buf_adds(&s->scratch, path_of(b, b->order[first]));
    leave_levels(s, buf_cstr(&s->scratch));
    for (size_t i = first; i < last; i++) {
        int alive = survives(s, b->order[i], err);

        if (alive < 0 || (alive > 0 && judge(s, &v, b->order[i], err) < 0))
            return -1;
    }
    draft = v.winner != NEVER ? v.winner : v.whiteout;
    if (draft == NEVER)
        return 0;
    revive(s);
    if (add_parents(s, err) < 0)
        return -1;
    r = b->drafts[draft].record;
    if (r.type == ENTRY_DIR && (v.marked || v.whiteout != NEVER))
        r.flags |= INDEX_OPAQUE;
    push(s, &r, draft, v.level);
    return 0;
}

/* Hard links take what their targets are. */
static void settle_inodes(struct settle *s)
{
    const struct index_builder *b = s->b;

    for (size_t i = 0; i < s->count; i++) {
        struct index_record *r = &s->out[i], linked;
        uint32_t target;

        if (r->type != ENTRY_HARDLINK)
            continue;
        target = b->drafts[s->from[i]].target;
        linked = b->drafts[target].record;
        linked.path = r->path;
        linked.end = r->end;
        if (linked.type == ENTRY_FILE) {
            linked.link = s->won[target] ? b->drafts[target].record.path : 0;
            linked.content = linked.content_size = 0;
        }
        *r = linked;
    }
}

static int settle_all(struct settle *s, struct err *err)
{
    const struct index_builder *b = s->b;

    for (size_t first = 0, last; first < b->count; first = last) {
        for (last = first + 1; last < b->count; last++) {
            if (strcmp(path_of(b, b->order[first]), path_of(b, b->order[last])) != 0)
                break;
        }
        if (settle_path(s, first, last, err) < 0)
            return -1;
    }
    if (!s->count)
        push_implied(s, ".", 1);
    leave_levels(s, NULL);
    settle_inodes(s);
    return 0;
}

static int send(struct sink to, const void *bytes, size_t size, struct err *err)
{
    return size ? to.write(to.ctx, bytes, size, err) : 0;
}

int index_builder_end(struct index_builder *b, struct sink to, struct err *err)
{
    SCOPED(settle_release) struct settle s = {.b = b};
    struct index_header h = {.version = INDEX_VERSION, .order = INDEX_ORDER};

    memcpy(h.magic, INDEX_MAGIC, sizeof(h.magic));
    sort(b);
    s.won = xcalloc(b->count + 1, sizeof(*s.won));
    if (settle_links(b, err) < 0 || settle_all(&s, err) < 0)
        return -1;
    h.count = (uint32_t)s.count;
    h.xattrs_count = (uint32_t)b->xattrs_count;
    buf_addc(&b->strings, '\0'); /* never less than two bytes */
    h.strings_size = b->strings.size;
    if (send(to, &h, sizeof(h), err) < 0 || send(to, s.out, s.count * sizeof(*s.out), err) < 0 ||
        send(to, b->xattrs, b->xattrs_count * sizeof(*b->xattrs), err) < 0)
        return -1;
    return send(to, b->strings.ptr, b->strings.size, err);
}
