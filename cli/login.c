/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/login.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/http.h"
#include "base/scope.h"
#include "registry/auth.h"
#include "registry/auth_files.h"
#include "registry/ecr.h"
#include "registry/reference.h"
#include "registry/remote.h"

void login_place_release(struct login_place *place)
{
    free(place->host);
    *place = (struct login_place){0};
}

int login_place_parse(const char *text, struct login_place *place, struct err *err)
{
    SCOPED(reference_release) struct reference ref = {0};
    SCOPED(buf_release) struct buf host = {0};
    struct err ignored = {0};
    struct ecr_host ecr;

    auth_key_host(str_of(text ? text : "docker.io"), &host);
    /* The grammar of references knows what a host may be; without dot or port it would take it for
     * a repository. */
    AUTO_FREE char *probe = xasprintf("%s/x/x", buf_cstr(&host));

    if (reference_parse(probe, &ref, &ignored) < 0 || strcmp(ref.path, "x/x") != 0)
        return err_set(err, ERR_USAGE, 0,
                       "\"%s\" is no registry: HOST[:PORT], with a dot, a port or \"localhost\"",
                       text);
    place->host = xstrdup(ref.host);
    place->is_ecr = ecr_host_parse(place->host, &ecr);
    return 0;
}

/* Whether /v2/ answers without a login, which docker's own "login" takes for success of any
 * password. */
static int asks_for_login(struct remote *remote, const char *url, const char *host, struct err *err)
{
    SCOPED(http_reply_release) struct http_reply reply = {0};
    struct http_request request = {.method = "GET", .url = url, .repeatable = true};

    if (http_send(remote_http(remote), &request, &reply, err) < 0)
        return -1;
    if (reply.status == 401)
        return 1;
    if (reply.status < 200 || reply.status > 299)
        return err_set(err, ERR_REMOTE, reply.status,
                       "%s answers %d to /v2/: no registry, or not there", host, reply.status);
    return 0;
}

int login_check(struct remote *remote, const struct login_place *place, const char *user,
                const char *password, const char *source, struct err *err)
{
    SCOPED(reference_release) struct reference ref = {0};
    SCOPED(remote_places_release) struct remote_places places = {0};
    SCOPED(http_reply_release) struct http_reply reply = {0};
    AUTO_FREE char *any = xasprintf("%s/x/x", place->host);
    AUTO_FREE char *url = NULL;
    struct http_request request = {.method = "GET", .repeatable = true};

    if (reference_parse(any, &ref, err) < 0 || remote_find(remote, &ref, true, &places, err) < 0)
        return -1;
    url = xasprintf("%s/v2/", places.items[0].base);
    int asks = asks_for_login(remote, url, place->host, err);

    if (asks <= 0)
        return asks;
    request.url = url;
    auth_set(remote_auth(remote), place->host, user, password, source);
    if (auth_send(remote_auth(remote), place->host, NULL, &request, &reply, err) < 0)
        return -1;
    if (reply.status == 401 || reply.status == 403)
        return auth_explain(remote_auth(remote), place->host, &reply, err);
    if (reply.status < 200 || reply.status > 299)
        return err_set(err, ERR_REMOTE, reply.status, "%s answers %d to /v2/", place->host,
                       reply.status);
    return 1;
}
