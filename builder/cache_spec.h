/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_CACHE_SPEC_H
#define BUILDER_CACHE_SPEC_H

/*
 * Where step records come from and go to, as `--cache-from` and `--cache-to` say it, with the keys
 * that BuildKit gave them (BuildKit README, "Export cache"). Pure.
 *
 *     type=registry,ref=NAME[,mode=max]      an image manifest of its own at a registry
 *     type=local,dest=DIR (to), src=DIR (from)   the same in an OCI layout
 *     type=inline                            in the config of the image itself (to; min only)
 *     NAME                                   is type=registry,ref=NAME
 *
 * A key or type that is not carried out is an error that names it, unless its value asks for
 * nothing.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "builder/compress.h"

enum cache_type { CACHE_LOCAL, CACHE_REGISTRY, CACHE_INLINE };

struct cache_spec {
    enum cache_type type;
    char *dir;    /* CACHE_LOCAL */
    char *tag;    /* CACHE_LOCAL: name in its index.json; NULL: "latest" */
    char *digest; /* CACHE_LOCAL, from: this manifest */
    char *ref;    /* CACHE_REGISTRY */
    bool max;     /* steps of every stage, not only of those the image is made of */
    bool insecure;
    bool ignore_error; /* to: a failure is a warning; from: it always is, unless `required` */
    bool required;     /* from: ignore-error=false */
    bool has_codec;
    enum codec codec;         /* of the layers that are written */
    int level;                /* 0: the codec's default */
    bool mounts;              /* the contents of RUN --mount=type=cache go along */
    uint64_t mounts_max_size; /* bytes of their tars together */
};

#define CACHE_MOUNTS_MAX_SIZE                                                                      \
    ((uint64_t)1 << 30) /* ours: unless cache-mounts-max-size says other */

/* to: --cache-to, else --cache-from. ERR_USAGE; out is empty on failure. Names are not checked. */
int cache_spec_parse(struct str text, bool to, struct cache_spec *out, struct err *err);
void cache_spec_release(struct cache_spec *spec);

#endif
