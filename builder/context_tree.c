/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/context_tree.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/enc.h"
#include "base/scope.h"
#include "base/str.h"

/* A file that has more than one name, in the context or elsewhere. */
struct name {
    dev_t device;
    ino_t inode;
    uint64_t at; /* its place in the walk */
};

struct walk {
    struct context *context;
    enum context_depth depth;
    struct sha256 *h;
    struct buf *lines;
    struct name *names;
    size_t names_count, names_capacity;
    uint64_t at;
};

static void walk_release(struct walk *w)
{
    free(w->names);
}

static void note_name(struct walk *w, const struct stat *st)
{
    if (!S_ISREG(st->st_mode) || st->st_nlink < 2)
        return;
    VEC_GROW(w->names, w->names_count, w->names_capacity);
    w->names[w->names_count++] = (struct name){st->st_dev, st->st_ino, w->at};
}

static int by_inode(const void *a, const void *b)
{
    const struct name *x = a, *y = b;

    if (x->device != y->device)
        return x->device < y->device ? -1 : 1;
    if (x->inode != y->inode)
        return x->inode < y->inode ? -1 : 1;
    return (x->at > y->at) - (x->at < y->at);
}

/* Which names are one file, by their places. A file with one name here is as any other. */
static int by_place(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;

    return (x[0] > y[0]) - (x[0] < y[0]);
}

static void add_names(struct walk *w)
{
    AUTO_FREE uint64_t *pairs = xcalloc(2 * w->names_count + 1, sizeof(*pairs));
    size_t count = 0, first = 0;

    if (w->names_count > 1)
        qsort(w->names, w->names_count, sizeof(*w->names), by_inode);
    for (size_t i = 1; i < w->names_count; i++) {
        if (w->names[i].device != w->names[first].device ||
            w->names[i].inode != w->names[first].inode) {
            first = i;
            continue;
        }
        pairs[2 * count] = w->names[i].at;
        pairs[2 * count++ + 1] = w->names[first].at;
    }
    if (count > 1)
        qsort(pairs, count, 2 * sizeof(*pairs), by_place);
    sha256_add_u64(w->h, count);
    for (size_t i = 0; i < 2 * count; i++)
        sha256_add_u64(w->h, pairs[i]);
}

static void add_line(const struct walk *w, const struct context_node *node,
                     const uint8_t digest[static SHA256_SIZE])
{
    buf_addf(w->lines, "%o ", (unsigned)node->st.st_mode);
    if (node->link) {
        buf_adds(w->lines, "->");
        hex_encode(w->lines, node->link, strlen(node->link));
    } else {
        hex_encode(w->lines, digest, SHA256_SIZE);
    }
    buf_addc(w->lines, ' ');
    buf_add_escaped(w->lines, str_of(node->path));
    buf_addc(w->lines, '\n');
}

static int add_node(struct walk *w, struct context_node *node, struct err *err)
{
    const struct stat *st = &node->st;
    uint8_t digest[SHA256_SIZE] = {0};
    bool is_file = S_ISREG(st->st_mode), is_dir = S_ISDIR(st->st_mode);

    if ((is_file || is_dir) && w->depth == CONTEXT_CONTENT &&
        context_digest(w->context, node, digest, err) < 0)
        return -1;
    if (w->lines) {
        add_line(w, node, digest);
        return 0;
    }
    note_name(w, st);
    w->at++;
    sha256_add_framed(w->h, str_of(node->name));
    sha256_add_u64(w->h, st->st_mode);
    sha256_add_u64(w->h, is_file ? (uint64_t)st->st_size : 0);
    sha256_add_u64(w->h, is_file || is_dir ? 0 : st->st_rdev);
    sha256_add_framed(w->h, str_of(node->link));
    sha256_add(w->h, digest, sizeof(digest));
    return 0;
}

static int walk(struct walk *w, struct context_node *node, struct err *err)
{
    if (add_node(w, node, err) < 0)
        return -1;
    if (!S_ISDIR(node->st.st_mode))
        return 0;
    if (context_load(w->context, node, err) < 0)
        return -1;
    if (w->h)
        sha256_add_u64(w->h, node->count);
    for (size_t i = 0; i < node->count; i++)
        if (walk(w, &node->children[i], err) < 0)
            return -1;
    return 0;
}

int context_tree_hash(struct context *context, struct context_node *node, struct pool *pool,
                      enum context_depth depth, struct sha256 *h, struct err *err)
{
    SCOPED(walk_release) struct walk w = {.context = context, .depth = depth, .h = h};

    if (S_ISDIR(node->st.st_mode))
        context_load_tree(context, node, pool);
    if (walk(&w, node, err) < 0)
        return -1;
    add_names(&w);
    return 0;
}

int context_tree_list(struct context *context, struct context_node *node, struct buf *out,
                      struct err *err)
{
    struct walk w = {.context = context, .depth = CONTEXT_CONTENT, .lines = out};

    return walk(&w, node, err);
}
