/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_DESCRIPTOR_H
#define REGISTRY_DESCRIPTOR_H

/* One content descriptor (image-spec descriptor.md): type, digest, size, and whatever else its
 * author wrote. Pure. */
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/hash.h"
#include "base/json.h"
#include "registry/platform.h"

#define DESCRIPTOR_SIZE_MAX                                                                        \
    ((uint64_t)1 << 50) /* ours: no blob is a petabyte; keeps sums of sizes in range */

struct descriptor {
    char *media_type;         /* never NULL once filled */
    char digest[DIGEST_SIZE]; /* valid sha256; other algorithms are refused by name */
    uint64_t size;
    struct platform platform; /* meaningful when has_platform */
    bool has_platform;
    json_t *doc; /* all members as they stood, or NULL when we made it; ours, not to be changed */
};

void descriptor_release(struct descriptor *d);
void descriptor_copy(struct descriptor *to, const struct descriptor *from); /* to is empty */
void descriptor_set(struct descriptor *d, const char *media_type, const char *digest,
                    uint64_t size); /* d is empty */
void descriptor_set_platform(struct descriptor *d, const struct platform *p);
/* ERR_INPUT. out is empty on failure. */
int descriptor_from_json(json_t *value, struct descriptor *out, struct err *err);
json_t *descriptor_to_json(const struct descriptor *d); /* new; members we do not know are kept */
/* Value of an annotation or NULL; borrowed. descriptor_annotate sets one (value NULL removes it).
 */
const char *descriptor_annotation(const struct descriptor *d, const char *key);
void descriptor_annotate(struct descriptor *d, const char *key, const char *value);
/* "urls" of foreign layers and embedded "data", borrowed arrays/strings of doc, or NULL. */
const json_t *descriptor_urls(const struct descriptor *d);
const char *descriptor_data(const struct descriptor *d); /* base64 */
/* buildkit's attestation entries and others that are no image: platform unknown/unknown. */
bool descriptor_is_attestation(const struct descriptor *d);

#endif
