/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_CHMOD_H
#define BUILDER_CHMOD_H

/* --chmod: octal (0 to 7777), or chmod(1)'s symbolic form: [ugoa]*([-+=]([rwxXst]*|[ugo]))+ , …
 * What the letters do is BSD's setmode(3), as in BuildKit: X looks at the mode before all changes,
 * "=" leaves the sticky bit alone. Pure; umask plays no part. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

#define CHMOD_CHANGES_MAX 32

struct chmod_change {
    uint8_t who; /* bits: 4 user, 2 group, 1 other */
    char op;     /* '+', '-' or '=' */
    char copy;   /* 'u', 'g' or 'o': permissions are copied from there; else 0 */
    uint8_t rwx; /* permissions as one octal digit */
    bool cond_x; /* X: x for directories, and where somebody had x */
    bool set_id; /* s: setuid for user, setgid for group */
    bool sticky; /* t */
};

struct chmod {
    bool is_octal;
    uint32_t octal;
    struct chmod_change changes[CHMOD_CHANGES_MAX];
    size_t count;
};

int chmod_parse(struct str text, struct chmod *out, struct err *err);
/* The mode (07777 bits) after the change. */
uint32_t chmod_apply(const struct chmod *c, uint32_t mode, bool is_dir);

#endif
