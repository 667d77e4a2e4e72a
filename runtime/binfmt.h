/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RUNTIME_BINFMT_H
#define RUNTIME_BINFMT_H

/*
 * The spawner's binfmt_misc: an instance of its own user namespace (Linux 6.7), which all sandboxes
 * are in. It lives as long as its descriptor is open, and is attached nowhere. Once there is one
 * the host's registrations count no more in the sandboxes, so it gets every emulator that was
 * found. Where there can be none, the host's registrations are what there is; they are not touched.
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "runtime/emulate.h"

struct binfmt {
    int mount_fd; /* the instance; -1: none */
    bool tried;   /* … and why there is none: */
    struct err none;
    unsigned ours; /* bits: those registered here */
    unsigned host; /* bits: those that the host's registrations ran */
};
#define BINFMT_CLOSED                                                                              \
    {                                                                                              \
        .mount_fd = -1                                                                             \
    }

enum binfmt_verdict {
    BINFMT_NONE,   /* its programs do not run */
    BINFMT_NATIVE, /* they run on the processor itself (or by what the host registered; see
                      emulate_may_be_native()) */
    BINFMT_HOST,   /* by what the host registered */
    BINFMT_OURS,   /* by the emulator that came with the question */
};

/*
 * Do programs for `arch` run in sandboxes? fds[i]: the emulator for architecture i, open for
 * reading; -1: none was found. may_mount: this process is in a user namespace of its own, and may
 * mount. *why: with BINFMT_NONE, and with BINFMT_HOST as far as there is something to say, what
 * stood in the way; else empty.
 */
enum binfmt_verdict binfmt_ask(struct binfmt *b, size_t arch, const int fds[static EMULATE_ARCHS],
                               bool may_mount, struct err *why);

#endif
