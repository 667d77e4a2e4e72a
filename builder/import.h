/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_IMPORT_H
#define BUILDER_IMPORT_H

/*
 * A root file system as a tar becomes an image of one layer. gzip, zstd and plain tars stream
 * straight into the store, their tar kept byte for byte; what libarchive alone can read (xz, bzip2,
 * lzma, compress) is written anew.
 */
#include <stdbool.h>

#include "base/err.h"
#include "base/strv.h"
#include "registry/descriptor.h"
#include "registry/platform.h"

struct layout;
struct pool;

struct import_options {
    struct platform platform;
    const struct strv *
        changes; /* "CMD nginx", "ENV A=b" …: Dockerfile instructions that touch the config alone */
    const char *message; /* the history's comment; NULL: none */
};

/* fd: a file or a pipe, read from where it stands. *out: the manifest, in the store, not named yet.
 */
int import_image(struct layout *layout, struct pool *pool, int fd,
                 const struct import_options *options, struct descriptor *out, struct err *err);

#endif
