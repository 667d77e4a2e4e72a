/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_ENC_H
#define BASE_ENC_H

/* Text forms of bytes. Encoders append to a buffer; decoders return false on any foreign character.
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/str.h"

void hex_encode(struct buf *out, const void *bytes, size_t size); /* lower case */
bool hex_decode(struct buf *out, struct str text);
void base64_encode(struct buf *out, const void *bytes, size_t size);
bool base64_decode(
    struct buf *out,
    struct str text); /* standard and URL alphabets, padding optional, white space skipped */
/* RFC 3986: all but unreserved characters as %XX; those in `keep` stay too ("/" for paths). */
void percent_encode(struct buf *out, struct str text, const char *keep);
bool percent_decode(struct buf *out, struct str text);

#endif
