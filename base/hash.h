/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

/* SHA-256 and HMAC-SHA-256, streaming: the door to libcrypto. struct sha256 is plain bytes: copy
 * it, drop it. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

#define SHA256_SIZE 32
#define SHA256_HEX_SIZE 65 /* with the NUL */
#define DIGEST_SIZE 72 /* "sha256:" + 64 lower hex + NUL (image-spec descriptor.md, "Digests") */

struct sha256 {
    uint64_t state[16]; /* libcrypto's context, opaque */
};

void sha256_begin(struct sha256 *h);
void sha256_add(struct sha256 *h, const void *bytes, size_t size);
/* A number or a slice with its length before it, so that neighbours cannot run together (cache
 * keys). */
void sha256_add_u64(struct sha256 *h, uint64_t value);
void sha256_add_framed(struct sha256 *h, struct str s);
void sha256_end(struct sha256 *h, uint8_t out[static SHA256_SIZE]);
void sha256_end_hex(struct sha256 *h, char out[static SHA256_HEX_SIZE]);
void sha256_end_digest(struct sha256 *h, char out[static DIGEST_SIZE]);
void sha256_of(const void *bytes, size_t size, uint8_t out[static SHA256_SIZE]);
void digest_of(const void *bytes, size_t size, char out[static DIGEST_SIZE]);
void hmac_sha256(const void *key, size_t key_size, const void *bytes, size_t size,
                 uint8_t out[static SHA256_SIZE]);

/* "sha256:" and exactly 64 lower hex digits. */
bool digest_valid(const char *digest);
const char *digest_hex(const char *digest); /* past the colon; borrowed */

#endif
