/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/step_usage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/scope.h"
#include "base/strv.h"
#include "builder/cache.h"
#include "registry/layout.h"

void step_usage_name(struct step_usage *usage, const char *created_by)
{
    struct sha256 hash;

    sha256_begin(&hash);
    sha256_add(&hash, created_by, strlen(created_by));
    sha256_end_hex(&hash, usage->step);
}

json_t *step_usage_to_json(const struct step_usage *u)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:s}", "cpuUs", (json_int_t)u->cpu_us, "memory",
                     (json_int_t)u->memory, "read", (json_int_t)u->read, "written",
                     (json_int_t)u->written, "step", u->step);
}

int step_usage_from_json(json_t *value, struct step_usage *u, struct err *err)
{
    json_int_t cpu_us, memory, read, written;
    const char *step;

    if (json_take(value, err, "{s:I, s:I, s:I, s:I, s:s}", "cpuUs", &cpu_us, "memory", &memory,
                  "read", &read, "written", &written, "step", &step) < 0)
        return -1;
    if (cpu_us < 0 || memory < 0 || read < 0 || written < 0 || strlen(step) >= sizeof(u->step))
        return err_set(err, ERR_INPUT, 0, "usage has a value that cannot be");
    *u = (struct step_usage){.known = true,
                             .cpu_us = (uint64_t)cpu_us,
                             .memory = (uint64_t)memory,
                             .read = (uint64_t)read,
                             .written = (uint64_t)written};
    memcpy(u->step, step, strlen(step) + 1);
    return 0;
}

/* ---- those of a store ---- */

void step_usages_release(struct step_usages *all)
{
    free(all->rows);
    *all = (struct step_usages){0};
}

int step_usages_load(const struct layout *layout, struct step_usages *all, struct err *err)
{
    SCOPED(strv_release) struct strv names = {0};
    AUTO_FD int fd = openat(layout->cache_fd, "steps", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return errno == ENOENT ? 0 : err_errno(err, "open the records of steps");
    if (fs_list(fd, &names, err) < 0)
        return -1;
    for (size_t i = 0; i < names.count; i++) {
        SCOPED(cache_record_release) struct cache_record record = {0};
        struct step_usages_row *row;
        int found = 0;

        if (strlen(names.ptr[i]) == SHA256_HEX_SIZE - 1)
            found = cache_find(layout, names.ptr[i], &record, err);
        if (found < 0)
            return -1;
        if (found == 0 || !record.has_layer || !record.usage.known)
            continue;
        VEC_GROW(all->rows, all->count, all->capacity);
        row = &all->rows[all->count++];
        *row = (struct step_usages_row){.usage = record.usage};
        memcpy(row->created, record.created, sizeof(row->created));
        memcpy(row->diff_id, record.diff_id, sizeof(row->diff_id));
    }
    return 0;
}

const struct step_usage *step_usages_find(const struct step_usages *all, const char *created_by,
                                          const char *created, const char *diff_id)
{
    const struct step_usage *best = NULL;
    struct step_usage wanted = {0};

    step_usage_name(&wanted, created_by);
    for (size_t i = 0; i < all->count; i++) {
        const struct step_usages_row *r = &all->rows[i];

        if (strcmp(r->diff_id, diff_id) != 0 || strcmp(r->usage.step, wanted.step) != 0)
            continue;
        if (strcmp(r->created, created) == 0)
            return &r->usage;
        best = &r->usage; /* the same command, on something else: it came to the same */
    }
    return best;
}
