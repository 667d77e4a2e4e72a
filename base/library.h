/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_LIBRARY_H
#define BASE_LIBRARY_H

/*
 * Shared libraries that are opened on first use (dlopen(3)), for the doors to them: a command that
 * does not need one does not pay for loading it. A library once opened stays.
 */
#include <stddef.h>

#include "base/err.h"

struct library_symbol {
    const char *name;
    size_t place; /* of its pointer in the caller's structure */
};

struct library {
    const char *names[3]; /* "libx.so.1", tried in turn, NULL-ended */
    const char *package;  /* Debian's, for the words of errors */
    const struct library_symbol *symbols;
    size_t count;
};

/* Fills the pointers. ERR_SYSTEM, ENOENT: it is not there, or too old. */
int library_load(const struct library *library, void *pointers, struct err *err);

#endif
