/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cache_opts.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/csv.h"
#include "base/scope.h"
#include "registry/reference.h"

static void release_specs(struct cache_spec **specs, size_t *count)
{
    for (size_t i = 0; i < *count; i++)
        cache_spec_release(&(*specs)[i]);
    scope_free(specs);
    *count = 0;
}

void cache_list_release(struct cache_list *list)
{
    release_specs(&list->from, &list->from_count);
    release_specs(&list->to, &list->to_count);
    strv_release(&list->not_of);
}

static int parse_all(const struct strv *given, bool to, struct cache_spec **specs, size_t *count,
                     struct strv *insecure, struct err *err)
{
    *specs = xcalloc(given->count + 1, sizeof(**specs));
    for (size_t i = 0; i < given->count; i++) {
        SCOPED(reference_release) struct reference ref = {0};
        struct cache_spec *spec = &(*specs)[*count];

        if (cache_spec_parse(str_of(given->ptr[i]), to, spec, err) < 0 ||
            (spec->ref && reference_parse(spec->ref, &ref, err) < 0)) {
            cache_spec_release(spec);
            return err_wrap(err, "--cache-%s %.200s", to ? "to" : "from", given->ptr[i]);
        }
        ++*count;
        if (spec->insecure && !strv_has(insecure, ref.host))
            strv_add(insecure, ref.host);
    }
    return 0;
}

int cache_opts_make(const struct cache_opts *o, struct cache_list *out, struct strv *insecure,
                    struct err *err)
{
    if (parse_all(&o->from, false, &out->from, &out->from_count, insecure, err) < 0 ||
        parse_all(&o->to, true, &out->to, &out->to_count, insecure, err) < 0)
        return -1;
    for (size_t i = 0; i < o->not_of.count; i++)
        if (csv_fields(str_of(o->not_of.ptr[i]), &out->not_of, err) < 0)
            return err_wrap(err, "--no-cache-filter %.200s", o->not_of.ptr[i]);
    return 0;
}
