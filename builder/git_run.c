/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/git_run.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/enc.h"
#include "base/http.h"
#include "base/path.h"
#include "base/proc.h"
#include "base/scope.h"
#include "base/strv.h"
#include "builder/secret_source.h"
#include "registry/layout.h"
#include "registry/remote.h"

#define TIMEOUT_MS ((uint64_t)3600 * 1000) /* ours: of one command */

/* The same for every command, whatever the user has in his own. */
static const char *const settings[][2] = {
    {"advice.detachedHead", "false"},
    {"core.fsmonitor", "false"},
    {"core.hooksPath", "/dev/null"},
    {"core.symlinks", "true"},
    {"credential.helper", ""},
    /* Packs appear whole; loose objects of a killed fetch could be a commit without its files. */
    {"fetch.unpackLimit", "1"},
    {"gc.auto", "0"},
    {"http.lowSpeedLimit", "1"},
    {"http.lowSpeedTime", "60"},
    {"init.defaultBranch", "main"},
    {"maintenance.auto", "false"},
    {"safe.directory", "*"},
};

/* Variables of ours that git may see. */
static const char *const passed[] = {
    "PATH",         "TMPDIR",      "SSH_AUTH_SOCK", "GIT_SSL_CAINFO", "SSL_CERT_FILE",
    "SSL_CERT_DIR", "HTTP_PROXY",  "HTTPS_PROXY",   "NO_PROXY",       "ALL_PROXY",
    "http_proxy",   "https_proxy", "no_proxy",      "all_proxy"};

static void add_quoted(struct buf *out, const char *text)
{
    buf_addc(out, '\'');
    for (; *text; text++)
        if (*text == '\'')
            buf_adds(out, "'\\''");
        else
            buf_addc(out, *text);
    buf_addc(out, '\'');
}

/*
 * ssh looks for keys and known hosts in the home that the password file gives its user, who in our
 * user namespace is root. So both are named, where they are; all else is ssh's own.
 */
static void add_ssh(struct strv *env)
{
    static const char *const keys[] = {"id_ed25519", "id_ecdsa", "id_rsa"};
    const char *home = getenv("HOME"), *given = getenv("GIT_SSH_COMMAND");
    SCOPED(buf_release) struct buf command = {0};

    if (home) {
        buf_adds(&command, "HOME=");
        add_quoted(&command, home);
        buf_addc(&command, ' ');
    }
    buf_adds(&command, given && *given ? given : "ssh -o BatchMode=yes");
    if (home && home[0] == '/' && !strpbrk(home, " \t\"\\%$") && !(given && *given)) {
        AUTO_FREE char *config = xasprintf("%s/.ssh/config", home);

        buf_addf(&command, " -o UserKnownHostsFile=%s/.ssh/known_hosts", home);
        if (access(config, R_OK) == 0)
            buf_addf(&command, " -F %s", config);
        for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
            AUTO_FREE char *key = xasprintf("%s/.ssh/%s", home, keys[i]);

            if (access(key, R_OK) == 0)
                buf_addf(&command, " -o IdentityFile=%s", key);
        }
    }
    env_set(env, "GIT_SSH_COMMAND", buf_cstr(&command));
}

/* The value of the Authorization header for a host: 1, 0 no secret is meant for it. */
static int find_header(const struct git *git, const char *host, bool is_main, struct buf *header,
                       struct err *err)
{
    AUTO_FREE char *header_of = xasprintf("GIT_AUTH_HEADER.%s", host),
                   *token_of = xasprintf("GIT_AUTH_TOKEN.%s", host);
    const struct {
        const char *id;
        bool is_token, is_meant;
    } ids[] = {{header_of, false, true},
               {token_of, true, true},
               {"GIT_AUTH_HEADER", false, is_main},
               {"GIT_AUTH_TOKEN", true, is_main}};

    for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
        SCOPED(buf_release) struct buf value = {0}, pair = {0};
        int found = ids[i].is_meant ? secret_header(git->secrets, ids[i].id, &value, err) : 0;

        if (found < 0)
            return -1;
        if (!found)
            continue;
        if (!ids[i].is_token) {
            buf_add_str(header, buf_str(&value));
            return 1;
        }
        buf_addf(&pair, "x-access-token:%s", buf_cstr(&value));
        buf_adds(header, "basic ");
        base64_encode(header, pair.ptr, pair.size);
        return 1;
    }
    return 0;
}

static void add_setting(struct strv *env, unsigned *count, const char *key, const char *value)
{
    strv_addf(env, "GIT_CONFIG_KEY_%u=%s", *count, key);
    strv_addf(env, "GIT_CONFIG_VALUE_%u=%s", *count, value);
    ++*count;
}

/* Sent to this scheme, host and port alone. */
static int add_credentials(const struct git *git, const struct git_call *call, struct strv *env,
                           unsigned *count, struct err *err)
{
    SCOPED(buf_release) struct buf header = {0}, line = {0};
    AUTO_FREE char *key = NULL;
    const struct giturl *url = call->url;
    bool tls = url && strncmp(url->remote, "https://", 8) == 0;
    int found;

    if (!url || url->ssh || (!tls && strncmp(url->remote, "http://", 7) != 0))
        return 0;
    found =
        find_header(git, url->host, call->main_host && strcasecmp(call->main_host, url->host) == 0,
                    &header, err);
    if (found <= 0)
        return found;
    if (!tls && !http_is_loopback(url->remote))
        return err_set(err, ERR_INPUT, 0,
                       "a secret is meant for %s, but plain http would tell it to everybody on the "
                       "way; use https",
                       url->host);
    buf_addf(&line, "Authorization: %s", buf_cstr(&header));
    key = xasprintf("http.http%s://%s/.extraHeader", tls ? "s" : "", url->host);
    add_setting(env, count, key, buf_cstr(&line));
    /* git would take the header along to wherever it is sent. */
    add_setting(env, count, "http.followRedirects", "false");
    return 0;
}

/* git is run elsewhere. */
static char *absolute(const char *path)
{
    AUTO_FREE char *here = path[0] == '/' ? NULL : get_current_dir_name();

    return here ? path_join(here, path) : xstrdup(path);
}

/* What the command line says of TLS. The authorities of the system stay in their directory. */
static void add_tls(const struct git *git, const struct git_call *call, struct strv *env,
                    unsigned *count)
{
    AUTO_FREE char *key = NULL, *bundle = NULL;

    if (!git->remote || !call->url)
        return;
    bundle = remote_ca_file(git->remote) ? absolute(remote_ca_file(git->remote)) : NULL;
    if (bundle)
        env_set(env, "GIT_SSL_CAINFO", bundle);
    if (!remote_is_insecure(git->remote, call->url->host))
        return;
    key = xasprintf("http.https://%s/.sslVerify", call->url->host);
    add_setting(env, count, key, "false");
}

static int make_env(const struct git *git, const struct git_call *call, struct strv *env,
                    struct err *err)
{
    unsigned count = 0;

    for (size_t i = 0; i < ARRAY_SIZE(passed); i++)
        if (getenv(passed[i]))
            env_set(env, passed[i], getenv(passed[i]));
    if (git->ssh_socket)
        env_set(env, "SSH_AUTH_SOCK", git->ssh_socket);
    env_set(env, "LC_ALL", "C");
    env_set(env, "HOME", "/nonexistent");
    env_set(env, "GIT_CEILING_DIRECTORIES", git->layout->root);
    env_set(env, "GIT_CONFIG_NOSYSTEM", "1");
    env_set(env, "GIT_CONFIG_GLOBAL", "/dev/null");
    env_set(env, "GIT_ATTR_NOSYSTEM", "1");
    env_set(env, "GIT_TERMINAL_PROMPT", "0");
    env_set(env, "GIT_ALLOW_PROTOCOL", call->local ? "file" : "http:https:ssh:git");
    if (call->index)
        env_set(env, "GIT_INDEX_FILE", call->index);
    add_ssh(env);
    for (size_t i = 0; i < ARRAY_SIZE(settings); i++)
        add_setting(env, &count, settings[i][0], settings[i][1]);
    if (call->url)
        add_setting(env, &count, "remote." GIT_REMOTE ".url", call->url->remote);
    add_tls(git, call, env, &count);
    if (add_credentials(git, call, env, &count, err) < 0)
        return -1;
    strv_addf(env, "GIT_CONFIG_COUNT=%u", count);
    return 0;
}

/* Never in the user's directory: it may be a repository, with settings of its own. The store's tmp/
 * is none, and above it git does not look (GIT_CEILING_DIRECTORIES). */
static void make_argv(const struct git *git, const struct git_call *call, struct strv *argv)
{
    strv_add(argv, "git");
    strv_add(argv, "-C");
    if (call->work_tree)
        strv_add(argv, call->work_tree);
    else
        strv_addf(argv, "%s/tmp", git->layout->root);
    if (call->git_dir || call->mirror)
        strv_addf(argv, "--git-dir=%s", call->git_dir ? call->git_dir : call->mirror->path);
    if (call->work_tree)
        strv_addf(argv, "--work-tree=%s", call->work_tree);
    for (size_t i = 0; call->args[i]; i++)
        strv_add(argv, call->args[i]);
}

/* Of what git said the last line that tells a reason, without the remote's password. */
static void add_reason(const struct git_call *call, const struct buf *errors, struct buf *out)
{
    struct str rest = buf_str(errors), line, reason = STR("");
    const char *remote = call->url ? call->url->remote : NULL;

    while (str_line(&rest, &line)) {
        line = str_trim(line);
        if (line.size && (!reason.size || str_starts(line, "fatal: ") ||
                          str_starts(line, "error: ") || str_starts(line, "remote: ")))
            reason = line;
    }
    if (str_starts(reason, "fatal: ") || str_starts(reason, "error: "))
        reason = str_slice(reason, 7, reason.size);
    if (remote && strchr(remote, '@') && str_search(reason, remote) >= 0)
        reason = STR("git does not say why without naming a password");
    buf_add_escaped(out, str_slice(reason, 0, 400));
}

static int failed(const struct git_call *call, const struct buf *errors, int status,
                  struct err *err)
{
    SCOPED(buf_release) struct buf reason = {0}, shown = {0};

    add_reason(call, errors, &reason);
    if (!call->url)
        return err_set(err, ERR_COMMAND, status, "git %s: %s", call->args[0],
                       reason.size ? buf_cstr(&reason) : "it does not say why");
    giturl_show(call->url->remote, &shown);
    return err_set(err, ERR_COMMAND, status, "git %s %s: %s", call->args[0], buf_cstr(&shown),
                   reason.size ? buf_cstr(&reason) : "it does not say why");
}

int git_run(const struct git *git, const struct git_call *call, struct buf *out, int *status,
            struct err *err)
{
    SCOPED(strv_release) struct strv argv = {0}, env = {0};
    SCOPED(buf_release) struct buf errors = {0};
    struct proc proc = {
        .argv = &argv, .env = &env, .output_max = GIT_OUTPUT_MAX, .timeout_ms = TIMEOUT_MS};
    int ended = 0;

    if (call->mirror) {
        proc.held_fd = call->mirror->lock_fd;
        proc.has_held_fd = true;
    }
    if (make_env(git, call, &env, err) < 0)
        return -1;
    make_argv(git, call, &argv);
    if (proc_run(&proc, out, &errors, &ended, err) < 0) {
        if (err->kind == ERR_SYSTEM && err->code == ENOENT)
            return err_set(err, ERR_SYSTEM, ENOENT,
                           "fetching a git repository needs the program git, which is not "
                           "installed: install the package git");
        return -1;
    }
    if (status)
        *status = ended;
    return ended && !call->quiet ? failed(call, &errors, ended, err) : 0;
}
