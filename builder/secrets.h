/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_SECRETS_H
#define BUILDER_SECRETS_H

/*
 * What --secret gives to RUN --mount=type=secret. Values are read once, at the start; they go to
 * steps as files in memory or variables and nowhere else, and are wiped at the end. No message, key
 * or record holds any of their bytes.
 */
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "builder/secret_source.h"

#define SECRET_MAX (500u << 10) /* BuildKit's limit of a secret */

struct tripwire;

/* One --secret option. */
struct secret_spec {
    char *id;
    char *file; /* one of these two is given */
    char *env;
};

void secret_spec_release(struct secret_spec *spec);
/*
 * Pure. "id=npm,src=.npmrc", "id=npm,env=NPM_TOKEN", "type=env,id=npm,src=NPM_TOKEN"; with an id
 * alone neither file nor env is set. ERR_USAGE.
 */
int secret_spec_parse(struct str text, struct secret_spec *spec, struct err *err);

struct secret {
    char *id;
    struct buf value;
};

struct secrets {
    struct secret *items;
    size_t count, capacity;
};

void secrets_release(struct secrets *secrets);
/* Parses and reads. With an id alone: the variable of that name, else the file. A variable that is
 * not set gives an empty value, as with docker. A later one of an id wins. */
int secrets_add(struct secrets *secrets, struct str text, struct err *err);
/* NULL: none has this id. */
const struct secret *secrets_find(const struct secrets *secrets, const char *id);
/* The same for those who fetch; borrows secrets. */
struct secret_source secrets_source(struct secrets *secrets);
/* What a build looks for in all that it keeps; NULL without a secret that is long enough. */
struct tripwire *secrets_tripwire(const struct secrets *secrets);

#endif
