/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_RUN_OPTIONS_H
#define BUILDER_RUN_OPTIONS_H

/* What the command line says about RUN steps: one for a whole build, read by all of its threads. */
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/strv.h"
#include "builder/ca_bundle.h"
#include "builder/cdi_registry.h"
#include "builder/secrets.h"
#include "builder/ssh.h"
#include "runtime/box.h"

struct tripwire;

enum run_network {
    RUN_NETWORK_DEFAULT,
    RUN_NETWORK_NONE,
    RUN_NETWORK_HOST,
    RUN_NETWORK_PRIVATE, /* of --network only: a namespace for each step, with a way out */
};

/* Entitlements: what a Dockerfile may not ask for unless --allow has it. */
#define RUN_ALLOW_NETWORK_HOST 1u
#define RUN_ALLOW_INSECURE 2u
/* Those of devices are in cdi_allowed. */

struct run_options {
    enum run_network network; /* of steps that say nothing */
    struct strv hosts; /* "NAME:ADDRESS", for /etc/hosts; checked by run_options_add_host() */
    struct box box;
    bool shell_on_error; /* a shell in what a failed step leaves; standard input is a terminal */
    struct ca_bundle ca; /* not of a step's key */
    unsigned allowed;
    struct cdi_allowed cdi_allowed;
    struct cdi_registry
        *cdi; /* owned; has its own lock; never NULL once run_options_add_cdi() ran */
    struct secrets secrets;
    struct secret_source secret_source; /* of the same; get NULL: none */
    struct ssh_agents ssh;
    struct tripwire *wire;       /* of the secrets; owned; NULL: there is nothing to look for */
    struct tripwire *layer_wire; /* for what RUN leaves: the same, and the mark of ca; owned; NULL:
                                    as wire */
};

void run_options_release(struct run_options *o);
/* "default", "none", "host", "private". ERR_USAGE with a hint at what is meant. */
int run_network_parse(const char *text, enum run_network *network, struct err *err);
/* "NAME:ADDRESS" or "NAME=ADDRESS"; host-gateway as address is the host itself, which steps share
 * their network with. ERR_USAGE. */
int run_options_add_host(struct run_options *o, const char *text, struct err *err);
/* "network.host", "security.insecure", "device", "device=VENDOR/CLASS[=NAME]". ERR_USAGE. */
int run_options_allow(struct run_options *o, const char *text, struct err *err);
/* --ca-bundle, after the secrets: builder/ca_bundle.h. */
int run_options_set_ca(struct run_options *o, const char *source, struct err *err);
/* The directories that tell of devices; none: the usual ones. */
void run_options_add_cdi(struct run_options *o, const struct strv *dirs);

#endif
