/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/enc.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/path.h"
#include "base/scope.h"
#include "registry/auth_files.h"
#include "registry/ecr.h"

void auth_login_release(struct auth_login *login)
{
    int saved = errno;

    free(login->user);
    if (login->password)
        explicit_bzero(login->password, strlen(login->password));
    free(login->password);
    free(login->identity_token);
    free(login->registry_token);
    free(login->source);
    *login = (struct auth_login){0};
    errno = saved;
}

void auth_key_host(struct str key, struct buf *out)
{
    ptrdiff_t scheme = str_search(key, "://");
    struct str host, rest;

    if (scheme >= 0)
        key = str_slice(key, (size_t)scheme + 3, key.size);
    str_cut(key, '/', &host, &rest);
    size_t begun = out->size;

    for (size_t i = 0; i < host.size; i++)
        buf_addc(out,
                 host.ptr[i] >= 'A' && host.ptr[i] <= 'Z' ? (char)(host.ptr[i] + 32) : host.ptr[i]);
    struct str added = str_slice(buf_str(out), begun, out->size);

    if (str_is(added, "index.docker.io") || str_is(added, "registry-1.docker.io")) {
        out->size = begun;
        buf_adds(out, "docker.io");
    }
}

const char *auth_registry_key(const char *registry)
{
    return strcmp(registry, "docker.io") == 0 ? AUTH_DOCKER_KEY : registry;
}

static char *copy_member(json_t *entry, const char *key)
{
    const char *text = json_str(entry, key);

    return text && text[0] ? xstrdup(text) : NULL;
}

/* base64 of "user:password"; old docker versions padded the password with NULs. */
static int read_pair(const char *text, struct auth_login *out, struct err *err)
{
    SCOPED(buf_release) struct buf pair = {0};
    struct str user, password;

    if (!base64_decode(&pair, str_of(text)) || !str_cut(buf_str(&pair), ':', &user, &password))
        return err_set(err, ERR_INPUT, 0, "\"auth\" is not base64 of user:password");
    while (password.size > 0 && password.ptr[password.size - 1] == 0)
        password.size--;
    if (user.size == 0 && password.size == 0)
        return 0;
    if (memchr(user.ptr, 0, user.size) || (password.size && memchr(password.ptr, 0, password.size)))
        return err_set(err, ERR_INPUT, 0, "\"auth\" holds a zero byte");
    free(out->user);
    free(out->password);
    out->user = str_dup(user);
    out->password = str_dup(password);
    return 0;
}

int auth_entry_read(json_t *entry, struct auth_login *out, struct err *err)
{
    if (!json_is_object(entry))
        return err_set(err, ERR_INPUT, 0, "the login is not an object");
    const char *pair = json_str(entry, "auth");

    out->user = copy_member(entry, "username");
    out->password = copy_member(entry, "password");
    out->identity_token = copy_member(entry, "identitytoken");
    out->registry_token = copy_member(entry, "registrytoken");
    if (pair && pair[0] && read_pair(pair, out, err) < 0) {
        auth_login_release(out);
        return -1;
    }
    if ((out->user && out->password) || out->identity_token || out->registry_token)
        return 1;
    auth_login_release(out);
    return 0;
}

const char *auth_helper_of(json_t *doc, const char *registry, bool *is_own)
{
    const char *key;
    json_t *value;

    *is_own = false;
    json_object_foreach(json_object_get(doc, "credHelpers"), key, value)
    {
        SCOPED(buf_release) struct buf host = {0};

        auth_key_host(str_of(key), &host);
        if (json_is_string(value) && str_is(buf_str(&host), registry)) {
            *is_own = true;
            return json_string_length(value) ? json_string_value(value) : NULL;
        }
    }
    const char *store = json_str(doc, "credsStore");

    return store && store[0] ? store : NULL;
}

static void add_under(struct strv *out, const char *dir_name, const char *tail)
{
    const char *dir = getenv(dir_name);

    if (dir && dir[0])
        strv_addf(out, "%s/%s", dir, tail);
}

/* Where to look, best first; files that are not there are among them. */
static void file_paths(struct strv *out)
{
    const char *only = getenv("REGISTRY_AUTH_FILE");
    const char *config_home = getenv("XDG_CONFIG_HOME");
    const char *docker = getenv("DOCKER_CONFIG");

    if (only && only[0]) {
        strv_add(out, only);
        return;
    }
    if (docker && docker[0])
        add_under(out, "DOCKER_CONFIG", "config.json");
    else
        add_under(out, "HOME", ".docker/config.json");
    add_under(out, "XDG_RUNTIME_DIR", "containers/auth.json");
    if (config_home && config_home[0])
        add_under(out, "XDG_CONFIG_HOME", "containers/auth.json");
    else
        add_under(out, "HOME", ".config/containers/auth.json");
}

int auth_file_read(const char *path, json_t **doc, struct err *err)
{
    SCOPED(buf_release) struct buf text = {0};

    if (fs_read_file(AT_FDCWD, path, &text, AUTH_FILE_MAX, err) < 0) {
        if (err->kind == ERR_SYSTEM && (err->code == ENOENT || err->code == ENOTDIR))
            return 0;
        return -1;
    }
    if (str_trim(buf_str(&text)).size == 0)
        return 0;
    *doc = json_parse(buf_str(&text), err);
    if (!*doc)
        return err_wrap(err, "%s", path);
    if (!json_is_object(*doc)) {
        json_decref(*doc);
        *doc = NULL;
        return err_set(err, ERR_INPUT, 0, "%s: not a JSON object", path);
    }
    return 1;
}

/* Whether an "auths" key is that registry's, or exactly `want` ("host/ns/repo",
 * containers-auth.json(5)). */
static bool key_fits(const char *key, const char *registry, const char *want)
{
    SCOPED(buf_release) struct buf host = {0};
    struct str text = str_of(key);
    struct str head, tail;

    if (want)
        return str_is(text, want);
    /* "host/ns" is for what lies below; "https://host/v1/" and "host/v2" mean the host. */
    if (str_search(text, "://") < 0 && str_cut(text, '/', &head, &tail) && tail.size > 0 &&
        !str_starts(tail, "v1") && !str_starts(tail, "v2"))
        return false;
    auth_key_host(text, &host);
    return str_is(buf_str(&host), registry);
}

static int find_auth(json_t *doc, const char *registry, const char *want, struct auth_login *out,
                     struct err *err)
{
    json_t *entry;
    const char *key;

    json_object_foreach(json_object_get(doc, "auths"), key, entry)
    {
        if (!key_fits(key, registry, want))
            continue;
        int found = auth_entry_read(entry, out, err);

        if (found < 0)
            return err_wrap(err, "auths: %s", key);
        if (found)
            return 1;
    }
    return 0;
}

/* host/ns/repo, host/ns, then the host. */
static int find_auth_below(json_t *doc, const char *registry, const char *path,
                           struct auth_login *out, struct err *err)
{
    SCOPED(buf_release) struct buf want = {0};

    if (path && path[0])
        buf_addf(&want, "%s/%s", registry, path);
    while (want.ptr && str_find(buf_str(&want), '/') >= 0) {
        int found = find_auth(doc, registry, buf_cstr(&want), out, err);

        if (found)
            return found;
        size_t parent = (size_t)str_rfind(buf_str(&want), '/');

        while (want.size > parent)
            want.ptr[--want.size] = 0;
    }
    return find_auth(doc, registry, NULL, out, err);
}

static int ask_helper(const char *helper, bool is_own, const char *registry, struct auth_login *out,
                      struct err *err)
{
    struct ecr_host ecr;
    struct err why = {0};
    int found = auth_helper_get(helper, registry, out, &why);

    if (found >= 0)
        return found;
    /* A store that is set but not there (a desktop's, on a build host) must not stop what needs no
     * login; and for ECR we are the helper. */
    if (why.kind == ERR_SYSTEM && why.code == ENOENT &&
        (!is_own || ecr_host_parse(registry, &ecr))) {
        log_debug("%s", why.text);
        return 0;
    }
    *err = why;
    return -1;
}

static int find_in(json_t *doc, const char *registry, const char *path, struct auth_login *out,
                   struct err *err)
{
    bool is_own;
    const char *helper = auth_helper_of(doc, registry, &is_own);

    if (helper) {
        int found = ask_helper(helper, is_own, registry, out, err);

        if (found)
            return found;
    }
    return find_auth_below(doc, registry, path, out, err);
}

static int find_in_env(const char *registry, const char *path, struct auth_login *out,
                       struct err *err)
{
    const char *text = getenv("DOCKER_AUTH_CONFIG");
    struct err why = {0};

    if (!text || !text[0])
        return 0;
    json_auto_t *doc = json_parse(str_of(text), &why);

    if (!doc)
        return err_set(err, ERR_INPUT, 0, "DOCKER_AUTH_CONFIG: %s", why.text);
    int found = find_auth_below(doc, registry, path, out, err);

    if (found > 0)
        out->source = xstrdup("DOCKER_AUTH_CONFIG");
    return found < 0 ? err_wrap(err, "DOCKER_AUTH_CONFIG") : found;
}

int auth_lookup(const char *registry, const char *path, struct auth_login *out, struct err *err)
{
    SCOPED(strv_release) struct strv paths = {0};
    int found = find_in_env(registry, path, out, err);

    file_paths(&paths);
    for (size_t i = 0; i < paths.count && found == 0; i++) {
        json_auto_t *doc = NULL;
        struct err why = {0};
        int read = auth_file_read(paths.ptr[i], &doc, &why);

        if (read < 0 && why.kind == ERR_SYSTEM && why.code == EACCES) {
            log_warn("%s; going on without it", why.text);
            continue;
        }
        if (read < 0) {
            *err = why;
            return -1;
        }
        if (read == 0)
            continue;
        found = find_in(doc, registry, path, out, err);
        if (found < 0)
            return err_wrap(err, "%s", paths.ptr[i]);
        if (found && !out->source)
            out->source = xstrdup(paths.ptr[i]);
    }
    return found;
}
