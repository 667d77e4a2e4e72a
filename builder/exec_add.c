/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/exec_add.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "builder/copy.h"
#include "builder/instruction.h"
#include "builder/sources.h"

void added_release(struct added *added)
{
    free(added->sources);
    free(added->origins);
    *added = (struct added){0};
}

static int find_all(struct sources *table, const struct copy_spec *spec, struct added *added,
                    struct err *err)
{
    size_t repositories = 0;

    added->count = spec->sources.count;
    added->sources = xcalloc(added->count + 1, sizeof(struct source *));
    added->local = spec->sources.count == 0;
    for (size_t i = 0; i < added->count; i++) {
        struct source_request request = {.text = spec->sources.ptr[i],
                                         .checksum = spec->checksum,
                                         .keep_git_dir = spec->keep_git_dir};
        int remote = spec->is_add ? sources_find(table, &request, &added->sources[i], err) : 0;

        if (remote < 0)
            return -1;
        if (!remote)
            added->local = true;
        else
            repositories += source_is_git(added->sources[i]);
    }
    added->deferred = repositories && !added->local && !spec->files_count;
    if (spec->keep_git_dir == GITURL_YES && !repositories)
        return err_set(err, ERR_INPUT, 0, "ADD --keep-git-dir is for git repositories");
    return 0;
}

int added_find(struct sources *table, const struct copy_spec *spec, struct added *added,
               struct err *err)
{
    if (find_all(table, spec, added, err) < 0)
        return -1;
    for (size_t i = 0; i < added->count; i++)
        if (added->sources[i] && source_resolve(added->sources[i], err) < 0)
            return -1;
    return 0;
}

int added_open(struct added *added, struct copy_request *request, struct err *err)
{
    if (!added->origins)
        added->origins = xcalloc(added->count + 1, sizeof(struct origin *));
    for (size_t i = 0; i < added->count; i++) {
        if (!added->sources[i])
            continue;
        added->origins[i] = source_open(added->sources[i], err);
        if (!added->origins[i])
            return -1;
    }
    request->origins = added->origins;
    return 0;
}

void added_hash(const struct added *added, const struct copy_request *request,
                const struct instruction *in, struct sha256 *h)
{
    const struct copy_spec *spec = request->spec;

    sha256_add_framed(h, STR("fetched"));
    sha256_add_framed(h, str_of(spec->created_by));
    sha256_add_framed(h, str_of(spec->dest));
    sha256_add_u64(h, request->has_owner);
    sha256_add_u64(h, (uint64_t)request->uid << 32 | request->gid);
    sha256_add_u64(h, in->flags_count);
    for (size_t i = 0; i < in->flags_count; i++) {
        sha256_add_framed(h, str_of(in->flags[i].name));
        sha256_add_framed(h, str_of(in->flags[i].value));
    }
    sha256_add_u64(h, added->count);
    for (size_t i = 0; i < added->count; i++)
        source_hash(added->sources[i], h);
}
