/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_TEXT_H
#define BUILDER_TEXT_H

/* Characters as the Dockerfile language sees them: UTF-8 where it is well formed, else single
 * bytes. Pure. */
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/str.h"
#include "base/strv.h"

/* Bytes of the character that s begins with: 1 to 4; 1 for a byte that is no UTF-8; 0 for no bytes.
 */
size_t text_char(struct str s);
/* Bytes of the white space character (Unicode's White_Space) that s begins with; 0: none. */
size_t text_space(struct str s);
/* White space taken off both ends. */
struct str text_trim(struct str s);
/* Bytes of the letter or "_" that s begins with; 0: none. Beyond ASCII: the blocks of the scripts,
 * not each letter. */
size_t text_letter(struct str s);
/* "text" in Go's %q form, and a list in its %q and %v forms: ["a" "b"], [a b]. History entries are
 * written so. */
void text_quote(struct buf *out, struct str s);
void text_quote_list(struct buf *out, const struct strv *v);
void text_list(struct buf *out, const struct strv *v);

#endif
