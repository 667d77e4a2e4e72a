/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_CACHE_OPTS_H
#define CLI_CACHE_OPTS_H

/* The options of `slipway build` that say where records of steps come from, go to, and are not
 * looked for. */
#include <stddef.h>

#include "base/err.h"
#include "base/strv.h"
#include "builder/cache_spec.h"
#include "cli/opts.h"

struct cache_opts {
    struct strv from, to, not_of;
};

#define CACHE_OPTS(base, member)                                                                   \
    {.type = OPT_LIST,                                                                             \
     .name = "cache-from",                                                                         \
     .value = "CACHE",                                                                             \
     .help = "take steps from this cache, too",                                                    \
     .offset = offsetof(base, member.from)},                                                       \
        {.type = OPT_LIST,                                                                         \
         .name = "cache-to",                                                                       \
         .value = "CACHE",                                                                         \
         .help = "write the steps to this cache",                                                  \
         .offset = offsetof(base, member.to)},                                                     \
    {                                                                                              \
        .type = OPT_LIST, .name = "no-cache-filter", .value = "STAGE",                             \
        .help = "carry out every step of these stages", .offset = offsetof(base, member.not_of)    \
    }

struct cache_list {
    struct cache_spec *from, *to;
    size_t from_count, to_count;
    struct strv not_of; /* stages, one each */
};

/* Both lists are to be released on failure too. insecure: hosts of specs with registry.insecure
 * are added. ERR_USAGE. */
int cache_opts_make(const struct cache_opts *o, struct cache_list *out, struct strv *insecure,
                    struct err *err);
void cache_list_release(struct cache_list *list);

#endif
