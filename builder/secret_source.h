/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_SECRET_SOURCE_H
#define BUILDER_SECRET_SOURCE_H

/* Where the build's secrets (--secret) are asked for by those who fetch: git and URLs. */
#include "base/buf.h"
#include "base/err.h"

struct secret_source {
    /* Appends the value of the secret `id`. 1: it is there, 0: there is none, -1. */
    int (*get)(void *arg, const char *id, struct buf *out, struct err *err);
    void *arg;
};

/* A secret that goes into a header: one line, its end taken off. 1, 0 (also without a source), -1.
 */
int secret_header(const struct secret_source *source, const char *id, struct buf *out,
                  struct err *err);

#endif
