/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

#include "base/alloc.h"
#include "base/enc.h"
#include "base/fs.h"
#include "base/path.h"
#include "base/scope.h"
#include "registry/auth_files.h"

#define LINKS_MAX 8

static char *store_path(struct err *err)
{
    const char *only = getenv("REGISTRY_AUTH_FILE");
    const char *config = getenv("DOCKER_CONFIG");
    const char *home = getenv("HOME");

    if (only && only[0])
        return xstrdup(only);
    if (config && config[0])
        return xasprintf("%s/config.json", config);
    if (home && home[0])
        return xasprintf("%s/.docker/config.json", home);
    err_set(err, ERR_SYSTEM, 0, "no place to keep logins: neither HOME nor DOCKER_CONFIG is set");
    return NULL;
}

/* A link (dotfiles kept elsewhere) stays one: what it leads to is rewritten. */
static char *follow_links(char *path)
{
    char target[PATH_MAX];

    for (int i = 0; i < LINKS_MAX; i++) {
        ssize_t n = readlinkat(AT_FDCWD, path, target, sizeof(target) - 1);

        if (n <= 0)
            break;
        target[n] = 0;
        AUTO_FREE char *dir = str_dup(path_dir(str_of(path)));
        char *next = path_join(dir, target);

        free(path);
        path = next;
    }
    return path;
}

/* The file of logins, opened for a change: its directory, locked, and what it holds now. */
struct store {
    char *path;
    int dir_fd;
    json_t *doc;
};

#define STORE_CLOSED ((struct store){.dir_fd = -1})

static void store_close(struct store *s)
{
    int saved = errno;

    free(s->path);
    if (s->dir_fd >= 0)
        close(s->dir_fd); /* and with it the lock */
    json_decref(s->doc);
    *s = STORE_CLOSED;
    errno = saved;
}

static int store_open(struct store *s, struct err *err)
{
    s->path = store_path(err);
    if (!s->path)
        return -1;
    s->path = follow_links(s->path);
    AUTO_FREE char *dir = str_dup(path_dir(str_of(s->path)));

    if (fs_mkdirs(AT_FDCWD, dir, 0700, err) < 0)
        return -1;
    s->dir_fd = fs_open_dir(AT_FDCWD, dir, err);
    if (s->dir_fd < 0)
        return -1;
    /* Two logins at once must not lose one. */
    if (flock(s->dir_fd, LOCK_EX) < 0 && errno != EOPNOTSUPP && errno != ENOLCK)
        return err_errno(err, "lock %s", dir);
    if (auth_file_read(s->path, &s->doc, err) < 0)
        return -1;
    if (!s->doc)
        s->doc = json_object();
    return 0;
}

static int store_write(struct store *s, struct err *err)
{
    SCOPED(buf_release) struct buf text = {0};
    AUTO_FREE char *name = str_dup(path_base(str_of(s->path)));

    json_print_pretty(s->doc, &text);
    int result = fs_replace(s->dir_fd, name, text.ptr, text.size, 0600, true, err);

    explicit_bzero(text.ptr, text.size);
    return result < 0 ? err_wrap(err, "write %s", s->path) : 0;
}

/* Keys of "auths" that stand for the registry, gone: 1 there were some. */
static int drop_entries(json_t *doc, const char *registry)
{
    json_t *auths = json_object_get(doc, "auths");
    json_t *entry;
    const char *key;
    void *next;
    int found = 0;

    json_object_foreach_safe(auths, next, key, entry)
    {
        SCOPED(buf_release) struct buf host = {0};
        struct str path, rest;

        auth_key_host(str_of(key), &host);
        if (!str_is(buf_str(&host), registry))
            continue;
        /* A login for a path below the registry is another one. */
        if (str_search(str_of(key), "://") < 0 && str_cut(str_of(key), '/', &path, &rest) &&
            rest.size > 0 && !str_starts(rest, "v1") && !str_starts(rest, "v2"))
            continue;
        json_object_del(auths, key);
        found = 1;
    }
    return found;
}

int auth_store(const char *registry, const char *user, const char *password, char **where,
               struct err *err)
{
    SCOPED(store_close) struct store s = STORE_CLOSED;
    SCOPED(buf_release) struct buf pair = {0};
    SCOPED(buf_release) struct buf encoded = {0};
    bool is_own;

    if (strchr(user, ':'))
        return err_set(err, ERR_USAGE, 0, "a user name cannot hold a colon");
    if (store_open(&s, err) < 0)
        return -1;
    const char *helper = auth_helper_of(s.doc, registry, &is_own);

    if (helper) {
        if (auth_helper_store(helper, registry, user, password, err) < 0)
            return err_wrap(err, "%s", s.path);
        *where = xasprintf("docker-credential-%s", helper);
        return 0;
    }
    buf_addf(&pair, "%s:%s", user, password);
    base64_encode(&encoded, pair.ptr, pair.size);
    explicit_bzero(pair.ptr, pair.size);
    drop_entries(s.doc, registry);
    json_t *auths = json_object_get(s.doc, "auths");

    if (!json_is_object(auths)) {
        json_object_set_new(s.doc, "auths", json_object());
        auths = json_object_get(s.doc, "auths");
    }
    json_object_set_new(auths, auth_registry_key(registry),
                        json_pack("{s:s}", "auth", buf_cstr(&encoded)));
    if (store_write(&s, err) < 0)
        return -1;
    *where = steal_ptr(&s.path);
    return 0;
}

static int erase_by_helper(struct store *s, const char *helper, const char *registry, char **where,
                           struct err *err)
{
    SCOPED(auth_login_release) struct auth_login login = {0};
    int found = auth_helper_get(helper, registry, &login, err);

    if (found > 0)
        found = auth_helper_erase(helper, registry, err);
    if (found < 0)
        return err_wrap(err, "%s", s->path);
    if (found)
        *where = xasprintf("docker-credential-%s", helper);
    return found;
}

int auth_erase(const char *registry, char **where, struct err *err)
{
    SCOPED(store_close) struct store s = STORE_CLOSED;
    bool is_own;
    int found = 0;

    if (store_open(&s, err) < 0)
        return -1;
    const char *helper = auth_helper_of(s.doc, registry, &is_own);

    if (helper) {
        found = erase_by_helper(&s, helper, registry, where, err);
        if (found < 0)
            return -1;
    }
    if (drop_entries(s.doc, registry)) {
        if (store_write(&s, err) < 0)
            return -1;
        free(*where);
        *where = steal_ptr(&s.path);
        found = 1;
    }
    return found;
}
