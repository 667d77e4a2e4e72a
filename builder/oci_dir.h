/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_OCI_DIR_H
#define BUILDER_OCI_DIR_H

/* An image as an OCI layout in a directory of the user's (image-spec image-layout.md), beside what
 * the layout there already holds. */
#include "base/err.h"
#include "base/strv.h"
#include "registry/descriptor.h"

struct layout;

/* names: full names; none: the image is listed without one. An entry of the same name is replaced.
 * Blobs appear whole, index.json goes last. ERR_INPUT: the directory holds something that is no
 * layout. */
int oci_dir_write(const struct layout *layout, const struct descriptor *image,
                  const struct strv *names, const char *dest, struct err *err);

#endif
