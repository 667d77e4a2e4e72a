/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_EXEC_ADD_H
#define BUILDER_EXEC_ADD_H

/* Sources of ADD that are fetched. */
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/hash.h"

struct sources;
struct source;
struct origin;
struct copy_request;
struct copy_spec;
struct instruction;

struct added {
    struct source **sources; /* one for each source of the spec; NULL: a local one */
    struct origin **origins; /* the same, for copy_request.origins, after added_open() */
    size_t count;
    bool local; /* the spec has a source that is read where COPY reads */
    /* Repositories alone: the key is made of their commits, and nothing is checked out while the
     * layer is remembered. */
    bool deferred;
};

/* Finds what is fetched, and asks what it is. */
int added_find(struct sources *table, const struct copy_spec *spec, struct added *added,
               struct err *err);
void added_release(struct added *added);
/* Fetches it, for request->origins. */
int added_open(struct added *added, struct copy_request *request, struct err *err);
/* When it is deferred: all that decides about the layer, but for the layers below. */
void added_hash(const struct added *added, const struct copy_request *request,
                const struct instruction *in, struct sha256 *h);

#endif
