/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/registry_opts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/pool.h"
#include "base/scope.h"
#include "registry/places.h"
#include "registry/pull.h"
#include "registry/reference.h"
#include "registry/remote.h"

#define CONFIG_MAX (1 << 20) /* ours */
#define SYSTEM_CONFIG "/etc/slipway/config.json"

static char *host_of(const char *pair)
{
    struct str host, rest;

    str_cut(str_of(pair), '=', &host, &rest);
    return place_host(str_trim(host));
}

/* Of a weaker source only the hosts that no stronger one names. Order within a source is kept. */
static void add_pairs(struct strv *to, const struct strv *from)
{
    size_t stronger = to->count;

    for (size_t i = 0; i < from->count; i++) {
        AUTO_FREE char *host = host_of(from->ptr[i]);
        bool named = false;

        for (size_t j = 0; j < stronger && !named; j++) {
            AUTO_FREE char *other = host_of(to->ptr[j]);

            named = strcmp(host, other) == 0;
        }
        if (!named)
            strv_add(to, from->ptr[i]);
    }
}

static void add_source(struct remote_settings *to, const struct remote_settings *from)
{
    add_pairs(&to->mirrors, &from->mirrors);
    add_pairs(&to->endpoints, &from->endpoints);
    strv_copy(&to->insecure, &from->insecure);
    if (!to->ca_file && from->ca_file)
        to->ca_file = xstrdup(from->ca_file);
}

static void add_list(struct strv *out, const char *name)
{
    struct str rest = str_of(getenv(name)), item;

    while (rest.size) {
        str_cut(rest, ',', &item, &rest);
        item = str_trim(item);
        if (item.size)
            strv_add_str(out, item);
    }
}

static void from_environment(struct remote_settings *out)
{
    const char *ca_file = getenv("SLIPWAY_CA_FILE");

    add_list(&out->mirrors, "SLIPWAY_REGISTRY_MIRROR");
    add_list(&out->endpoints, "SLIPWAY_REGISTRY_ENDPOINT");
    add_list(&out->insecure, "SLIPWAY_INSECURE_REGISTRY");
    if (ca_file && *ca_file)
        out->ca_file = xstrdup(ca_file);
}

/* --- the files --- */

static int unknown_member(const json_t *obj, const char *const *known, const char *where,
                          struct err *err)
{
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)obj, key, value)
    {
        size_t i = 0;

        while (known[i] && strcmp(known[i], key) != 0)
            i++;
        if (!known[i])
            return err_set(err, ERR_INPUT, 0, "%s has no setting \"%s\"", where, key);
    }
    return 0;
}

static int from_host(const char *host, json_t *obj, struct remote_settings *out, struct err *err)
{
    static const char *const known[] = {"mirrors", "endpoint", "insecure", NULL};
    json_t *mirrors = NULL, *value;
    const char *endpoint = NULL;
    int insecure = 0;
    size_t i;

    if (json_take(obj, err, "{s?:o, s?:s, s?:b}", "mirrors", &mirrors, "endpoint", &endpoint,
                  "insecure", &insecure) < 0 ||
        unknown_member(obj, known, host, err) < 0)
        return -1;
    if (mirrors && !json_is_array(mirrors))
        return err_set(err, ERR_INPUT, 0, "\"mirrors\" is no list");
    json_array_foreach(mirrors, i, value)
    {
        if (!json_is_string(value))
            return err_set(err, ERR_INPUT, 0, "\"mirrors\" has an element that is no text");
        strv_addf(&out->mirrors, "%s=%s", host, json_string_value(value));
    }
    if (endpoint)
        strv_addf(&out->endpoints, "%s=%s", host, endpoint);
    if (insecure)
        strv_add(&out->insecure, host);
    return 0;
}

static int from_document(json_t *doc, struct remote_settings *out, struct err *err)
{
    static const char *const known[] = {"registries", "caFile", NULL};
    json_t *registries = NULL, *value;
    const char *ca_file = NULL, *host;

    if (json_take(doc, err, "{s?:o, s?:s}", "registries", &registries, "caFile", &ca_file) < 0 ||
        unknown_member(doc, known, "slipway", err) < 0)
        return -1;
    if (registries && !json_is_object(registries))
        return err_set(err, ERR_INPUT, 0, "\"registries\" is no object");
    json_object_foreach(registries, host, value)
    {
        if (from_host(host, value, out, err) < 0)
            return err_wrap(err, "registry %s", host);
    }
    out->ca_file = xstrdup(ca_file);
    return 0;
}

/* A file that was asked for by name must be there; the others may. */
static int from_file(const char *path, bool must, struct remote_settings *to, struct err *err)
{
    SCOPED(remote_settings_release) struct remote_settings settings = {0};
    SCOPED(buf_release) struct buf bytes = {0};
    struct err failed = {0};

    if (fs_read_file(AT_FDCWD, path, &bytes, CONFIG_MAX, &failed) < 0) {
        if (!must && failed.kind == ERR_SYSTEM && (failed.code == ENOENT || failed.code == ENOTDIR))
            return 0;
        *err = failed;
        return -1;
    }
    json_auto_t *doc = json_parse(buf_str(&bytes), err);
    if (!doc || from_document(doc, &settings, err) < 0)
        return err_wrap(err, "%s", path);
    add_source(to, &settings);
    return 0;
}

static int from_files(struct remote_settings *to, struct err *err)
{
    const char *named = getenv("SLIPWAY_CONFIG");
    const char *config = getenv("XDG_CONFIG_HOME");
    const char *home = getenv("HOME");
    AUTO_FREE char *path = NULL;

    if (named && *named)
        return from_file(named, true, to, err);
    if (config && *config == '/')
        path = xasprintf("%s/slipway/config.json", config);
    else if (home && *home == '/')
        path = xasprintf("%s/.config/slipway/config.json", home);
    if (path && from_file(path, false, to, err) < 0)
        return -1;
    return from_file(SYSTEM_CONFIG, false, to, err);
}

int registry_opts_settings(const struct registry_opts *opts, struct remote_settings *settings,
                           struct err *err)
{
    SCOPED(remote_settings_release) struct remote_settings out = {0};
    SCOPED(remote_settings_release) struct remote_settings environment = {0};

    strv_copy(&out.mirrors, &opts->mirrors);
    strv_copy(&out.endpoints, &opts->endpoints);
    strv_copy(&out.insecure, &opts->insecure);
    out.ca_file = xstrdup(opts->ca_file);
    from_environment(&environment);
    add_source(&out, &environment);
    if (from_files(&out, err) < 0)
        return -1;
    *settings = out;
    out = (struct remote_settings){0};
    return 0;
}

struct remote *registry_opts_open(const struct registry_opts *opts, struct err *err)
{
    SCOPED(remote_settings_release) struct remote_settings settings = {0};

    if (registry_opts_settings(opts, &settings, err) < 0)
        return NULL;
    return remote_open(&settings, err);
}

int registry_opts_pull(const struct registry_opts *opts, struct layout *layout, const char *name,
                       const struct platform *platform, struct descriptor *out, struct err *err)
{
    SCOPED(reference_release) struct reference ref = {0};
    SCOPED(remote_drop) struct remote *remote = NULL;
    struct pool *pool;
    int rc;

    if (reference_parse(name, &ref, err) < 0)
        return -1;
    remote = registry_opts_open(opts, err);
    if (!remote)
        return -1;
    pool = pool_open(TRANSFERS);
    rc = pull_image(remote, layout, pool, &ref, platform, out, err);
    pool_close(pool);
    return rc;
}
