/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_CONTAINER_H
#define BUILDER_CONTAINER_H

/*
 * An image of the store as a running container: its layers unpacked and mounted, its config turned
 * into a plan, the options of `slipway run` laid over it. What the container writes lies in a
 * directory of the store's tmp/ and is gone at its end; what a killed run left there goes when the
 * next process opens such a directory.
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/strv.h"
#include "runtime/plan.h"

struct box;
struct ca_bundle;
struct image;
struct layout;
struct session;

struct container_options {
    struct strv args; /* instead of Cmd */
    const char
        *entrypoint; /* instead of Entrypoint, and Cmd is dropped; "": none; NULL: the image's */
    const struct strv
        *env; /* "K=V", or "K": from our environment, nothing when it is not set there */
    const struct strv *volumes; /* "/HOST:/CONTAINER[:ro]" */
    const struct strv *tmpfs;   /* "/CONTAINER[:size=64m,mode=1777]" */
    const struct strv *ports;   /* "[[ADDRESS:]HOST:]CONTAINER[/tcp]" */
    const struct strv *hosts;   /* "NAME:ADDRESS" */
    const struct box *box;      /* NULL: nothing of it */
    const struct ca_bundle *ca; /* NULL: none */
    const char *workdir, *user, *hostname;
    enum plan_network network;
    bool read_only;
    bool interactive; /* standard input is the container's */
    bool tty;
};

/*
 * Runs to the end. 0 and *status; -1 when it never began: ERR_USAGE for options, ERR_COMMAND with
 * 126 or 127 when the command cannot be executed. Signals are blocked meanwhile, so no thread may
 * be running that needs them.
 */
int container_run(struct layout *layout, struct session *session, const struct image *image,
                  const struct container_options *options, int *status, struct err *err);

/* Parts of it, pure, for tests. */
struct container_volume {
    char *source, *target; /* for free() */
    bool read_only;
};
int container_parse_volume(struct str text, struct container_volume *volume, struct err *err);
/* Entrypoint, Cmd and what the options say of them, to one command line. */
int container_command(const struct strv *entrypoint, const struct strv *cmd,
                      const struct container_options *options, struct strv *argv, struct err *err);

#endif
