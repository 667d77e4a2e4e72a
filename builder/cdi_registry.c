/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cdi_registry.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/log.h"
#include "base/scope.h"
#include "base/yaml.h"

#define FILE_MAX (4u << 20) /* ours: nobody's is longer */

void cdi_registry_init(struct cdi_registry *r)
{
    *r = (struct cdi_registry){.lock = PTHREAD_MUTEX_INITIALIZER};
}

void cdi_registry_release(struct cdi_registry *r)
{
    for (size_t i = 0; i < r->count; i++)
        cdi_spec_release(&r->entries[i].spec);
    free(r->entries);
    strv_release(&r->dirs);
    strv_release(&r->broken);
    pthread_mutex_destroy(&r->lock);
}

void cdi_found_release(struct cdi_found *found)
{
    strv_release(&found->names);
    cdi_edits_release(&found->edits);
}

/* --- reading --- */

static bool is_spec_name(const char *name)
{
    const char *dot = strrchr(name, '.');

    return dot &&
           (strcmp(dot, ".json") == 0 || strcmp(dot, ".yaml") == 0 || strcmp(dot, ".yml") == 0);
}

static int read_spec(int dir_fd, const char *file, const char *name, struct cdi_spec *spec,
                     struct err *err)
{
    SCOPED(buf_release) struct buf text = {0};
    json_auto_t *doc = NULL;
    AUTO_FD int fd =
        openat(dir_fd, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC); /* no pipe is waited for */

    if (fd < 0)
        return err_errno(err, "open");
    if (fs_read(fd, &text, FILE_MAX, err) < 0)
        return -1;
    doc = strcmp(strrchr(name, '.'), ".json") == 0 ? json_parse(buf_str(&text), err)
                                                   : yaml_parse(buf_str(&text), err);
    return doc ? cdi_spec_parse(file, doc, spec, err) : -1;
}

/* A file that is wrong takes nothing from the others; it is told when a device is looked for in
 * vain. */
static void load_dir(struct cdi_registry *r, const char *dir, size_t rank)
{
    SCOPED(strv_release) struct strv names = {0};
    struct err err = {0};
    AUTO_FD int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0) {
        if (errno != ENOENT)
            strv_addf(&r->broken, "%s: %s", dir, strerror(errno));
        return;
    }
    if (fs_list(fd, &names, &err) < 0) {
        strv_addf(&r->broken, "%s: %s", dir, err.text);
        return;
    }
    strv_sort(&names);
    for (size_t i = 0; i < names.count; i++) {
        AUTO_FREE char *file = xasprintf("%s/%s", dir, names.ptr[i]);
        struct cdi_spec spec;

        if (!is_spec_name(names.ptr[i]))
            continue;
        err = (struct err){0};
        if (read_spec(fd, file, names.ptr[i], &spec, &err) < 0) {
            strv_addf(&r->broken, "%s: %s", file, err.text);
            continue;
        }
        VEC_GROW(r->entries, r->count, r->capacity);
        r->entries[r->count++] = (struct cdi_entry){spec, rank};
    }
}

static void load(struct cdi_registry *r)
{
    static const char *const dirs[] = {CDI_DIRS};

    if (r->is_loaded)
        return;
    r->is_loaded = true;
    for (size_t i = 0; i < r->dirs.count; i++)
        load_dir(r, r->dirs.ptr[i], i);
    for (size_t i = 0; r->dirs.count == 0 && i < ARRAY_SIZE(dirs); i++)
        load_dir(r, dirs[i], i);
    for (size_t i = 0; i < r->broken.count; i++)
        log_warn("devices: %s; left out", r->broken.ptr[i]);
}

/* --- finding --- */

struct hit {
    const struct cdi_spec *spec;
    const struct cdi_device *device;
    size_t rank;
    const struct cdi_spec *twice; /* another of the same rank tells of it, too */
};

struct hits {
    struct hit *items; /* by name, each name once: that of the highest rank */
    size_t count, capacity;
};

static void add_hit(struct hits *hits, const struct cdi_entry *e, const struct cdi_device *d)
{
    size_t at = 0;

    while (at < hits->count && strcmp(hits->items[at].device->name, d->name) < 0)
        at++;
    if (at < hits->count && strcmp(hits->items[at].device->name, d->name) == 0) {
        struct hit *old = &hits->items[at];

        if (e->rank == old->rank)
            old->twice = &e->spec;
        else if (e->rank > old->rank)
            *old = (struct hit){&e->spec, d, e->rank, NULL};
        return;
    }
    VEC_GROW(hits->items, hits->count, hits->capacity);
    memmove(&hits->items[at + 1], &hits->items[at], (hits->count - at) * sizeof(*hits->items));
    hits->items[at] = (struct hit){&e->spec, d, e->rank, NULL};
    hits->count++;
}

static void list_kind(const struct cdi_registry *r, struct str kind, struct hits *hits)
{
    for (size_t i = 0; i < r->count; i++) {
        const struct cdi_entry *e = &r->entries[i];

        if (!str_is(kind, e->spec.kind))
            continue;
        for (size_t k = 0; k < e->spec.count; k++)
            add_hit(hits, e, &e->spec.devices[k]);
    }
}

/* Keeps what the name means. */
static void choose(struct hits *hits, struct str name)
{
    bool exact = false;
    size_t kept = 0;

    for (size_t i = 0; i < hits->count; i++)
        exact = exact || str_is(name, hits->items[i].device->name);
    for (size_t i = 0; i < hits->count; i++) {
        const struct cdi_device *d = hits->items[i].device;
        bool wanted;

        if (!name.size)
            wanted = i == 0;
        else if (str_is(name, "*"))
            wanted = true;
        else if (exact)
            wanted = str_is(name, d->name);
        else
            wanted = d->class && str_is(name, d->class);
        if (wanted)
            hits->items[kept++] = hits->items[i];
    }
    hits->count = kept;
}

static bool is_allowed(const struct cdi_allowed *allowed, const struct hit *hit, const char *full)
{
    AUTO_FREE char *all = xasprintf("%s=*", hit->spec->kind);

    return allowed->all || hit->device->auto_allow || strv_has(&allowed->names, full) ||
           strv_has(&allowed->names, hit->spec->kind) || strv_has(&allowed->names, all);
}

static int take_hit(const struct hits *hits, size_t at, const struct cdi_allowed *allowed,
                    struct cdi_found *found, struct err *err)
{
    const struct hit *hit = &hits->items[at];
    AUTO_FREE char *full = xasprintf("%s=%s", hit->spec->kind, hit->device->name);
    bool spec_is_new = true;

    if (hit->twice)
        return err_set(err, ERR_INPUT, 0, "device %s is described twice, in %s and in %s", full,
                       hit->spec->file, hit->twice->file);
    if (!is_allowed(allowed, hit, full))
        return err_set(err, ERR_INPUT, 0,
                       "device %s is not allowed without --allow device=%s (or --allow device, for "
                       "all of them)",
                       full, full);
    for (size_t i = 0; i < at; i++)
        spec_is_new = spec_is_new && hits->items[i].spec != hit->spec;
    if (spec_is_new)
        cdi_edits_add(&found->edits, &hit->spec->edits);
    cdi_edits_add(&found->edits, &hit->device->edits);
    if (found->edits.missing)
        return err_set(err, ERR_INPUT, 0, "device %s (%s) needs %s, which is not supported", full,
                       hit->spec->file, found->edits.missing);
    strv_add(&found->names, full);
    return 0;
}

int cdi_find(struct cdi_registry *r, const char *request, const struct cdi_allowed *allowed,
             struct cdi_found *found, struct err *err)
{
    struct hits hits = {0};
    struct str kind, name;
    int rc = 0;

    cdi_found_release(found);
    *found = (struct cdi_found){0};
    if (cdi_name_parse(str_of(request), &kind, &name, err) < 0)
        return -1;
    pthread_mutex_lock(&r->lock);
    load(r);
    pthread_mutex_unlock(&r->lock); /* nobody changes it from now on */
    list_kind(r, kind, &hits);
    choose(&hits, name);
    for (size_t i = 0; rc == 0 && i < hits.count; i++)
        rc = take_hit(&hits, i, allowed, found, err);
    free(hits.items);
    return rc;
}
