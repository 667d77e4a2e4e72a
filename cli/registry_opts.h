/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_REGISTRY_OPTS_H
#define CLI_REGISTRY_OPTS_H

/*
 * The options every command shares that talks to a registry. A command embeds struct registry_opts
 * in its own options and puts REGISTRY_OPTS(field) among its rows: static const struct opt opts[] =
 * {…, REGISTRY_OPTS(struct push_opts, registry), {.type = OPT_END}}; Order of say: option;
 * environment (SLIPWAY_REGISTRY_MIRROR, SLIPWAY_REGISTRY_ENDPOINT, SLIPWAY_INSECURE_REGISTRY: comma
 * lists; SLIPWAY_CA_FILE); the file $SLIPWAY_CONFIG, or $XDG_CONFIG_HOME/slipway/config.json and
 * then /etc/slipway/config.json. A host's mirrors, or its endpoint, come from the first of these
 * that names the host.
 *     {"registries": {"docker.io": {"mirrors": ["https://mirror.example"], "endpoint":
 * "https://127.0.0.1:5443", "insecure": false}}, "caFile": "/etc/slipway/ca.pem"}
 */
#include <stddef.h>

#include "base/err.h"
#include "base/strv.h"
#include "cli/opts.h"

#define TRANSFERS 6 /* blobs at a time: waits for the network, not for a core */

struct descriptor;
struct layout;
struct platform;
struct remote_settings;
struct remote;

struct registry_opts {
    struct strv mirrors;
    struct strv endpoints;
    struct strv insecure;
    const char *ca_file;
};

/* clang-format off */
#define REGISTRY_OPTS(owner, field)                                                                                    \
    {.type = OPT_LIST, .name = "registry-mirror", .value = "HOST=URL",                                                 \
     .help = "ask this server first for images of HOST", .offset = offsetof(owner, field.mirrors)},                     \
    {.type = OPT_LIST, .name = "registry-endpoint", .value = "HOST=URL",                                               \
     .help = "connect there for HOST; name, TLS and login stay HOST's", .offset = offsetof(owner, field.endpoints)},    \
    {.type = OPT_LIST, .name = "insecure", .value = "HOST",                                                            \
     .help = "allow plain http and unverified TLS for HOST", .offset = offsetof(owner, field.insecure)},                \
    {.type = OPT_STR, .name = "ca-file", .value = "FILE",                                                              \
     .help = "trust the certificates in FILE too", .offset = offsetof(owner, field.ca_file)}
/* clang-format on */

/* Options, environment and files put together. */
int registry_opts_settings(const struct registry_opts *opts, struct remote_settings *settings,
                           struct err *err);
/* The same, opened. */
struct remote *registry_opts_open(const struct registry_opts *opts, struct err *err);
/* An image that the store lacks, for platform (NULL: this host's). No thread is left afterwards. */
int registry_opts_pull(const struct registry_opts *opts, struct layout *layout, const char *name,
                       const struct platform *platform, struct descriptor *out, struct err *err);

#endif
