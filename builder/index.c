/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/index.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/scope.h"
#include "builder/index_format.h"

#define CONTENT_MAX (64 << 10)

struct index {
    void *map;
    size_t map_size;
    void *copy; /* instead of a map */
    const struct index_record *records;
    size_t count;
    const char *strings;
    size_t strings_size;
    struct xattr *xattrs; /* as entries show them */
};

static bool string_valid(const struct index *x, uint32_t at)
{
    return at < x->strings_size; /* the last string is ended, so each is */
}

static bool span_valid(const struct index *x, uint32_t at, uint32_t size)
{
    return at < x->strings_size && size < x->strings_size - at;
}

/* Is `path` directly in `dir`? */
static bool directly_in(const char *path, const char *dir)
{
    const char *last = strrchr(path, '/');

    if (strcmp(dir, ".") == 0)
        return !last;
    return last && (size_t)(last - path) == strlen(dir) &&
           memcmp(path, dir, (size_t)(last - path)) == 0;
}

/* No component is empty, "." or "..". */
static bool path_valid(const char *path)
{
    if (strcmp(path, ".") == 0)
        return true;
    for (;;) {
        size_t n = strcspn(path, "/");

        if (n == 0 || (n == 1 && path[0] == '.') || (n == 2 && path[0] == '.' && path[1] == '.'))
            return false;
        if (!path[n])
            return true;
        path += n + 1;
    }
}

static bool record_valid(const struct index *x, const struct index_record *r, uint32_t xattrs_count)
{
    bool dir = r->type == ENTRY_DIR;

    return string_valid(x, r->path) && path_valid(x->strings + r->path) &&
           string_valid(x, r->link) && r->type > ENTRY_NONE && r->type <= ENTRY_WHITEOUT &&
           r->type != ENTRY_HARDLINK && r->mode <= 07777 && (r->type != ENTRY_SYMLINK || r->link) &&
           (dir || !r->flags) && r->flags <= (INDEX_OPAQUE | INDEX_IMPLIED) &&
           r->xattrs <= xattrs_count && r->xattrs_count <= xattrs_count - r->xattrs &&
           (!r->content || span_valid(x, r->content, r->content_size));
}

/* Order and nesting: each record lies in the directory that is open, and ends where that says. */
static bool tree_valid(const struct index *x)
{
    AUTO_FREE size_t *open = xcalloc(x->count, sizeof(*open));
    size_t depth = 0;

    for (size_t i = 0; i < x->count; i++) {
        const struct index_record *r = &x->records[i];
        const char *path = x->strings + r->path;

        while (depth && x->records[open[depth - 1]].end == i)
            depth--;
        if (i == 0 ? strcmp(path, ".") != 0 || r->end != x->count : !depth)
            return false;
        if (i > 0) {
            const struct index_record *parent = &x->records[open[depth - 1]];

            if (parent->type != ENTRY_DIR || r->end > parent->end ||
                !directly_in(path, x->strings + parent->path) ||
                entry_path_cmp(x->strings + x->records[i - 1].path, path) >= 0)
                return false;
        }
        if (r->end <= i || r->end > x->count)
            return false;
        open[depth++] = i;
    }
    return true;
}

static int load_xattrs(struct index *x, const struct index_xattr *from, uint32_t count)
{
    x->xattrs = count ? xcalloc(count, sizeof(*x->xattrs)) : NULL;
    for (uint32_t i = 0; i < count; i++) {
        if (!string_valid(x, from[i].name) || !span_valid(x, from[i].value, from[i].value_size))
            return -1;
        x->xattrs[i].name = x->strings + from[i].name;
        x->xattrs[i].value = (struct str){x->strings + from[i].value, from[i].value_size};
    }
    return 0;
}

static int damaged(struct err *err)
{
    return err_set(err, ERR_INPUT, EINVAL, "not a path index of version %d, or damaged",
                   INDEX_VERSION);
}

static int load(struct index *x, const void *bytes, size_t size, struct err *err)
{
    const struct index_header *h = bytes;
    size_t need = sizeof(*h);
    const char *at;

    if (size < sizeof(*h) || memcmp(h->magic, INDEX_MAGIC, sizeof(h->magic)) != 0 ||
        h->version != INDEX_VERSION || h->order != INDEX_ORDER || !h->count ||
        h->count > INDEX_ENTRIES_MAX)
        return damaged(err);
    need += (size_t)h->count * sizeof(struct index_record) +
            (size_t)h->xattrs_count * sizeof(struct index_xattr);
    if (size < need || h->strings_size != size - need || h->strings_size < 2)
        return damaged(err);
    at = (const char *)bytes + sizeof(*h);
    x->records = (const void *)at;
    x->count = h->count;
    x->strings = (const char *)bytes + need;
    x->strings_size = (size_t)h->strings_size;
    if (x->strings[0] != '\0' || x->strings[x->strings_size - 1] != '\0')
        return damaged(err);
    if (load_xattrs(x, (const void *)(at + h->count * sizeof(struct index_record)),
                    h->xattrs_count) < 0)
        return damaged(err);
    for (size_t i = 0; i < x->count; i++) {
        if (!record_valid(x, &x->records[i], h->xattrs_count))
            return damaged(err);
    }
    return tree_valid(x) ? 0 : damaged(err);
}

struct index *index_from_bytes(const void *bytes, size_t size, struct err *err)
{
    struct index *x = xcalloc(1, sizeof(*x));

    x->copy = size ? xmemdup(bytes, size) : NULL;
    if (load(x, x->copy, size, err) < 0) {
        index_close(x);
        return NULL;
    }
    return x;
}

int index_open(int dir_fd, const char *name, struct index **index, struct err *err)
{
    AUTO_FD int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    struct err why = {0};
    struct stat st;
    struct index *x;

    if (fd < 0)
        return errno == ENOENT ? 0 : err_errno(err, "open %s", name);
    if (fstat(fd, &st) < 0)
        return err_errno(err, "%s", name);
    if (!S_ISREG(st.st_mode) || st.st_size < (off_t)sizeof(struct index_header))
        return 0;
    x = xcalloc(1, sizeof(*x));
    x->map_size = (size_t)st.st_size;
    x->map = mmap(NULL, x->map_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (x->map == MAP_FAILED) {
        free(x);
        return err_errno(err, "map %s", name);
    }
    if (load(x, x->map, x->map_size, &why) < 0) {
        log_debug("%s: %s", name, why.text);
        index_close(x);
        return 0;
    }
    *index = x;
    return 1;
}

void index_close(struct index *x)
{
    if (!x)
        return;
    if (x->map)
        munmap(x->map, x->map_size);
    free(x->copy);
    free(x->xattrs);
    free(x);
}

size_t index_count(const struct index *x)
{
    return x->count;
}

const char *index_path(const struct index *x, size_t i)
{
    return x->strings + x->records[i].path;
}

void index_get(const struct index *x, size_t i, struct entry *e)
{
    const struct index_record *r = &x->records[i];

    *e = (struct entry){
        .path = x->strings + r->path,
        .link = r->link ? x->strings + r->link : NULL,
        .type = r->type,
        .opaque = r->flags & INDEX_OPAQUE,
        .implied = r->flags & INDEX_IMPLIED,
        .mode = r->mode,
        .uid = r->uid,
        .gid = r->gid,
        .size = r->size,
        .mtime = r->mtime,
        .dev_major = r->dev_major,
        .dev_minor = r->dev_minor,
        .xattrs = r->xattrs_count ? x->xattrs + r->xattrs : NULL,
        .xattrs_count = r->xattrs_count,
    };
}

size_t index_find(const struct index *x, const char *path)
{
    size_t low = 0, high = x->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = entry_path_cmp(x->strings + x->records[middle].path, path);

        if (order == 0)
            return middle;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return INDEX_NONE;
}

size_t index_child(const struct index *x, size_t dir)
{
    (void)x;
    return dir + 1;
}

size_t index_end(const struct index *x, size_t i)
{
    return x->records[i].end;
}

bool index_content(const struct index *x, size_t i, struct str *content)
{
    const struct index_record *r = &x->records[i];

    if (!r->content)
        return false;
    *content = (struct str){x->strings + r->content, r->content_size};
    return true;
}

bool index_keeps_content(const struct entry *e)
{
    return e->type == ENTRY_FILE && e->size <= CONTENT_MAX &&
           (strcmp(e->path, "etc/passwd") == 0 || strcmp(e->path, "etc/group") == 0);
}
