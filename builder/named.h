/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_NAMED_H
#define BUILDER_NAMED_H

/*
 * --build-context NAME=VALUE: what FROM, COPY --from and RUN --mount from= find under NAME before
 * they look for a stage or an image of that name; a stage FROM … AS NAME is that, too, whatever the
 * Dockerfile makes of it. VALUE is
 *   docker-image://REFERENCE          an image ("scratch": nothing)
 *   oci-layout://DIR[:TAG][@DIGEST]   an image in an OCI layout of this host
 *   what builder/giturl.h takes       a commit's files
 *   http://… https://…                what an archive holds, else the one file "context"
 *   PATH                              a directory
 * Pure.
 */
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/str.h"
#include "base/strv.h"

enum named_kind { NAMED_DIR, NAMED_FETCHED, NAMED_IMAGE, NAMED_LAYOUT };

struct named_context {
    char *name; /* as FROM would say it in short: "alpine", "alpine:3", "deps" */
    enum named_kind kind;
    char
        *value; /* NAMED_LAYOUT: the whole text, see named_split_layout(); NAMED_IMAGE: reference */
};

struct named_contexts {
    struct named_context *items;
    size_t count;
};

/* texts: "NAME=VALUE"; of one name the last counts. ERR_USAGE. */
int named_parse(const struct strv *texts, struct named_contexts *out, struct err *err);
void named_release(struct named_contexts *contexts);
/* The one that an image or stage of this name is; -1: none. contexts NULL: none. */
ssize_t named_find(const struct named_contexts *contexts, const char *name);

#define NAMED_LAYOUT_PREFIX "oci-layout://"

/* The parts of an oci-layout:// text; for free(). tag is NULL when there is none, digest too. */
struct named_layout {
    char *dir, *tag, *digest;
};
int named_split_layout(const char *text, struct named_layout *out, struct err *err);
void named_layout_release(struct named_layout *layout);

#endif
