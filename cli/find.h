/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_FIND_H
#define CLI_FIND_H

/* The image that an argument means: a name, an id or its beginning (layout_find). Not there is an
 * error that says what may have been meant. */
#include "base/err.h"
#include "registry/layout.h"

/* name: the full name it was found by, for free(), NULL when by id; may be NULL. */
int find_image(const struct layout *l, const char *text, struct descriptor *out, char **name,
               struct err *err);

#endif
