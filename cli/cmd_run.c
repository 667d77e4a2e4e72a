/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/scope.h"
#include "builder/ca_bundle.h"
#include "builder/container.h"
#include "cli/box_opts.h"
#include "cli/ca_opts.h"
#include "cli/commands.h"
#include "cli/emulator_opts.h"
#include "cli/registry_opts.h"
#include "registry/descriptor.h"
#include "registry/layout.h"
#include "registry/platform.h"
#include "runtime/cgroup.h"
#include "runtime/cgroup_guard.h"
#include "runtime/session.h"

enum { STATUS_NOT_MADE = 125 }; /* as docker run: the container could not be made */

struct run_opts {
    struct strv env, volumes, tmpfs, ports, hosts, emulators;
    const char *entrypoint, *workdir, *user, *hostname, *name, *network, *platform, *isolation,
        *pull, *ca_bundle;
    bool remove, detach, interactive, tty, read_only;
    struct box_opts box;
    struct registry_opts registry;
};

#define AT(field) offsetof(struct run_opts, field)
static const struct opt run_opts[] = {
    {.type = OPT_LIST,
     .letter = 'p',
     .name = "publish",
     .value = "[[IP:]PORT:]PORT",
     .help = "let the host's port (0 or left out: any free one) lead to the container's",
     .offset = AT(ports)},
    {.type = OPT_LIST,
     .letter = 'e',
     .name = "env",
     .value = "NAME[=VALUE]",
     .help = "set a variable; without =VALUE as it is here",
     .offset = AT(env)},
    {.type = OPT_LIST,
     .letter = 'v',
     .name = "volume",
     .value = "HOST:CONTAINER[:ro]",
     .help = "show a file or directory of the host",
     .offset = AT(volumes)},
    {.type = OPT_LIST,
     .name = "tmpfs",
     .value = "CONTAINER[:size=N]",
     .help = "mount an empty file system in memory",
     .offset = AT(tmpfs)},
    {.type = OPT_STR,
     .letter = 'w',
     .name = "workdir",
     .value = "DIR",
     .help = "start there, not in the image's WORKDIR",
     .offset = AT(workdir)},
    {.type = OPT_STR,
     .letter = 'u',
     .name = "user",
     .value = "USER[:GROUP]",
     .help = "names or numbers, not the image's USER",
     .offset = AT(user)},
    {.type = OPT_STR,
     .name = "entrypoint",
     .value = "PROGRAM",
     .help = "instead of the image's ENTRYPOINT and CMD",
     .offset = AT(entrypoint)},
    {.type = OPT_STR,
     .name = "network",
     .value = "HOW",
     .help = "private (default), host or none",
     .offset = AT(network)},
    {.type = OPT_STR,
     .letter = 'h',
     .name = "hostname",
     .value = "NAME",
     .help = "the container's host name",
     .offset = AT(hostname)},
    {.type = OPT_LIST,
     .name = "add-host",
     .value = "NAME:ADDRESS",
     .help = "put a line into /etc/hosts",
     .offset = AT(hosts)},
    CA_BUNDLE_OPT(struct run_opts, ca_bundle, "the container"),
    BOX_OPTS(struct run_opts, box),
    {.type = OPT_FLAG,
     .name = "read-only",
     .help = "make the root file system read-only",
     .offset = AT(read_only)},
    {.type = OPT_FLAG,
     .letter = 'i',
     .name = "interactive",
     .help = "pass standard input on",
     .offset = AT(interactive)},
    {.type = OPT_FLAG,
     .letter = 't',
     .name = "tty",
     .help = "give the container a terminal",
     .offset = AT(tty)},
    {.type = OPT_FLAG,
     .name = "rm",
     .help = "accepted: nothing is ever kept",
     .offset = AT(remove)},
    {.type = OPT_STR,
     .name = "platform",
     .value = "OS/ARCH",
     .help = "run this platform's image",
     .offset = AT(platform)},
    {.type = OPT_STR,
     .name = "pull",
     .value = "WHEN",
     .help = "missing (default), always or never",
     .offset = AT(pull)},
    {.type = OPT_STR,
     .name = "isolation",
     .value = "RUNG",
     .help = "auto (default), root, userns, single or chroot",
     .offset = AT(isolation)},
    EMULATOR_OPT(struct run_opts, emulators),
    {.type = OPT_FLAG,
     .letter = 'd',
     .name = "detach",
     .help = "refused",
     .offset = AT(detach),
     .hidden = true},
    {.type = OPT_STR,
     .name = "name",
     .value = "NAME",
     .help = "refused",
     .offset = AT(name),
     .hidden = true},
    REGISTRY_OPTS(struct run_opts, registry),
    {.type = OPT_END},
};

static int parse_network(const char *text, enum plan_network *network, struct err *err)
{
    static const struct {
        const char *name;
        enum plan_network network;
    } names[] = {{"private", PLAN_NETWORK_PRIVATE},
                 {"host", PLAN_NETWORK_HOST},
                 {"none", PLAN_NETWORK_NONE},
                 {"bridge", PLAN_NETWORK_PRIVATE},
                 {"default", PLAN_NETWORK_PRIVATE}};

    *network = PLAN_NETWORK_PRIVATE;
    for (size_t i = 0; text && i < ARRAY_SIZE(names); i++)
        if (strcmp(text, names[i].name) == 0) {
            *network = names[i].network;
            return 0;
        }
    return text ? err_set(err, ERR_USAGE, 0, "unknown network \"%s\"; want private, host or none",
                          text)
                : 0;
}

static int check(const struct run_opts *opts, struct err *err)
{
    if (opts->detach)
        return err_set(err, ERR_USAGE, 0,
                       "--detach is not carried out: a container lives as long as its slipway run");
    if (opts->name)
        return err_set(err, ERR_USAGE, 0,
                       "--name is not carried out: containers are not kept, so none needs a name");
    if (opts->tty && opts->interactive && !isatty(STDIN_FILENO))
        return err_set(err, ERR_USAGE, 0,
                       "--tty with --interactive needs a terminal, and standard input is none");
    if (opts->pull && strcmp(opts->pull, "missing") != 0 && strcmp(opts->pull, "always") != 0 &&
        strcmp(opts->pull, "never") != 0)
        return err_set(err, ERR_USAGE, 0, "unknown --pull \"%s\"; want missing, always or never",
                       opts->pull);
    return 0;
}

static int find(const struct run_opts *opts, const struct registry_opts *registry,
                struct layout *layout, const char *name, const struct platform *platform,
                struct descriptor *out, struct err *err)
{
    bool always = opts->pull && strcmp(opts->pull, "always") == 0,
         never = opts->pull && strcmp(opts->pull, "never") == 0;
    int found = always ? 0 : layout_find(layout, name, out, NULL, err);

    if (found < 0)
        return -1;
    if (found)
        return 0;
    if (never)
        return err_set(err, ERR_INPUT, 0, "there is no image \"%s\" in the store", name);
    return registry_opts_pull(registry, layout, name, platform, out, err);
}

static void borrow(struct container_options *to, const struct run_opts *from)
{
    to->env = &from->env;
    to->volumes = &from->volumes;
    to->tmpfs = &from->tmpfs;
    to->ports = &from->ports;
    to->hosts = &from->hosts;
    to->entrypoint = from->entrypoint;
    to->workdir = from->workdir;
    to->user = from->user;
    to->hostname = from->hostname;
    to->read_only = from->read_only;
    to->interactive = from->interactive;
    to->tty = from->tty;
}

static void options_release(struct container_options *o)
{
    strv_release(&o->args);
}

static int carry_out(struct cmd_context *context, const struct run_opts *opts,
                     const struct container_options *wanted, struct box *box, const char *name,
                     int *status, struct err *err)
{
    SCOPED(cgroup_guard_close) struct cgroup_guard guard = CGROUP_GUARD_CLOSED;
    SCOPED(session_release) struct session session = SESSION_CLOSED;
    SCOPED(layout_close) struct layout layout = LAYOUT_CLOSED;
    SCOPED(ca_trust_close) struct ca_trust trust = CA_TRUST_CLOSED;
    struct registry_opts registry = opts->registry; /* lists borrowed */
    SCOPED(descriptor_release) struct descriptor d = {0};
    SCOPED(image_release) struct image image = {0};
    struct platform platform;

    if (opts->platform && platform_parse(opts->platform, &platform, err) < 0)
        return -1;
    if (session_enter(opts->isolation, &session, err) < 0)
        return -1;
    if (session.rung == SESSION_NONE) {
        *err = session.why;
        return err_wrap(err, "no container can be run here");
    }
    if (cgroup_settle(&box->resources, &guard, err) < 0 ||
        layout_open(&layout, context->root, err) < 0 ||
        ca_trust_open(wanted->ca, &layout, &registry, &trust, err) < 0 ||
        emulator_opts_give(&opts->emulators, &registry, &layout, &session, err) < 0 ||
        find(opts, &registry, &layout, name, opts->platform ? &platform : NULL, &d, err) < 0 ||
        layout_load_image(&layout, &d, opts->platform ? &platform : NULL, &image, err) < 0)
        return -1;
    return container_run(&layout, &session, &image, wanted, status, err);
}

static int run_run(struct cmd_context *context, const void *values, int count, char **args,
                   struct err *err)
{
    const struct run_opts *opts = values;
    SCOPED(options_release) struct container_options wanted = {0};
    SCOPED(box_release) struct box box = {0};
    SCOPED(ca_bundle_release) struct ca_bundle ca = {0};
    int status = 0;

    for (size_t i = 0; i < opts->env.count; i++)
        if (opts->env.ptr[i][0] == 0 || opts->env.ptr[i][0] == '=')
            return err_set(err, ERR_USAGE, 0, "variable \"%s\" has no name", opts->env.ptr[i]);
    if (check(opts, err) < 0 || parse_network(opts->network, &wanted.network, err) < 0)
        return -1;
    if (box_opts_make(&opts->box, &box, err) < 0)
        return -1;
    if (opts->ca_bundle && ca_bundle_open(opts->ca_bundle, &ca, err) < 0)
        return -1;
    borrow(&wanted, opts);
    wanted.box = &box;
    wanted.ca = &ca;
    for (int i = 1; i < count; i++)
        strv_add(&wanted.args, args[i]);
    if (carry_out(context, opts, &wanted, &box, args[0], &status, err) == 0)
        return status;
    if (err->kind == ERR_USAGE)
        return -1;
    log_error("%s", err->text);
    return err->kind == ERR_COMMAND && err->code > 0 && err->code < 256 ? err->code
                                                                        : STATUS_NOT_MADE;
}

const struct cmd cmd_run = {.name = "run",
                            .args = "IMAGE [COMMAND [ARG...]]",
                            .summary = "start a container from an image",
                            .opts = run_opts,
                            .opts_size = sizeof(struct run_opts),
                            .min_args = 1,
                            .max_args = -1,
                            .stop_at_operand = true,
                            .run = run_run};
