/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/container.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/path.h"
#include "base/scope.h"
#include "builder/ca_bundle.h"
#include "builder/links.h"
#include "builder/root.h"
#include "builder/stack.h"
#include "builder/worktree.h"
#include "registry/config.h"
#include "registry/layout.h"
#include "runtime/attend.h"
#include "runtime/box.h"
#include "runtime/cgroup.h"
#include "runtime/emulators.h"
#include "runtime/forward.h"
#include "runtime/net.h"
#include "runtime/run.h"
#include "runtime/session.h"
#include "runtime/uplink.h"
#include "runtime/user.h"

#define HOSTS_MAX (1 << 20)
#define PATH_DEFAULT "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

struct container {
    struct layout *layout;
    struct session *session;
    const struct image *image;
    const struct container_options *options;
    struct root root;
    struct stack stack;
    struct worktree worktree; /* in place of root, where there is no overlay */
    int *sources;             /* of volumes, until the start */
    size_t sources_count;
    struct net_port *ports;
    size_t ports_count;
    struct forward *forward;
    struct uplink uplink;
    struct attend attend;
    struct cgroup cgroup;
    struct plan plan;
    struct run run;
};

static void close_all(int *fds, size_t *count)
{
    for (size_t i = 0; i < *count; i++)
        scope_close(&fds[i]);
    *count = 0;
}

static void container_release(struct container *c)
{
    run_release(&c->run);
    cgroup_release(&c->cgroup);
    uplink_end(&c->uplink);
    forward_free(c->forward);
    free(c->ports);
    scope_close(&c->plan.root_fd);
    scope_close(&c->plan.links_fd);
    plan_release(&c->plan);
    close_all(c->sources, &c->sources_count);
    free(c->sources);
    stack_release(&c->stack);
    root_release(&c->root);
    worktree_close(&c->worktree);
    attend_end(&c->attend);
}

/* ---- what the options say ---- */

static int volume_option(struct str word, struct container_volume *v)
{
    if (str_is(word, "ro") || str_is(word, "readonly"))
        v->read_only = true;
    else if (!str_is(word, "rw") && !str_is(word, "z") && !str_is(word, "Z") &&
             !str_is(word, "rprivate"))
        return -1;
    return 0;
}

int container_parse_volume(struct str text, struct container_volume *v, struct err *err)
{
    struct str source, target, rest, options, word;

    *v = (struct container_volume){0};
    if (!str_cut(text, ':', &source, &rest))
        return err_set(
            err, ERR_USAGE, 0,
            "volume \"" STR_FMT
            "\": want HOST:CONTAINER[:ro]; volumes without a host path are not carried out",
            STR_ARG(text));
    str_cut(rest, ':', &target, &options);
    if (!str_starts(source, "/") && !str_starts(source, "."))
        return err_set(err, ERR_USAGE, 0,
                       "volume \"" STR_FMT "\": \"" STR_FMT
                       "\" is a volume's name, and named volumes are not carried out; "
                       "a path begins with / or .",
                       STR_ARG(text), STR_ARG(source));
    if (!str_starts(target, "/"))
        return err_set(err, ERR_USAGE, 0,
                       "volume \"" STR_FMT "\": \"" STR_FMT "\" is not an absolute path",
                       STR_ARG(text), STR_ARG(target));
    while (options.size) {
        str_cut(options, ',', &word, &options);
        if (volume_option(word, v) < 0)
            return err_set(err, ERR_USAGE, 0,
                           "volume \"" STR_FMT "\": option \"" STR_FMT
                           "\" is not carried out (ro and rw are)",
                           STR_ARG(text), STR_ARG(word));
    }
    v->source = str_dup(source);
    v->target = str_dup(target);
    return 0;
}

static void volume_release(struct container_volume *v)
{
    free(v->source);
    free(v->target);
    *v = (struct container_volume){0};
}

static int add_volume(struct container *c, const char *text, struct err *err)
{
    SCOPED(volume_release) struct container_volume v = {0};
    int fd;

    if (container_parse_volume(str_of(text), &v, err) < 0)
        return -1;
    fd = open(v.source, O_PATH | O_CLOEXEC);
    if (fd < 0)
        return err_errno(err, "volume %s", v.source);
    c->sources[c->sources_count++] = fd;
    plan_add_bind(&c->plan, fd, v.target, v.read_only);
    return 0;
}

static int add_tmpfs(struct container *c, const char *text, struct err *err)
{
    struct str target, options, word, key, value;
    uint64_t size = 0;
    uint32_t mode = 01777;

    str_cut(str_of(text), ':', &target, &options);
    while (options.size) {
        str_cut(options, ',', &word, &options);
        str_cut(word, '=', &key, &value);
        if (!(str_is(key, "size") && str_size(value, &size)) &&
            !(str_is(key, "mode") && str_octal(value, &mode)) && !str_is(word, "rw"))
            return err_set(err, ERR_USAGE, 0,
                           "tmpfs \"%s\": option \"" STR_FMT
                           "\" is not carried out (size=, mode= are)",
                           text, STR_ARG(word));
    }
    AUTO_FREE char *path = str_dup(target);
    plan_add_tmpfs(&c->plan, path, size, mode);
    return 0;
}

static int add_mounts(struct container *c, struct err *err)
{
    const struct strv *volumes = c->options->volumes, *tmpfs = c->options->tmpfs;

    c->sources = xcalloc(volumes ? volumes->count + 1 : 1, sizeof(*c->sources));
    for (size_t i = 0; volumes && i < volumes->count; i++)
        if (add_volume(c, volumes->ptr[i], err) < 0)
            return -1;
    for (size_t i = 0; tmpfs && i < tmpfs->count; i++)
        if (add_tmpfs(c, tmpfs->ptr[i], err) < 0)
            return -1;
    return 0;
}

int container_command(const struct strv *entrypoint, const struct strv *cmd,
                      const struct container_options *options, struct strv *argv, struct err *err)
{
    if (!options->entrypoint)
        strv_copy(argv, entrypoint);
    else if (options->entrypoint[0])
        strv_add(argv, options->entrypoint);
    if (options->args.count)
        strv_copy(argv, &options->args);
    else if (!options->entrypoint)
        strv_copy(argv, cmd);
    if (argv->count == 0)
        return err_set(err, ERR_USAGE, 0,
                       "the image names no command (CMD or ENTRYPOINT): give one");
    return 0;
}

static void add_env(struct strv *env, const struct strv *more)
{
    for (size_t i = 0; more && i < more->count; i++) {
        struct str name, value;

        if (str_cut(str_of(more->ptr[i]), '=', &name, &value)) {
            AUTO_FREE char *key = str_dup(name);
            AUTO_FREE char *text = str_dup(value);

            env_set(env, key, text);
        } else if (getenv(more->ptr[i])) {
            env_set(env, more->ptr[i], getenv(more->ptr[i]));
        } else {
            env_unset(env, more->ptr[i]);
        }
    }
}

static void set_env(struct container *c)
{
    struct strv *env = &c->plan.env;

    env_set(env, "PATH", PATH_DEFAULT);
    env_set(env, "HOSTNAME", c->plan.hostname);
    if (c->options->tty)
        env_set(env, "TERM", "xterm");
    SCOPED(strv_release) struct strv own = {0};
    config_get_list(c->image->config, "Env", &own);
    add_env(env, &own);
    add_env(env, c->options->env);
}

static int set_names(struct container *c, struct err *err)
{
    SCOPED(buf_release) struct buf hosts = {0}, host_resolv = {0}, resolv = {0}, name = {0};
    const struct container_options *o = c->options;
    bool private = o->network != PLAN_NETWORK_HOST;
    char host[65] = "localhost";
    uint64_t id = 0;

    if (private && getrandom(&id, sizeof(id), 0) == sizeof(id))
        snprintf(host, sizeof(host), "%012llx", (unsigned long long)(id & 0xffffffffffff));
    else
        gethostname(host, sizeof(host) - 1);
    c->plan.hostname = xstrdup(o->hostname ? o->hostname : host);
    if (private) {
        if (net_hosts(c->plan.hostname, o->hosts, &hosts, err) < 0)
            return -1;
    } else {
        struct err ignored = {0};

        if (fs_read_file(AT_FDCWD, "/etc/hosts", &hosts, HOSTS_MAX, &ignored) < 0)
            buf_clear(&hosts);
        if (net_hosts(NULL, o->hosts, &hosts, err) < 0)
            return -1;
    }
    if (net_resolv_conf(private, &host_resolv, err) < 0)
        return -1;
    if (o->box)
        box_print_resolv_conf(o->box, buf_str(&host_resolv), &resolv);
    else
        buf_add_str(&resolv, buf_str(&host_resolv));
    buf_addf(&name, "%s\n", c->plan.hostname);
    c->plan.hosts = xstrdup(buf_cstr(&hosts));
    c->plan.resolv_conf = xstrdup(buf_cstr(&resolv));
    c->plan.hostname_file = xstrdup(buf_cstr(&name));
    return 0;
}

static int set_ports(struct container *c, struct err *err)
{
    const struct strv *ports = c->options->ports;

    if (!ports || ports->count == 0)
        return 0;
    if (c->options->network == PLAN_NETWORK_NONE)
        return err_set(err, ERR_USAGE, 0, "--publish needs a network: leave --network none away");
    if (c->options->network == PLAN_NETWORK_HOST) {
        log_warn(
            "--publish does nothing with --network host: the container's ports are the host's");
        return 0;
    }
    c->ports = xcalloc(ports->count, sizeof(*c->ports));
    for (; c->ports_count < ports->count; c->ports_count++)
        if (net_parse_port(str_of(ports->ptr[c->ports_count]), &c->ports[c->ports_count], err) < 0)
            return -1;
    c->forward = forward_open(c->ports, c->ports_count, err);
    if (!c->forward)
        return -1;
    c->plan.network_fd = forward_network_fd(c->forward);
    return 0;
}

static int set_command(struct container *c, struct err *err)
{
    SCOPED(strv_release) struct strv entrypoint = {0}, cmd = {0};

    config_get_list(c->image->config, "Entrypoint", &entrypoint);
    config_get_list(c->image->config, "Cmd", &cmd);
    return container_command(&entrypoint, &cmd, c->options, &c->plan.argv, err);
}

static int fill_plan(struct container *c, struct err *err)
{
    const struct container_options *o = c->options;
    struct plan *p = &c->plan;
    const char *workdir = o->workdir ? o->workdir : config_get(c->image->config, "WorkingDir");

    p->network = o->network;
    p->hold = o->network == PLAN_NETWORK_PRIVATE;
    p->read_only = o->read_only;
    p->arch = c->image->platform.arch;
    p->cwd = workdir ? xstrdup(workdir) : NULL;
    p->tty = o->tty;
    p->stdin_fd = o->interactive ? STDIN_FILENO : -1;
    p->stdout_fd = STDOUT_FILENO;
    p->stderr_fd = STDERR_FILENO;
    if (o->tty)
        attend_terminal_size(&p->tty_rows, &p->tty_columns);
    if (o->box)
        box_put(o->box, p);
    if (set_command(c, err) < 0 || set_names(c, err) < 0 || add_mounts(c, err) < 0 ||
        set_ports(c, err) < 0)
        return -1;
    set_env(c);
    return 0;
}

/* ---- the root ---- */

static int mount_root(struct container *c, struct err *err)
{
    bool in_tree = !root_has_overlay(c->layout, c->session);

    if (stack_push_image(&c->stack, c->image, err) < 0)
        return -1;
    if ((in_tree ? worktree_open_root(&c->worktree, c->layout, c->session, &c->stack, &c->plan, err)
                 : root_open(&c->root, c->layout, c->session, &c->stack, &c->plan, err)) < 0)
        return -1;
    if (c->session->rung != SESSION_SINGLE)
        return 0;
    c->plan.links_fd = links_open(&c->stack, c->layout, in_tree ? c->plan.root_fd : -1, err);
    return c->plan.links_fd < 0 ? -1 : 0;
}

/* What is written goes with the container, so nothing of it is to be taken out again. */
static int add_authorities(struct container *c, struct err *err)
{
    SCOPED(ca_use_release) struct ca_use use = {0};

    return ca_bundle_put(c->options->ca, c->plan.root_fd, &c->plan, &use, err);
}

static int set_user(struct container *c, struct err *err)
{
    SCOPED(user_release) struct user user = {0};
    const char *text = c->options->user ? c->options->user : config_get(c->image->config, "User");
    struct plan *p = &c->plan;

    if (user_lookup(p->root_fd, text ? text : "", &user, err) < 0)
        return -1;
    p->uid = user.uid;
    p->gid = user.gid;
    p->groups = steal_ptr(&user.groups);
    p->groups_count = user.groups_count;
    if (!env_get(&p->env, "HOME"))
        env_set(&p->env, "HOME", user.home ? user.home : "/");
    return 0;
}

static void announce(const struct container *c)
{
    for (size_t i = 0; i < c->ports_count; i++) {
        const struct net_port *p = &c->ports[i];

        log_info("port %u of the container is %s%s%s:%u", p->box,
                 strchr(p->address, ':') ? "[" : "", p->address[0] ? p->address : "*",
                 strchr(p->address, ':') ? "]" : "", p->host);
    }
}

static int start(struct container *c, struct err *err)
{
    struct err none = {0};

    if (c->options->box && (cgroup_make(&c->options->box->resources, &c->cgroup, err) < 0 ||
                            cgroup_put(&c->options->box->resources, &c->cgroup, &c->plan, err) < 0))
        return -1;
    if (run_start(c->session, &c->plan, &c->run, err) < 0)
        return -1;
    close_all(c->sources, &c->sources_count);
    if (c->forward)
        forward_started(c->forward);
    if (c->plan.hold) {
        if (uplink_begin(&c->uplink, c->run.netns_fd, &none) < 0)
            log_info("the container reaches nothing outside: %s", none.text);
        run_go(&c->run);
    }
    announce(c);
    return 0;
}

int container_run(struct layout *layout, struct session *session, const struct image *image,
                  const struct container_options *options, int *status, struct err *err)
{
    SCOPED(container_release)
    struct container c = {.layout = layout,
                          .session = session,
                          .image = image,
                          .options = options,
                          .root = ROOT_CLOSED,
                          .worktree = WORKTREE_CLOSED,
                          .attend = ATTEND_CLOSED,
                          .uplink = UPLINK_CLOSED,
                          .plan = PLAN_INIT,
                          .run = RUN_CLOSED};
    bool emulated;

    if (session->rung == SESSION_IN_PLACE)
        return err_set(err, ERR_USAGE, 0,
                       "a container is not run with isolation in-place: it would be unpacked over "
                       "this one");
    if (strcmp(image->platform.os, "linux") != 0)
        return err_set(err, ERR_INPUT, 0, "the image is for %s; only linux runs here",
                       image->platform.os);
    if (emulators_need(session, image->platform.arch, &emulated, err) < 0)
        return -1;
    if (attend_begin(&c.attend, err) < 0 || fill_plan(&c, err) < 0 || mount_root(&c, err) < 0 ||
        set_user(&c, err) < 0 || add_authorities(&c, err) < 0 || start(&c, err) < 0)
        return -1;
    if (attend_run(&c.attend, &c.run, c.forward, options->interactive, status, err) < 0)
        return -1;
    if (*status && cgroup_oom_kills(&c.cgroup))
        log_warn("out of memory: the container needs more than --memory gives it");
    return 0;
}
