/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_RECODE_H
#define BUILDER_RECODE_H

/*
 * A layer in another codec: inflate, compress, one pass. What came out is remembered
 * (cache/recoded/<hex of diff id>-<codec>-<level>: the descriptor as JSON), so nothing is
 * compressed twice.
 */
#include "base/err.h"
#include "builder/compress.h"
#include "registry/descriptor.h"

struct layout;
struct pool;

/* The codec that the media type names; readers go by the bytes. */
enum codec recode_codec_of(const struct descriptor *layer);
/* `from` must be in the store. out gets an OCI media type. ERR_INPUT: the bytes are not those of
 * diff_id. */
int recode_layer(struct layout *layout, struct pool *pool, const char *diff_id,
                 const struct descriptor *from, enum codec codec, int level, struct descriptor *out,
                 struct err *err);

#endif
