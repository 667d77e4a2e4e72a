/* SPDX-License-Identifier: Apache-2.0 */
#include "aws/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/fs.h"
#include "base/path.h"
#include "base/scope.h"

#define CONFIG_MAX (1 << 20) /* no such file in the wild comes near */

extern char **environ;

const char *aws_config_env(const struct aws_config *c, const char *name)
{
    const char *value = env_get(&c->env, name);

    return value && *value ? value : NULL;
}

/* "~/x" and "$VAR/x" at the front of a path, as the AWS tools take them. */
static char *expand_path(const struct aws_config *c, const char *path)
{
    const char *home = aws_config_env(c, "HOME");

    if (path[0] == '~' && (path[1] == '/' || !path[1]))
        return xasprintf("%s%s", home ? home : "", path + 1);
    if (path[0] == '$') {
        size_t n = strcspn(path + 1, "/");
        AUTO_FREE char *name = xstrndup(path + 1, n);
        const char *value = aws_config_env(c, name);

        if (value)
            return xasprintf("%s%s", value, path + 1 + n);
    }
    return xstrdup(path);
}

static int read_file(const char *path, struct ini *ini, struct err *err)
{
    SCOPED(buf_release) struct buf text = {0};
    AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
        return 0;
    if (fd < 0)
        return err_errno(err, "open %s", path);
    if (fs_read(fd, &text, CONFIG_MAX, err) < 0)
        return err_wrap(err, "%s", path);
    return ini_parse(buf_str(&text), path, ini, err);
}

const struct ini_section *aws_config_profile(const struct aws_config *c, const char *profile)
{
    AUTO_FREE char *name = xasprintf("profile %s", profile);
    const struct ini_section *section = ini_section(&c->config, name);

    if (!section && !strcmp(profile, "default"))
        section = ini_section(&c->config, "default");
    return section;
}

const struct ini_section *aws_config_credentials(const struct aws_config *c, const char *profile)
{
    return ini_section(&c->credentials, profile);
}

static char *file_path(const struct aws_config *c, const char *env_name, const char *fallback)
{
    const char *path = aws_config_env(c, env_name);

    return expand_path(c, path ? path : fallback);
}

int aws_config_load(struct aws_config *c, const struct strv *env, const char *profile,
                    const char *region, struct err *err)
{
    const char *chosen = profile;

    *c = (struct aws_config){0};
    if (env) {
        strv_copy(&c->env, env);
    } else {
        for (char **p = environ; p && *p; p++)
            strv_add(&c->env, *p);
    }
    c->profile_explicit = profile != NULL;
    if (!chosen)
        chosen = aws_config_env(c, "AWS_PROFILE");
    if (!chosen)
        chosen = aws_config_env(c, "AWS_DEFAULT_PROFILE");
    c->profile = xstrdup(chosen ? chosen : "default");
    c->region_option = xstrdup(region);
    c->config_path = file_path(c, "AWS_CONFIG_FILE", "~/.aws/config");
    c->credentials_path = file_path(c, "AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials");
    if (read_file(c->config_path, &c->config, err) < 0 ||
        read_file(c->credentials_path, &c->credentials, err) < 0)
        return -1;
    if (chosen && !aws_config_profile(c, chosen) && !aws_config_credentials(c, chosen))
        return err_set(err, ERR_INPUT, 0, "the profile \"%s\" is neither in %s nor in %s", chosen,
                       c->config_path, c->credentials_path);
    return 0;
}

void aws_config_release(struct aws_config *c)
{
    strv_release(&c->env);
    ini_release(&c->config);
    ini_release(&c->credentials);
    free(c->profile);
    free(c->region_option);
    free(c->config_path);
    free(c->credentials_path);
    *c = (struct aws_config){0};
}

static const char *not_empty(const char *value)
{
    return value && *value ? value : NULL;
}

static const char *profile_get(const struct aws_config *c, const char *key)
{
    const char *value = not_empty(ini_get(aws_config_profile(c, c->profile), key));

    return value ? value : not_empty(ini_get(aws_config_credentials(c, c->profile), key));
}

const char *aws_config_region(const struct aws_config *c)
{
    const char *region = c->region_option;

    if (!region)
        region = aws_config_env(c, "AWS_REGION");
    if (!region)
        region = aws_config_env(c, "AWS_DEFAULT_REGION");
    return region ? region : profile_get(c, "region");
}

static bool is_true(const char *value)
{
    return value && str_is_nocase(str_of(value), "true");
}

bool aws_config_flag(const struct aws_config *c, const char *env_name, const char *key)
{
    const char *value = aws_config_env(c, env_name);

    return is_true(value ? value : profile_get(c, key));
}

const char *aws_config_endpoint(const struct aws_config *c, const char *service_id)
{
    AUTO_FREE char *env_name = xasprintf("AWS_ENDPOINT_URL_%s", service_id);
    const char *services, *url = NULL;

    if (aws_config_flag(c, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
                        "ignore_configured_endpoint_urls"))
        return NULL;
    url = aws_config_env(c, env_name);
    if (!url)
        url = aws_config_env(c, "AWS_ENDPOINT_URL");
    if (url)
        return url;
    services = profile_get(c, "services");
    if (services) {
        AUTO_FREE char *name = xasprintf("services %s", services);
        AUTO_FREE char *key = xasprintf("%s.endpoint_url", service_id);

        for (char *p = key; *p; p++)
            *p = *p >= 'A' && *p <= 'Z' ? (char)(*p + 32) : *p;
        url = not_empty(ini_get(ini_section(&c->config, name), key));
    }
    return url ? url : profile_get(c, "endpoint_url");
}
