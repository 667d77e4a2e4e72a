/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_CONTROL_H
#define BUILDER_CONTROL_H

/*
 * Build arguments that tell the builder something instead of the Dockerfile (Dockerfile reference,
 * "BuildKit built-in build args"; reproducible-builds.org, SOURCE_DATE_EPOCH). Pure.
 *
 *   SOURCE_DATE_EPOCH               seconds; "context" and names of stages are refused
 *   BUILDKIT_MULTI_PLATFORM         an index for one platform too
 *   BUILDKIT_SANDBOX_HOSTNAME       of RUN steps
 *   BUILDKIT_DOCKERFILE_CHECK       builder/lint
 *   BUILDKIT_SYNTAX, BUILDKIT_BUILD_NAME, BUILDKIT_SBOM_SCAN_*   have no meaning here
 *   BUILDKIT_CONTEXT_KEEP_GIT_DIR   a repository as context keeps its .git
 *   BUILDKIT_CACHE_MOUNT_NS         tells caches of RUN --mount=type=cache apart
 *   those we do not know            refused, unless they ask for nothing
 *   BUILDKIT_INLINE_CACHE           as --cache-to type=inline
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/strv.h"

struct control {
    bool has_epoch;
    int64_t epoch;
    bool multi_platform;
    const char *hostname; /* borrowed from the arguments; NULL: the usual one */
    bool inline_cache;
    bool keep_git_dir;
    const char *cache_space; /* borrowed from the arguments; NULL: none */
};

/* build_args: "NAME=value", the last of a name counts; NULL: none. ERR_USAGE. */
int control_read(const struct strv *build_args, struct control *out, struct err *err);

#endif
