/* SPDX-License-Identifier: Apache-2.0 */
/* libcrypto's one-shot context functions: deprecated, but they need no provider look-up (1-3 ms at
 * start) and no heap. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "base/hash.h"

#include <openssl/sha.h>
#include <string.h>

_Static_assert(sizeof(SHA256_CTX) <= sizeof(struct sha256),
               "struct sha256 holds libcrypto's context");

static SHA256_CTX *context(struct sha256 *h)
{
    return (SHA256_CTX *)(void *)h->state;
}

void sha256_begin(struct sha256 *h)
{
    *h = (struct sha256){0};
    SHA256_Init(context(h));
}

void sha256_add(struct sha256 *h, const void *bytes, size_t size)
{
    SHA256_Update(context(h), bytes, size);
}

void sha256_add_u64(struct sha256 *h, uint64_t value)
{
    uint8_t wire[8];

    for (int i = 0; i < 8; i++)
        wire[i] = (uint8_t)(value >> (56 - 8 * i));
    sha256_add(h, wire, sizeof(wire));
}

void sha256_add_framed(struct sha256 *h, struct str s)
{
    sha256_add_u64(h, s.size);
    sha256_add(h, s.ptr ? s.ptr : "", s.size);
}

void sha256_end(struct sha256 *h, uint8_t out[static SHA256_SIZE])
{
    SHA256_Final(out, context(h));
}

static void to_hex(const uint8_t raw[static SHA256_SIZE], char *out)
{
    static const char hex[] = "0123456789abcdef";

    for (size_t i = 0; i < SHA256_SIZE; i++) {
        out[2 * i] = hex[raw[i] >> 4];
        out[2 * i + 1] = hex[raw[i] & 15];
    }
    out[2 * SHA256_SIZE] = 0;
}

void sha256_end_hex(struct sha256 *h, char out[static SHA256_HEX_SIZE])
{
    uint8_t raw[SHA256_SIZE];

    sha256_end(h, raw);
    to_hex(raw, out);
}

void sha256_end_digest(struct sha256 *h, char out[static DIGEST_SIZE])
{
    uint8_t raw[SHA256_SIZE];

    sha256_end(h, raw);
    memcpy(out, "sha256:", 7);
    to_hex(raw, out + 7);
}

void sha256_of(const void *bytes, size_t size, uint8_t out[static SHA256_SIZE])
{
    struct sha256 h;

    sha256_begin(&h);
    sha256_add(&h, bytes, size);
    sha256_end(&h, out);
}

void digest_of(const void *bytes, size_t size, char out[static DIGEST_SIZE])
{
    struct sha256 h;

    sha256_begin(&h);
    sha256_add(&h, bytes, size);
    sha256_end_digest(&h, out);
}

/* RFC 2104 over the functions above. */
void hmac_sha256(const void *key, size_t key_size, const void *bytes, size_t size,
                 uint8_t out[static SHA256_SIZE])
{
    uint8_t block[64] = {0}, inner[SHA256_SIZE];
    struct sha256 h;

    if (key_size > sizeof(block))
        sha256_of(key, key_size, block);
    else if (key_size)
        memcpy(block, key, key_size);
    for (size_t i = 0; i < sizeof(block); i++)
        block[i] ^= 0x36;
    sha256_begin(&h);
    sha256_add(&h, block, sizeof(block));
    sha256_add(&h, bytes, size);
    sha256_end(&h, inner);
    for (size_t i = 0; i < sizeof(block); i++)
        block[i] ^= 0x36 ^ 0x5c;
    sha256_begin(&h);
    sha256_add(&h, block, sizeof(block));
    sha256_add(&h, inner, sizeof(inner));
    sha256_end(&h, out);
    explicit_bzero(block, sizeof(block));
}

bool digest_valid(const char *digest)
{
    if (strncmp(digest, "sha256:", 7) != 0 || strlen(digest) != DIGEST_SIZE - 1)
        return false;
    return strspn(digest + 7, "0123456789abcdef") == 64;
}

const char *digest_hex(const char *digest)
{
    const char *colon = strchr(digest, ':');

    return colon ? colon + 1 : digest;
}
