/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/tripwire.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/enc.h"
#include "base/scope.h"

#define WINDOW_MIN (64u << 10)
#define BLOCK 2       /* bytes that decide how far to skip */
#define PREFIX_MAX 32 /* of each pattern, in the tables */
#define PLACES 65536
#define LINE 76 /* of base64 text: RFC 2045 */

struct pattern {
    char *bytes;
    size_t size;
    const char *name;
    uint32_t next; /* of its block, 1 + index; 0 ends */
};

struct tripwire {
    struct pattern *patterns;
    size_t count, capacity;
    char **names;
    size_t names_count, names_capacity;
    size_t longest;
    size_t prefix; /* m: the shortest pattern, PREFIX_MAX at most */
    uint8_t skip[PLACES];
    uint32_t first[PLACES]; /* 1 + index */
};

struct tripwire *tripwire_new(void)
{
    return xcalloc(1, sizeof(struct tripwire));
}

void tripwire_free(struct tripwire *wire)
{
    if (!wire)
        return;
    for (size_t i = 0; i < wire->count; i++) {
        explicit_bzero(wire->patterns[i].bytes, wire->patterns[i].size);
        free(wire->patterns[i].bytes);
    }
    for (size_t i = 0; i < wire->names_count; i++)
        free(wire->names[i]);
    free(wire->patterns);
    free(wire->names);
    free(wire);
}

bool tripwire_is_empty(const struct tripwire *wire)
{
    return !wire || !wire->count;
}

/* ---- tables ---- */

static size_t block_of(const char *at)
{
    return (size_t)(unsigned char)at[0] << 8 | (unsigned char)at[1];
}

/* How far the window may move when its last block is this one: to where the block stands in the
 * nearest prefix. */
static void build(struct tripwire *w)
{
    w->prefix = PREFIX_MAX;
    w->longest = 0;
    for (size_t i = 0; i < w->count; i++) {
        if (w->patterns[i].size < w->prefix)
            w->prefix = w->patterns[i].size;
        if (w->patterns[i].size > w->longest)
            w->longest = w->patterns[i].size;
    }
    memset(w->skip, (int)(w->prefix - BLOCK + 1), sizeof(w->skip));
    memset(w->first, 0, sizeof(w->first));
    for (size_t i = 0; i < w->count; i++) {
        struct pattern *p = &w->patterns[i];

        for (size_t at = 0; at + BLOCK <= w->prefix; at++) {
            size_t block = block_of(p->bytes + at), skip = w->prefix - BLOCK - at;

            if (skip < w->skip[block])
                w->skip[block] = (uint8_t)skip;
            if (skip == 0) {
                p->next = w->first[block];
                w->first[block] = (uint32_t)i + 1;
            }
        }
    }
}

static void add_pattern(struct tripwire *w, const char *name, struct str bytes)
{
    if (bytes.size < TRIPWIRE_MIN)
        return;
    for (size_t i = 0; i < w->count; i++)
        if (str_eq((struct str){w->patterns[i].bytes, w->patterns[i].size}, bytes))
            return;
    VEC_GROW(w->patterns, w->count, w->capacity);
    w->patterns[w->count++] =
        (struct pattern){.bytes = xmemdup(bytes.ptr, bytes.size), .size = bytes.size, .name = name};
}

static void wipe(struct buf *b)
{
    if (b->ptr)
        explicit_bzero(b->ptr, b->capacity);
}

/* The characters that the value alone decides when `before` other bytes of its group stand before
 * it. */
static void add_base64(struct tripwire *w, const char *name, struct str value, size_t before)
{
    SCOPED(buf_release) struct buf bytes = {0}, text = {0};
    size_t first = (before * 8 + 5) / 6, end = (before + value.size) * 8 / 6;

    buf_add(&bytes, "\0\0", before);
    buf_add_str(&bytes, value);
    base64_encode(&text, bytes.ptr, bytes.size);
    add_pattern(w, name, str_slice(buf_str(&text), first, end));
    for (size_t i = 0; i < text.size; i++)
        text.ptr[i] = text.ptr[i] == '+' ? '-' : text.ptr[i] == '/' ? '_' : text.ptr[i];
    add_pattern(w, name, str_slice(buf_str(&text), first, end));
    wipe(&bytes);
    wipe(&text);
}

static void add_wrapped(struct tripwire *w, const char *name, struct str value)
{
    SCOPED(buf_release) struct buf text = {0}, lines = {0};
    size_t end = value.size * 8 / 6;

    base64_encode(&text, value.ptr, value.size);
    for (size_t at = 0; at < end; at += LINE) {
        if (at)
            buf_addc(&lines, '\n');
        buf_add_str(&lines, str_slice(buf_str(&text), at, at + LINE < end ? at + LINE : end));
    }
    add_pattern(w, name, buf_str(&lines));
    wipe(&text);
    wipe(&lines);
}

bool tripwire_add(struct tripwire *wire, const char *name, struct str value)
{
    value = str_trim(value);
    if (value.size < TRIPWIRE_MIN)
        return false;
    VEC_GROW(wire->names, wire->names_count, wire->names_capacity);
    wire->names[wire->names_count] = xstrdup(name);
    name = wire->names[wire->names_count++];
    add_pattern(wire, name, value);
    for (size_t before = 0; before < 3; before++)
        add_base64(wire, name, value, before);
    add_wrapped(wire, name, value);
    build(wire);
    return true;
}

/* ---- search ---- */

/* The first find that ends within text: the pattern, and *at where it begins. */
static const struct pattern *search(const struct tripwire *w, struct str text, size_t *at)
{
    for (size_t i = w->prefix - 1; i < text.size;) {
        size_t block = block_of(text.ptr + i - 1), skip = w->skip[block];
        size_t begin = i + 1 - w->prefix;

        i += skip ? skip : 1;
        for (uint32_t n = skip ? 0 : w->first[block]; n; n = w->patterns[n - 1].next) {
            const struct pattern *p = &w->patterns[n - 1];

            if (p->size <= text.size - begin && memcmp(text.ptr + begin, p->bytes, p->size) == 0) {
                *at = begin;
                return p;
            }
        }
    }
    return NULL;
}

void tripwire_scan_release(struct tripwire_scan *scan)
{
    wipe(&scan->window);
    buf_release(&scan->window);
    *scan = (struct tripwire_scan){0};
}

static void drop_front(struct buf *b, size_t size)
{
    memmove(b->ptr, b->ptr + size, b->size - size);
    b->size -= size;
    b->ptr[b->size] = 0;
}

static void judge(struct tripwire_scan *scan)
{
    const struct pattern *found;
    size_t at;

    if (scan->found)
        return;
    found = search(scan->wire, buf_str(&scan->window), &at);
    if (found)
        scan->found = found->name;
}

void tripwire_feed(struct tripwire_scan *scan, const void *bytes, size_t size)
{
    const struct tripwire *w = scan->wire;
    const char *next = bytes;
    size_t window;

    if (scan->found || tripwire_is_empty(w))
        return;
    window = 4 * w->longest > WINDOW_MIN ? 4 * w->longest : WINDOW_MIN;
    while (size) {
        size_t room = window - scan->window.size, some = size < room ? size : room;

        buf_add(&scan->window, next, some);
        next += some;
        size -= some;
        if (scan->window.size < window)
            return;
        judge(scan);
        drop_front(&scan->window, scan->window.size - (w->longest - 1));
    }
}

void tripwire_end(struct tripwire_scan *scan)
{
    if (scan->window.size && !tripwire_is_empty(scan->wire))
        judge(scan);
    buf_clear(&scan->window);
}

const char *tripwire_find(const struct tripwire *wire, struct str text)
{
    const struct pattern *found;
    size_t at;

    if (tripwire_is_empty(wire))
        return NULL;
    found = search(wire, text, &at);
    return found ? found->name : NULL;
}

/* ---- text to be shown ---- */

/* How many of the last bytes may be the beginning of a pattern. */
static size_t may_begin(const struct tripwire *w, struct str text)
{
    size_t most = 0;

    for (size_t i = 0; i < w->count; i++) {
        const struct pattern *p = &w->patterns[i];
        size_t size = p->size - 1 < text.size ? p->size - 1 : text.size;

        for (; size > most; size--)
            if (memcmp(text.ptr + text.size - size, p->bytes, size) == 0)
                most = size;
    }
    return most;
}

void tripwire_redact(struct tripwire_scan *scan, const void *bytes, size_t size, struct buf *out)
{
    const struct tripwire *w = scan->wire;
    const struct pattern *found;
    size_t at, kept;

    if (tripwire_is_empty(w)) {
        buf_add(out, bytes, size);
        return;
    }
    buf_add(&scan->window, bytes, size);
    while ((found = search(w, buf_str(&scan->window), &at))) {
        scan->found = found->name;
        buf_add(out, scan->window.ptr, at);
        buf_addf(out, "[secret %s]", found->name);
        drop_front(&scan->window, at + found->size);
    }
    kept = size ? may_begin(w, buf_str(&scan->window)) : 0;
    buf_add(out, scan->window.ptr, scan->window.size - kept);
    if (scan->window.ptr)
        drop_front(&scan->window, scan->window.size - kept);
}

void tripwire_clean(const struct tripwire *wire, struct buf *text)
{
    SCOPED(tripwire_scan_release) struct tripwire_scan scan = {.wire = wire};
    struct buf out = {0};

    if (!tripwire_find(wire, buf_str(text)))
        return;
    tripwire_redact(&scan, text->ptr, text->size, &out);
    tripwire_redact(&scan, NULL, 0, &out);
    buf_release(text);
    *text = out;
}
