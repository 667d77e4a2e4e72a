/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_FOREIGN_H
#define BUILDER_FOREIGN_H

/* An image of an OCI layout that is not ours (image-spec image-layout.md), into our store: what one
 * platform needs of it, each blob checked against its descriptor. Nothing of ours is made there. */
#include "base/err.h"
#include "registry/descriptor.h"
#include "registry/platform.h"

struct layout;

/* text: see named_split_layout(). Without tag and digest: the one called "latest", else the only
 * one. *out: what index.json names; its blobs are in the store. */
int foreign_load(struct layout *layout, const char *text, const struct platform *platform,
                 struct descriptor *out, struct err *err);

/* One blob of the OCI layout at dir_fd, when the store lacks it. */
int foreign_copy_blob(const struct layout *layout, int dir_fd, const struct descriptor *blob,
                      struct err *err);
/* What index.json of that layout calls by this tag, or lists under this digest (NULL: see above).
 * *out is empty on failure. */
int foreign_find(int dir_fd, const char *tag, const char *digest, struct descriptor *out,
                 struct err *err);

#endif
