/* SPDX-License-Identifier: Apache-2.0 */
#include "aws/creds.h"

#include <stdlib.h>
#include <string.h>

#include "aws/config.h"
#include "aws/metadata.h"
#include "aws/sts.h"
#include "base/alloc.h"
#include "base/log.h"
#include "base/proc.h"
#include "base/scope.h"

#define PROCESS_TIMEOUT_MS 120000 /* a helper may ask a person for a second factor */

struct chain {
    const struct aws_config *config;
    struct http *http;
    struct strv visited; /* profiles on the way of source_profile */
};

/* 1: found; 0: not configured; -1: configured, but fails */
typedef int source_fn(struct chain *chain, const char *profile, struct aws_creds *creds,
                      struct err *err);

static void wipe(char **text)
{
    if (*text)
        explicit_bzero(*text, strlen(*text));
    free(steal_ptr(text));
}

void aws_creds_release(struct aws_creds *creds)
{
    wipe(&creds->access_key_id);
    wipe(&creds->secret_access_key);
    wipe(&creds->session_token);
    wipe(&creds->source);
    creds->expires = 0;
}

void aws_creds_copy(struct aws_creds *to, const struct aws_creds *from)
{
    struct aws_creds copy = {
        .access_key_id = xstrdup(from->access_key_id),
        .secret_access_key = xstrdup(from->secret_access_key),
        .session_token = xstrdup(from->session_token),
        .source = xstrdup(from->source),
        .expires = from->expires,
    };

    aws_creds_release(to);
    *to = copy;
}

static bool env_allowed(const struct chain *chain)
{
    return !chain->config->profile_explicit;
}

static int from_keys(const char *key, const char *secret, const char *token, const char *source,
                     struct aws_creds *creds, struct err *err)
{
    if (!key && !secret)
        return 0;
    if (!key || !secret)
        return err_set(err, ERR_INPUT, 0, "%s: the %s is there, the %s is not", source,
                       key ? "access key id" : "secret access key",
                       key ? "secret access key" : "access key id");
    *creds = (struct aws_creds){
        .access_key_id = xstrdup(key),
        .secret_access_key = xstrdup(secret),
        .session_token = xstrdup(token),
        .source = xstrdup(source),
    };
    return 1;
}

static int from_environment(struct chain *chain, const char *profile, struct aws_creds *creds,
                            struct err *err)
{
    const struct aws_config *c = chain->config;
    const char *token = aws_config_env(c, "AWS_SESSION_TOKEN");

    (void)profile;
    if (!token)
        token = aws_config_env(c, "AWS_SECURITY_TOKEN");
    return from_keys(aws_config_env(c, "AWS_ACCESS_KEY_ID"),
                     aws_config_env(c, "AWS_SECRET_ACCESS_KEY"), token, "the environment", creds,
                     err);
}

static const char *get(const struct ini_section *section, const char *key)
{
    const char *value = ini_get(section, key);

    return value && *value ? value : NULL;
}

static int from_section(const struct ini_section *section, const char *profile, const char *path,
                        struct aws_creds *creds, struct err *err)
{
    AUTO_FREE char *source = xasprintf("profile \"%s\" of %s", profile, path);
    const char *token = get(section, "aws_session_token");

    return from_keys(get(section, "aws_access_key_id"), get(section, "aws_secret_access_key"),
                     token ? token : get(section, "aws_security_token"), source, creds, err);
}

static int from_credentials_file(struct chain *chain, const char *profile, struct aws_creds *creds,
                                 struct err *err)
{
    return from_section(aws_config_credentials(chain->config, profile), profile,
                        chain->config->credentials_path, creds, err);
}

static int from_config_file(struct chain *chain, const char *profile, struct aws_creds *creds,
                            struct err *err)
{
    return from_section(aws_config_profile(chain->config, profile), profile,
                        chain->config->config_path, creds, err);
}

/* A key of the profile, wherever of the two files it stands. */
static const char *profile_key(const struct chain *chain, const char *profile, const char *key)
{
    const char *value = get(aws_config_profile(chain->config, profile), key);

    return value ? value : get(aws_config_credentials(chain->config, profile), key);
}

/* ---- credential_process ---- */

/* Words as a POSIX shell would cut them, without any expansion. */
static int split_words(const char *text, struct strv *words, struct err *err)
{
    while (*text) {
        SCOPED(buf_release) struct buf word = {0};
        char quote = 0;
        bool any = false;

        while (*text == ' ' || *text == '\t')
            text++;
        for (; *text && (quote || (*text != ' ' && *text != '\t')); text++) {
            any = true;
            if (quote && *text == quote)
                quote = 0;
            else if (!quote && (*text == '"' || *text == '\''))
                quote = *text;
            else if (quote != '\'' && *text == '\\' && text[1])
                buf_addc(&word, *++text);
            else
                buf_addc(&word, *text);
        }
        if (quote)
            return err_set(err, ERR_INPUT, 0, "credential_process has an open quote");
        if (any)
            strv_add(words, buf_cstr(&word));
    }
    return 0;
}

static int from_process(struct chain *chain, const char *profile, struct aws_creds *creds,
                        struct err *err)
{
    const char *line = profile_key(chain, profile, "credential_process");
    AUTO_FREE char *source = xasprintf("credential_process of profile \"%s\"", profile);
    SCOPED(strv_release) struct strv argv = {0};
    SCOPED(buf_release) struct buf out = {0};
    SCOPED(buf_release) struct buf errors = {0};
    struct proc proc = {
        .argv = &argv, .env = &chain->config->env, .timeout_ms = PROCESS_TIMEOUT_MS};
    int status = 0;

    if (!line)
        return 0;
    if (split_words(line, &argv, err) < 0)
        return err_wrap(err, "profile \"%s\"", profile);
    if (proc_run(&proc, &out, &errors, &status, err) < 0)
        return err_wrap(err, "%s", source);
    if (status != 0) {
        SCOPED(buf_release) struct buf safe = {0};

        buf_add_escaped(&safe, str_trim(buf_str(&errors)));
        return err_set(err, ERR_COMMAND, status, "%s: %s ended with status %d: %s", source,
                       argv.ptr[0], status, buf_cstr(&safe));
    }
    return metadata_parse(buf_str(&out), source, creds, err) < 0 ? -1 : 1;
}

/* ---- roles ---- */

static int from_profile(struct chain *chain, const char *profile, struct aws_creds *creds,
                        struct err *err);

static int base_of_role(struct chain *chain, const char *profile, struct aws_creds *base,
                        struct err *err)
{
    const char *source = profile_key(chain, profile, "source_profile");
    const char *where = profile_key(chain, profile, "credential_source");
    int rc;

    if (!source == !where)
        return err_set(err, ERR_INPUT, 0,
                       "profile \"%s\" has role_arn and %s of source_profile and credential_source",
                       profile, source ? "both" : "neither");
    if (where) {
        if (!strcmp(where, "Environment"))
            rc = from_environment(chain, profile, base, err);
        else if (!strcmp(where, "EcsContainer"))
            rc = metadata_container(chain->config, chain->http, base, err);
        else if (!strcmp(where, "Ec2InstanceMetadata"))
            rc = metadata_instance(chain->config, chain->http, base, err);
        else
            return err_set(err, ERR_INPUT, 0, "profile \"%s\": unknown credential_source \"%s\"",
                           profile, where);
        return rc ? rc
                  : err_set(err, ERR_INPUT, 0,
                            "profile \"%s\": credential_source %s has no credentials", profile,
                            where);
    }
    if (!strcmp(source, profile)) { /* a role assumed with the profile's own keys */
        rc = from_credentials_file(chain, profile, base, err);
        if (rc == 0)
            rc = from_config_file(chain, profile, base, err);
    } else {
        if (strv_has(&chain->visited, source))
            return err_set(err, ERR_INPUT, 0,
                           "source_profile goes in a circle through profile \"%s\"", source);
        rc = from_profile(chain, source, base, err);
    }
    return rc ? rc
              : err_set(err, ERR_INPUT, 0,
                        "profile \"%s\": its source_profile \"%s\" has no credentials", profile,
                        source);
}

static int from_role(struct chain *chain, const char *profile, struct aws_creds *creds,
                     struct err *err)
{
    SCOPED(aws_creds_release) struct aws_creds base = {0};
    struct sts_role role = {
        .arn = profile_key(chain, profile, "role_arn"),
        .session = profile_key(chain, profile, "role_session_name"),
        .external_id = profile_key(chain, profile, "external_id"),
        .duration = profile_key(chain, profile, "duration_seconds"),
    };

    if (!role.arn || profile_key(chain, profile, "web_identity_token_file"))
        return 0;
    if (profile_key(chain, profile, "mfa_serial"))
        return err_set(
            err, ERR_INPUT, 0,
            "profile \"%s\" asks for a second factor (mfa_serial), which is not supported; "
            "put session credentials into the environment",
            profile);
    if (base_of_role(chain, profile, &base, err) < 0)
        return -1;
    return sts_assume_role(chain->config, chain->http, &role, &base, creds, err) < 0 ? -1 : 1;
}

static int from_web_identity(struct chain *chain, const char *profile, struct aws_creds *creds,
                             struct err *err)
{
    const struct aws_config *c = chain->config;
    const char *file =
        env_allowed(chain) && chain->visited.count <= 1 /* a source_profile has its own */
            ? aws_config_env(c, "AWS_WEB_IDENTITY_TOKEN_FILE")
            : NULL;
    struct sts_role role = {0};

    if (file) {
        role.arn = aws_config_env(c, "AWS_ROLE_ARN");
        role.session = aws_config_env(c, "AWS_ROLE_SESSION_NAME");
        if (!role.arn)
            return err_set(err, ERR_INPUT, 0,
                           "AWS_WEB_IDENTITY_TOKEN_FILE is set, AWS_ROLE_ARN is not");
    } else {
        file = profile_key(chain, profile, "web_identity_token_file");
        role.arn = profile_key(chain, profile, "role_arn");
        role.session = profile_key(chain, profile, "role_session_name");
        if (file && !role.arn)
            return err_set(err, ERR_INPUT, 0,
                           "profile \"%s\" has web_identity_token_file, but no role_arn", profile);
    }
    if (!file)
        return 0;
    return sts_assume_role_with_web_identity(c, chain->http, &role, file, creds, err) < 0 ? -1 : 1;
}

static int from_sso(struct chain *chain, const char *profile, struct aws_creds *creds,
                    struct err *err)
{
    (void)creds;
    if (!profile_key(chain, profile, "sso_session") &&
        !profile_key(chain, profile, "sso_start_url"))
        return 0;
    return err_set(
        err, ERR_INPUT, 0,
        "profile \"%s\" signs in with SSO, which is not supported; run `eval \"$(aws configure "
        "export-credentials --profile %s --format env)\"` before slipway",
        profile, profile);
}

static int from_login(struct chain *chain, const char *profile, struct aws_creds *creds,
                      struct err *err)
{
    (void)creds;
    if (!profile_key(chain, profile, "login_session"))
        return 0;
    return err_set(
        err, ERR_INPUT, 0,
        "profile \"%s\" signs in with `aws login`, which is not supported; run `eval \"$(aws "
        "configure export-credentials --profile %s --format env)\"` before slipway",
        profile, profile);
}

static int from_container(struct chain *chain, const char *profile, struct aws_creds *creds,
                          struct err *err)
{
    (void)profile;
    return metadata_container(chain->config, chain->http, creds, err);
}

static int from_instance(struct chain *chain, const char *profile, struct aws_creds *creds,
                         struct err *err)
{
    (void)profile;
    return metadata_instance(chain->config, chain->http, creds, err);
}

static const struct {
    const char *name;
    source_fn *get;
} of_profile[] = {
    {"role", from_role},
    {"web identity", from_web_identity},
    {"SSO", from_sso},
    {"credentials file", from_credentials_file},
    {"aws login", from_login},
    {"credential_process", from_process},
    {"config file", from_config_file},
};

static int from_profile(struct chain *chain, const char *profile, struct aws_creds *creds,
                        struct err *err)
{
    int rc = 0;

    strv_add(&chain->visited, profile);
    for (size_t i = 0; i < ARRAY_SIZE(of_profile) && rc == 0; i++)
        rc = of_profile[i].get(chain, profile, creds, err);
    return rc;
}

static int nothing_found(const struct aws_config *c, struct err *err)
{
    return err_set(
        err, ERR_INPUT, 0,
        "no AWS credentials: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set, profile "
        "\"%s\" has none in "
        "%s or %s, there is no web identity token, no container endpoint and no instance role",
        c->profile, c->credentials_path, c->config_path);
}

int aws_creds_get(const struct aws_config *config, struct http *http, struct aws_creds *creds,
                  struct err *err)
{
    struct chain chain = {.config = config, .http = http};
    struct aws_creds found = {0};
    int rc = 0;

    if (env_allowed(&chain))
        rc = from_environment(&chain, config->profile, &found, err);
    if (rc == 0)
        rc = from_profile(&chain, config->profile, &found, err);
    if (rc == 0)
        rc = from_container(&chain, config->profile, &found, err);
    if (rc == 0)
        rc = from_instance(&chain, config->profile, &found, err);
    strv_release(&chain.visited);
    if (rc == 0)
        return nothing_found(config, err);
    if (rc < 0)
        return -1;
    log_debug("AWS credentials from %s", found.source);
    aws_creds_release(creds);
    *creds = found;
    return 0;
}
