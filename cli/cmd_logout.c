/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"
#include "base/scope.h"
#include "cli/commands.h"
#include "cli/login.h"
#include "registry/auth.h"

static int logout_run(struct cmd_context *context, const void *values, int count, char **args,
                      struct err *err)
{
    SCOPED(login_place_release) struct login_place place = {0};
    SCOPED(auth_login_release) struct auth_login left = {0};
    AUTO_FREE char *where = NULL;
    struct err ignored = {0};

    (void)context, (void)values;
    if (login_place_parse(count ? args[0] : NULL, &place, err) < 0)
        return -1;
    int found = auth_erase(place.host, &where, err);

    if (found < 0)
        return -1;
    if (found)
        log_info("login for %s removed from %s", place.host, where);
    else
        log_info("no login for %s was kept", place.host);
    if (auth_lookup(place.host, NULL, &left, &ignored) > 0)
        log_warn("there still is a login for %s in %s", place.host, left.source);
    return 0;
}

static const struct opt logout_opts[] = {
    {.type = OPT_END},
};
const struct cmd cmd_logout = {.name = "logout",
                               .args = "[REGISTRY]",
                               .summary = "forget a registry login",
                               .opts = logout_opts,
                               .max_args = 1,
                               .run = logout_run};
