/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_EMULATOR_H
#define BUILDER_EMULATOR_H

/* An emulator out of an image's layers; the image is not run. */
#include "base/err.h"

struct descriptor;
struct layout;

/*
 * The file qemu-ARCH-static, qemu-ARCH or buildkit-qemu-ARCH in /usr/bin, /usr/local/bin or /bin of
 * the image for this host, open for reading; *path: where it was, for free(). ERR_INPUT when there
 * is none.
 */
int emulator_open(struct layout *layout, const struct descriptor *image, const char *arch,
                  char **path, struct err *err);

#endif
