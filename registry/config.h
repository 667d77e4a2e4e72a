/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_CONFIG_H
#define REGISTRY_CONFIG_H

/*
 * The image config (image-spec config.md) as a json_t kept whole: members we do not know survive.
 * Documents are the caller's (json_auto_t). Pure.
 */
#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/str.h"
#include "base/strv.h"
#include "registry/platform.h"

json_t *config_new(const struct platform *p); /* no layers, empty "config" */
/* Checks the shape of every member we use (ERR_INPUT "image config: …"), and that diff ids are
 * sha256. */
json_t *config_parse(struct str bytes, struct err *err);
void config_print(const json_t *doc, struct buf *out);

int config_platform(const json_t *doc, struct platform *out, struct err *err);
void config_diff_ids(const json_t *doc, struct strv *out); /* appends "sha256:…", bottom first */
void config_add_layer(json_t *doc, const char *diff_id);
/* created: RFC 3339 or NULL; comment NULL or text; empty: no layer belongs to this entry. */
void config_add_history(json_t *doc, const char *created, const char *created_by,
                        const char *comment, bool empty);
const json_t *config_history(const json_t *doc);           /* array or NULL; borrowed */
void config_set_created(json_t *doc, const char *rfc3339); /* NULL removes it */
const char *config_created(const json_t *doc);             /* or NULL; borrowed */

/* The inner "config" object (Env, Cmd, …); made when missing. Borrowed. */
json_t *config_inner(json_t *doc);
/* String members of the inner object ("User", "WorkingDir", "StopSignal"): value or NULL, borrowed.
 * Empty counts as unset. */
const char *config_get(const json_t *doc, const char *key);
void config_set(json_t *doc, const char *key, const char *value); /* NULL removes it */
/* String-array members ("Env", "Cmd", "Entrypoint", "Shell", "OnBuild"). get appends and tells
 * whether the member is there. */
bool config_get_list(const json_t *doc, const char *key, struct strv *out);
void config_set_list(json_t *doc, const char *key,
                     const struct strv *value); /* NULL removes it; no elements gives [] */
/* Set-like members ("ExposedPorts", "Volumes": {"80/tcp": {}}) and "Labels" ({"k": "v"}). */
void config_add_key(json_t *doc, const char *key, const char *name);
void config_get_keys(const json_t *doc, const char *key, struct strv *out); /* appends, sorted */
void config_set_label(json_t *doc, const char *name, const char *value);
const char *config_label(const json_t *doc, const char *name);

#endif
