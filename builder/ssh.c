/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/ssh.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/proc.h"
#include "base/scope.h"
#include "registry/layout.h"

#define ADD_TIMEOUT_MS 20000

struct ssh_agent {
    char *id;
    char *path; /* of the socket */
    const struct layout *layout;
    struct layout_tmp tmp; /* holds the socket, if the agent is ours; else: */
    char *dir;             /* … this does, where the store's path is too long for a socket's */
    struct proc_kept keeper;
};
#define AGENT_CLOSED                                                                               \
    {                                                                                              \
        .tmp = LAYOUT_TMP_CLOSED, .keeper = PROC_KEPT_CLOSED                                       \
    }

void ssh_spec_release(struct ssh_spec *spec)
{
    free(spec->id);
    strv_release(&spec->paths);
    *spec = (struct ssh_spec){0};
}

int ssh_spec_parse(struct str text, struct ssh_spec *spec, struct err *err)
{
    SCOPED(buf_release) struct buf shown = {0};
    struct str id, rest, path;
    bool paths = str_cut(text, '=', &id, &rest);

    *spec = (struct ssh_spec){0};
    buf_add_escaped(&shown, str_slice(text, 0, 80));
    while (paths && rest.size) {
        str_cut(rest, ',', &path, &rest);
        if (path.size)
            strv_add_str(&spec->paths, path);
    }
    if (paths && !spec->paths.count) {
        ssh_spec_release(spec);
        return err_set(err, ERR_USAGE, 0, "%s: there is no path after =", buf_cstr(&shown));
    }
    spec->id = id.size ? str_dup(id) : xstrdup("default");
    return 0;
}

static void agent_release(struct ssh_agent *a)
{
    if (a->keeper.pid > 0)
        proc_kept_end(&a->keeper);
    if (a->dir && a->path) {
        unlink(a->path);
        rmdir(a->dir);
    }
    if (a->layout)
        layout_tmp_close(a->layout, &a->tmp);
    free(a->id);
    free(a->path);
    free(a->dir);
    *a = (struct ssh_agent)AGENT_CLOSED;
}

void ssh_agents_release(struct ssh_agents *agents)
{
    for (size_t i = 0; i < agents->count; i++)
        agent_release(&agents->items[i]);
    free(agents->items);
    *agents = (struct ssh_agents){0};
}

/* A socket's path has 107 bytes at most (unix(7)). */
static int place_socket(struct ssh_agent *a, const struct layout *layout, struct err *err)
{
    char dir[] = "/tmp/slipway-ssh-XXXXXX";

    if (layout_tmp_open(layout, &a->tmp, err) < 0)
        return -1;
    a->layout = layout;
    a->path = xasprintf("%s/tmp/%s/agent", layout->root, a->tmp.name);
    if (strlen(a->path) < sizeof(((struct sockaddr_un *)0)->sun_path))
        return 0;
    free(a->path);
    a->path = NULL;
    if (!mkdtemp(dir))
        return err_errno(err, "make %s", dir);
    a->dir = xstrdup(dir);
    a->path = xasprintf("%s/agent", dir);
    return 0;
}

/*
 * "ssh-agent -a SOCKET cat": the agent ends soon after cat does, and cat when our end of its input
 * closes. That cat answers says that the agent listens.
 */
static int start_agent(struct ssh_agent *a, const struct layout *layout, struct err *err)
{
    SCOPED(strv_release) struct strv argv = {0};
    struct proc proc = {.argv = &argv};
    char byte = '.';

    if (place_socket(a, layout, err) < 0)
        return -1;
    strv_add(&argv, "ssh-agent");
    strv_add(&argv, "-a");
    strv_add(&argv, a->path);
    strv_add(&argv, "cat");
    if (proc_keep(&proc, &a->keeper, err) < 0)
        return err->code == ENOENT ? err_add(err, "; keys need the ssh-agent of OpenSSH") : -1;
    if (write(a->keeper.in_fd, &byte, 1) != 1 || read(a->keeper.out_fd, &byte, 1) != 1)
        return err_set(err, ERR_COMMAND, 0, "ssh-agent ended at once");
    return 0;
}

static int add_key(struct ssh_agent *a, const char *key, struct err *err)
{
    extern char **environ;
    SCOPED(strv_release) struct strv argv = {0}, env = {0};
    SCOPED(buf_release) struct buf out = {0}, errors = {0}, shown = {0};
    struct proc proc = {.argv = &argv, .env = &env, .timeout_ms = ADD_TIMEOUT_MS};
    int status;

    for (char **e = environ; *e; e++)
        strv_add(&env, *e);
    env_set(&env, "SSH_AUTH_SOCK", a->path);
    /* A passphrase is asked of a program that gives none: never of the terminal. */
    env_set(&env, "SSH_ASKPASS", "/bin/false");
    env_set(&env, "SSH_ASKPASS_REQUIRE", "force");
    strv_add(&argv, "ssh-add");
    strv_add(&argv, "-q");
    strv_add(&argv, "--");
    strv_add(&argv, key);
    if (proc_run(&proc, &out, &errors, &status, err) < 0)
        return -1;
    buf_add_escaped(&shown, str_slice(str_trim(buf_str(&errors)), 0, 300));
    if (status)
        return err_set(err, ERR_INPUT, 0,
                       "ssh-add does not take %s%s%s (a key with a passphrase must be in an agent "
                       "already)",
                       key, shown.size ? ": " : "", buf_cstr(&shown));
    return 0;
}

static int open_agent(struct ssh_agent *a, const struct layout *layout, const struct ssh_spec *spec,
                      struct err *err)
{
    const char *path = spec->paths.count ? spec->paths.ptr[0] : getenv("SSH_AUTH_SOCK");
    struct stat st;

    if (!path || !*path)
        return err_set(
            err, ERR_USAGE, 0,
            "there is no agent: SSH_AUTH_SOCK is not set; start one, or name a socket or "
            "a key");
    if (stat(path, &st) < 0)
        return err_errno(err, "%s", path);
    if (S_ISSOCK(st.st_mode) && spec->paths.count > 1)
        return err_set(err, ERR_USAGE, 0, "%s is a socket: it stands alone", path);
    if (S_ISSOCK(st.st_mode)) {
        a->path = xstrdup(path);
        return 0;
    }
    if (!spec->paths.count)
        return err_set(err, ERR_USAGE, 0, "SSH_AUTH_SOCK: %s is not a socket", path);
    if (start_agent(a, layout, err) < 0)
        return -1;
    for (size_t i = 0; i < spec->paths.count; i++)
        if (add_key(a, spec->paths.ptr[i], err) < 0)
            return -1;
    return 0;
}

int ssh_agents_add(struct ssh_agents *agents, const struct layout *layout, struct str text,
                   struct err *err)
{
    SCOPED(ssh_spec_release) struct ssh_spec spec = {0};
    struct ssh_agent a = AGENT_CLOSED;
    size_t at = 0;

    if (ssh_spec_parse(text, &spec, err) < 0)
        return -1;
    if (open_agent(&a, layout, &spec, err) < 0) {
        agent_release(&a);
        return err_wrap(err, "agent %.80s", spec.id);
    }
    a.id = steal_ptr(&spec.id);
    while (at < agents->count && strcmp(agents->items[at].id, a.id) != 0)
        at++;
    if (at < agents->count) {
        agent_release(&agents->items[at]);
    } else {
        VEC_GROW(agents->items, agents->count, agents->capacity);
        agents->count++;
    }
    agents->items[at] = a;
    return 0;
}

const char *ssh_agents_find(const struct ssh_agents *agents, const char *id)
{
    for (size_t i = 0; i < agents->count; i++)
        if (strcmp(agents->items[i].id, id) == 0)
            return agents->items[i].path;
    return NULL;
}
