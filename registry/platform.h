/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_PLATFORM_H
#define REGISTRY_PLATFORM_H

/*
 * os/arch[/variant] (image-spec image-index.md, "platform"). A plain value, always normalised:
 * x86_64 is amd64, aarch64 is arm64, arm without variant is v7, arm64/v8 and amd64/v1 have no
 * variant. Pure, but for platform_host().
 */
#include <stdbool.h>

#include "base/err.h"
#include "base/json.h"

#define PLATFORM_TEXT_SIZE 160

struct platform {
    char os[32];         /* "linux" */
    char arch[32];       /* "amd64" */
    char variant[16];    /* "v7" or "" */
    char os_version[64]; /* Windows builds; "" else */
};

/* "linux/arm/v7", "linux/arm64", "arm64" (the host's os), "linux" (the host's arch). ERR_USAGE. */
int platform_parse(const char *text, struct platform *out, struct err *err);
struct platform platform_host(void);
/* "linux/arm/v7"; os_version is not shown. Returns out. */
const char *platform_format(const struct platform *p, char out[static PLATFORM_TEXT_SIZE]);
bool platform_eq(const struct platform *a, const struct platform *b);
/* How well an image for `have` runs where `want` is asked for: 0 the same, more is worse, -1 not at
 * all. amd64/v3 takes v2, v1, then 386; arm/v7 takes v6, v5; arm64 takes arm/v8, v7 …; Windows
 * compares os_version's build. */
int platform_match(const struct platform *want, const struct platform *have);
/* From and to an object with "os", "architecture", "variant", "os.version" (descriptor and config
 * alike). */
int platform_from_json(const json_t *obj, struct platform *out, struct err *err);
json_t *platform_to_json(const struct platform *p); /* new */
void platform_set_json(json_t *obj, const struct platform *p);

#endif
