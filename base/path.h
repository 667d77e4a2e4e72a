/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_PATH_H
#define BASE_PATH_H

/* Paths as text; no disk. Results are for free(). */
#include <stdbool.h>

#include "base/str.h"

/* Lexical clean-up as Go's path.Clean: no "//", no "." or inner ".."; empty becomes ".". "/.." is
 * "/". */
char *path_clean(struct str path);
/* b if it is absolute, else a/b; cleaned. */
char *path_join(const char *a, const char *b);
struct str path_base(
    struct str path); /* last component without trailing slashes; "/" for the root; borrowed */
struct str path_dir(struct str path); /* everything before it: "." or "/" when there is nothing;
                                         borrowed or static */
/* Relative form of an absolute-or-relative path for use beneath a root descriptor: cleaned as if
 * from "/", no leading slash, ".." clamped at the root, "." for the root itself. */
char *path_beneath(struct str path);
bool path_is_under(struct str path,
                   struct str dir); /* path equals dir or lies below it; both cleaned */

#endif
