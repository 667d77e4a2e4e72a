/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/scope.h"
#include "cli/commands.h"
#include "cli/login.h"
#include "cli/prompt.h"
#include "cli/registry_opts.h"
#include "registry/auth.h"
#include "registry/ecr.h"
#include "registry/remote.h"

#define PASSWORD_MAX (64 << 10) /* ECR's are some 2 KB, and of no fixed size */

struct login_opts {
    const char *user, *password;
    bool password_stdin, store;
    struct registry_opts registry;
};

#define AT(field) offsetof(struct login_opts, field)
static const struct opt login_opts[] = {
    {.type = OPT_STR,
     .letter = 'u',
     .name = "username",
     .value = "NAME",
     .help = "log in as NAME",
     .offset = AT(user)},
    {.type = OPT_FLAG,
     .name = "password-stdin",
     .help = "read the password from standard input",
     .offset = AT(password_stdin)},
    {.type = OPT_STR,
     .letter = 'p',
     .name = "password",
     .value = "PASSWORD",
     .help = "the password, for all to see who list processes",
     .offset = AT(password)},
    {.type = OPT_FLAG,
     .name = "store",
     .help = "keep the password that AWS gives, for other programs",
     .offset = AT(store)},
    REGISTRY_OPTS(struct login_opts, registry),
    {.type = OPT_END},
};

static void drop_secret(struct buf *secret)
{
    if (secret->ptr)
        explicit_bzero(secret->ptr, secret->capacity);
    buf_release(secret);
}

static int read_password(const struct login_opts *opts, struct buf *password, struct err *err)
{
    if (opts->password) {
        log_warn("a password on the command line is seen by everyone who lists processes; "
                 "--password-stdin is not");
        buf_adds(password, opts->password);
    } else if (opts->password_stdin) {
        if (fs_read(STDIN_FILENO, password, PASSWORD_MAX, err) < 0)
            return err_wrap(err, "read the password from standard input");
        /* What echo and aws ecr get-login-password put behind it is not of it. */
        while (password->size > 0 && strchr("\r\n", password->ptr[password->size - 1]))
            password->ptr[--password->size] = 0;
    } else if (prompt_line("Password: ", true, password, err) < 0) {
        return err_add(err, ": give the password with --password-stdin");
    }
    if (password->size == 0 || strlen(password->ptr) != password->size)
        return err_set(err, ERR_USAGE, 0, "the password is %s",
                       password->size ? "not text" : "empty");
    return 0;
}

static int read_user(const struct login_opts *opts, bool is_ecr, struct buf *user, struct err *err)
{
    if (opts->user)
        buf_adds(user, opts->user);
    else if (is_ecr)
        buf_adds(user, "AWS"); /* the only one there is */
    else if (opts->password_stdin || opts->password)
        return err_set(err, ERR_USAGE, 0, "say whose password it is with -u");
    else if (prompt_line("Username: ", false, user, err) < 0)
        return err_add(err, ": say who logs in with -u");
    if (user->size == 0)
        return err_set(err, ERR_USAGE, 0, "the user name is empty");
    return 0;
}

static int check_options(const struct login_opts *opts, const struct login_place *place,
                         struct err *err)
{
    if (opts->password && opts->password_stdin)
        return err_set(err, ERR_USAGE, 0, "-p and --password-stdin exclude each other");
    if (opts->store && (!place->is_ecr || opts->user || opts->password_stdin || opts->password))
        return err_set(err, ERR_USAGE, 0,
                       "--store is for logins by AWS credentials: an ECR registry, and no -u");
    return 0;
}

/* ECR by AWS credentials: slipway makes that login itself whenever it needs one, so nothing has to
 * be kept. */
static int login_by_aws(const struct login_opts *opts, const struct login_place *place,
                        struct err *err)
{
    SCOPED(remote_drop) struct remote *remote = NULL;
    SCOPED(remote_settings_release) struct remote_settings settings = {0};
    SCOPED(ecr_login_release) struct ecr_login login = {0};
    AUTO_FREE char *where = NULL;

    if (registry_opts_settings(&opts->registry, &settings, err) < 0)
        return -1;
    remote = remote_open(&settings, err);
    if (!remote || ecr_login(settings.ca_file, place->host, &login, err) < 0 ||
        login_check(remote, place, login.user, login.password, "AWS credentials", err) < 0)
        return -1;
    if (!opts->store) {
        log_info("AWS credentials open %s; slipway uses them by itself, nothing is stored",
                 place->host);
        return 0;
    }
    if (auth_store(place->host, login.user, login.password, &where, err) < 0)
        return -1;
    log_info("login for %s kept in %s, good for some 12 hours", place->host, where);
    return 0;
}

static int login_run(struct cmd_context *context, const void *values, int count, char **args,
                     struct err *err)
{
    const struct login_opts *opts = values;
    SCOPED(login_place_release) struct login_place place = {0};
    SCOPED(remote_drop) struct remote *remote = NULL;
    SCOPED(buf_release) struct buf user = {0};
    SCOPED(drop_secret) struct buf password = {0};
    AUTO_FREE char *where = NULL;

    (void)context;
    if (login_place_parse(count ? args[0] : NULL, &place, err) < 0 ||
        check_options(opts, &place, err) < 0)
        return -1;
    if (place.is_ecr && !opts->user && !opts->password_stdin && !opts->password)
        return login_by_aws(opts, &place, err);
    if (read_user(opts, place.is_ecr, &user, err) < 0 || read_password(opts, &password, err) < 0)
        return -1;
    remote = registry_opts_open(&opts->registry, err);
    if (!remote)
        return -1;
    int checked = login_check(remote, &place, buf_cstr(&user), buf_cstr(&password), NULL, err);

    if (checked < 0 ||
        auth_store(place.host, buf_cstr(&user), buf_cstr(&password), &where, err) < 0)
        return -1;
    if (checked == 0)
        log_warn("%s asks for no login, so this one was not checked", place.host);
    log_info("login of %s for %s kept in %s", buf_cstr(&user), place.host, where);
    return 0;
}

const struct cmd cmd_login = {.name = "login",
                              .args = "[REGISTRY]",
                              .summary = "check a registry login and keep it",
                              .opts = login_opts,
                              .opts_size = sizeof(struct login_opts),
                              .max_args = 1,
                              .run = login_run};
