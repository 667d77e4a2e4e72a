/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RUNTIME_CHROOT_H
#define RUNTIME_CHROOT_H

#include "base/err.h"

/* Does in a child what isolation chroot asks of the kernel: another root, device nodes that work,
 * owners. */
int chroot_probe(struct err *err);

#endif
