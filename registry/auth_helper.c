/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/proc.h"
#include "base/scope.h"
#include "registry/auth_files.h"

#define HELPER_TIMEOUT_MS UINT64_C(60000) /* some ask the user to unlock a key ring */

/* Names a program, so a slash in it would name another. */
static bool name_is_plain(const char *helper)
{
    for (const char *c = helper; *c; c++) {
        if (*c == '/' || (unsigned char)*c <= ' ')
            return false;
    }
    return helper[0] != 0;
}

/* Runs `docker-credential-NAME verb`. Its words on failure come on stdout, as the protocol has it.
 */
static int run_helper(const char *helper, const char *verb, struct str input, struct buf *out,
                      int *status, struct err *err)
{
    SCOPED(strv_release) struct strv argv = {0};
    SCOPED(buf_release) struct buf errors = {0};

    if (!name_is_plain(helper))
        return err_set(err, ERR_INPUT, 0, "credential helper \"%s\": not a program's name", helper);
    strv_addf(&argv, "docker-credential-%s", helper);
    strv_add(&argv, verb);
    struct proc proc = {
        .argv = &argv, .input = input, .output_max = 1 << 20, .timeout_ms = HELPER_TIMEOUT_MS};

    if (proc_run(&proc, out, &errors, status, err) < 0) {
        if (err->kind == ERR_SYSTEM && err->code == ENOENT)
            return err_set(err, ERR_SYSTEM, ENOENT, "docker-credential-%s is not in PATH", helper);
        return err_wrap(err, "docker-credential-%s %s", helper, verb);
    }
    if (*status != 0 && str_trim(buf_str(out)).size == 0) {
        buf_clear(out);
        buf_add_str(out, buf_str(&errors));
    }
    return 0;
}

static int helper_failed(const char *helper, const char *verb, const struct buf *out, int status,
                         struct err *err)
{
    SCOPED(buf_release) struct buf shown = {0};

    buf_add_escaped(&shown, str_slice(str_trim(buf_str(out)), 0, 300));
    return err_set(err, ERR_COMMAND, status, "docker-credential-%s %s: %s", helper, verb,
                   shown.size ? buf_cstr(&shown) : "it failed without a word");
}

/* credentials.errCredentialsNotFoundMessage of docker-credential-helpers, and what older ones say.
 */
static bool says_none(const struct buf *out)
{
    struct str text = str_trim(buf_str(out));

    return str_search(text, "credentials not found") >= 0 ||
           str_search(text, "not found in native keychain") >= 0;
}

int auth_helper_get(const char *helper, const char *registry, struct auth_login *out,
                    struct err *err)
{
    SCOPED(buf_release) struct buf text = {0};
    const char *user, *secret;
    int status = 0;

    if (run_helper(helper, "get", str_of(auth_registry_key(registry)), &text, &status, err) < 0)
        return -1;
    if (status != 0)
        return says_none(&text) ? 0 : helper_failed(helper, "get", &text, status, err);
    json_auto_t *doc = json_parse(buf_str(&text), err);

    if (!doc || json_take(doc, err, "{s:s, s:s}", "Username", &user, "Secret", &secret) < 0)
        return err_wrap(err, "docker-credential-%s get", helper);
    if (!secret[0])
        return 0;
    if (strcmp(user, "<token>") == 0) {
        out->identity_token = xstrdup(secret);
    } else {
        out->user = xstrdup(user);
        out->password = xstrdup(secret);
    }
    out->source = xasprintf("docker-credential-%s", helper);
    return 1;
}

int auth_helper_store(const char *helper, const char *registry, const char *user,
                      const char *password, struct err *err)
{
    SCOPED(buf_release) struct buf text = {0};
    SCOPED(buf_release) struct buf out = {0};
    json_auto_t *doc = json_pack("{s:s, s:s, s:s}", "ServerURL", auth_registry_key(registry),
                                 "Username", user, "Secret", password);
    int status = 0;

    if (!doc)
        return err_set(err, ERR_INPUT, 0, "user and password must be UTF-8");
    json_print(doc, &text);
    if (run_helper(helper, "store", buf_str(&text), &out, &status, err) < 0)
        return -1;
    return status == 0 ? 1 : helper_failed(helper, "store", &out, status, err);
}

int auth_helper_erase(const char *helper, const char *registry, struct err *err)
{
    SCOPED(buf_release) struct buf out = {0};
    int status = 0;

    if (run_helper(helper, "erase", str_of(auth_registry_key(registry)), &out, &status, err) < 0)
        return -1;
    if (status != 0 && says_none(&out))
        return 0;
    return status == 0 ? 1 : helper_failed(helper, "erase", &out, status, err);
}
