/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_TRIPWIRE_H
#define BUILDER_TRIPWIRE_H

/*
 * Finds values that must not be there (secrets) in streams of bytes. Pure. Each value of 8 bytes
 * and more is looked for as it is (without white space at its ends) and inside base64 text, in all
 * three ways that its bytes can fall there, plain and URL-safe, and wrapped into lines of 76. All
 * patterns in one pass that skips most bytes (Wu and Manber).
 *
 *     struct tripwire *wire = tripwire_new();
 *     tripwire_add(wire, "npm", value);              for each
 *     SCOPED(tripwire_scan_release) struct tripwire_scan scan = {.wire = wire};
 *     tripwire_feed(&scan, bytes, size);  …          one stream; any chunks
 *     tripwire_end(&scan);                           the stream is over; the scan may begin another
 *     if (scan.found) …                              the name of what was found, until it is
 * cleared
 *
 * A wire may be used by any number of scans in any threads once all is added. It holds copies of
 * the values; tripwire_free() wipes them.
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/str.h"

#define TRIPWIRE_MIN 8 /* shorter values are found everywhere */

struct tripwire;

struct tripwire *tripwire_new(void);
void tripwire_free(struct tripwire *wire); /* NULL is fine */
/* false: too short to be looked for. name: what reports call it; copied. */
bool tripwire_add(struct tripwire *wire, const char *name, struct str value);
bool tripwire_is_empty(const struct tripwire *wire); /* NULL is empty */

struct tripwire_scan {
    const struct tripwire *wire;
    struct buf window; /* bytes that were not judged yet, and those a find may begin in */
    const char *found; /* borrowed from wire */
};

void tripwire_scan_release(struct tripwire_scan *scan);
void tripwire_feed(struct tripwire_scan *scan, const void *bytes, size_t size);
void tripwire_end(struct tripwire_scan *scan);
/* A whole stream at once: the name of what is in it, or NULL. */
const char *tripwire_find(const struct tripwire *wire, struct str text);

/*
 * The same for text that is to be shown: appends to out what is harmless, with "[secret NAME]" in
 * the place of each find; keeps back only what may be the beginning of one. size 0: the stream is
 * over, and all is given.
 */
void tripwire_redact(struct tripwire_scan *scan, const void *bytes, size_t size, struct buf *out);
/* A whole text at once, in place. */
void tripwire_clean(const struct tripwire *wire, struct buf *text);

#endif
