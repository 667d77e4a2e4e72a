/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/layer_parents.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/scope.h"
#include "builder/entry.h"

void parents_release(struct parents *p)
{
    int saved = errno;

    for (size_t i = 0; i < p->capacity; i++)
        free(p->dirs[i]);
    free(p->dirs);
    buf_release(&p->last);
    *p = (struct parents){0};
    errno = saved;
}

bool parents_in_order(const struct parents *p, const char *path)
{
    return !p->any || entry_path_cmp(buf_cstr(&p->last), path) < 0;
}

/* Where path is or would go (FNV-1a). */
static char **place_of(char **dirs, size_t capacity, const char *path)
{
    uint64_t hash = 0xcbf29ce484222325u;
    size_t at;

    for (const char *c = path; *c; c++)
        hash = (hash ^ (unsigned char)*c) * 0x100000001b3u;
    for (at = (size_t)hash & (capacity - 1); dirs[at] && strcmp(dirs[at], path) != 0;)
        at = (at + 1) & (capacity - 1);
    return &dirs[at];
}

static void remember(struct parents *p, const char *path)
{
    char **place;

    if (p->count * 2 >= p->capacity) {
        size_t capacity = p->capacity ? p->capacity * 2 : 256;
        char **dirs = xcalloc(capacity, sizeof(*dirs));

        for (size_t i = 0; i < p->capacity; i++) {
            if (p->dirs[i])
                *place_of(dirs, capacity, p->dirs[i]) = p->dirs[i];
        }
        free(p->dirs);
        p->dirs = dirs;
        p->capacity = capacity;
    }
    place = place_of(p->dirs, p->capacity, path);
    if (!*place) {
        *place = xstrdup(path);
        p->count++;
    }
}

static bool has(const struct parents *p, const char *dir)
{
    if (p->unsorted)
        return p->capacity && *place_of(p->dirs, p->capacity, dir);
    return p->any &&
           (strcmp(buf_cstr(&p->last), dir) == 0 || entry_path_below(buf_cstr(&p->last), dir));
}

int parents_add(struct parents *p, const char *path, parents_fn *fn, void *ctx, struct err *err)
{
    AUTO_FREE char *part = xstrdup(path);

    for (char *slash = strchr(part, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (!has(p, part)) {
            if (fn(ctx, part, err) < 0)
                return -1;
            parents_note(p, part, true);
        }
        *slash = '/';
    }
    return 0;
}

void parents_note(struct parents *p, const char *path, bool dir)
{
    if (p->unsorted) {
        if (dir)
            remember(p, path);
        return;
    }
    buf_clear(&p->last);
    buf_adds(&p->last, path);
    p->any = true;
}
