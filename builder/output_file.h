/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_OUTPUT_FILE_H
#define BUILDER_OUTPUT_FILE_H

/*
 * A file that the user named and that appears whole: written beside its place, renamed at the end.
 * "-" is standard output; what exists and is no regular file (/dev/null, a pipe) is written to
 * directly. Who is killed leaves nothing, where the file system can do that.
 */
#include <stdbool.h>

#include "base/err.h"

struct output_file {
    int fd;
    char *dest;
    char *temporary; /* the name it has till then; NULL: written directly */
    bool nameless;   /* it will have that name for a moment only (O_TMPFILE) */
};

#define OUTPUT_FILE_CLOSED                                                                         \
    {                                                                                              \
        .fd = -1                                                                                   \
    }

int output_file_open(struct output_file *file, const char *dest, struct err *err);
int output_file_commit(struct output_file *file, struct err *err);
void output_file_release(struct output_file *file); /* what was not committed never was */

#endif
